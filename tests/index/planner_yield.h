// SPDX-License-Identifier: Apache-2.0
// What a plan yields: soundness, share of the exact optimum, gain over tuple growing on hot-spots.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <tuple>

#include "tests/index/exact_packing.h"
#include "tests/index/planner_worlds.h"
#include "tests/index/tuple_growing.h"

namespace tilewright::index {

/// Views are maximal, windows disjoint, and no further window of min_views fits.
inline void expect_sound(const ViewPlan& plan, const DepthField& field, int patch, int min_views) {
  std::vector<std::int64_t> used(field.pixel_depth.size(), 0);
  for (const auto& location : plan.locations) {
    const auto col = location.window.i, row = -location.window.j;
    ASSERT_EQ(field.at(col, row), static_cast<std::int64_t>(location.views.size()));  // C1, C2
    ASSERT_GE(static_cast<int>(location.views.size()), min_views);
    for (int y = 0; y < patch; ++y)
      for (int x = 0; x < patch; ++x) ASSERT_EQ(used[static_cast<std::size_t>((row + y - field.top) * field.width + col + x - field.left)]++, 0);  // C3
  }
  const auto is_free = [&](std::int64_t col, std::int64_t row) {
    for (int y = 0; y < patch; ++y)
      for (int x = 0; x < patch; ++x)
        if (used[static_cast<std::size_t>((row + y) * field.width + col + x)] != 0) return false;
    return true;
  };
  for (std::int64_t row = 0; row < field.height; ++row)
    for (std::int64_t col = 0; col < field.width; ++col)
      if (field.at(field.left + col, field.top + row) >= min_views) {
        ASSERT_FALSE(is_free(col, row)) << "a window fits at " << col << ", " << row;  // C5
      }
}

/// Components of up to 200 anchors with several views: share of the optimum's windows.
inline double share_of_optimum(unsigned first, unsigned worlds) {
  std::int64_t ours = 0, optimum = 0, components = 0;
  for (unsigned seed = first; seed < first + worlds; ++seed) {
    const auto tiles = random_tiles(seed, 5, 22, 24);
    const auto field = depth_field(tiles, 8);
    std::vector<PackingCandidate> candidates;
    for (std::int64_t row = 0; row < field.height; ++row)
      for (std::int64_t col = 0; col < field.width; ++col)
        if (const auto depth = field.at(field.left + col, field.top + row); depth >= 2) candidates.push_back({col, row, depth});
    if (candidates.empty() || candidates.size() > ExactPacking::kMost) continue;
    const auto exact = exact_packing(candidates, 8);
    const auto found = yield_of(plan_views(tiles, {.patch_px = 8, .placement = Placement::shelf}));
    EXPECT_LE(std::pair(found.windows, found.views), std::pair(exact.windows, found.windows == exact.windows ? exact.views : INT64_MAX));
    ours += found.windows;
    optimum += exact.windows;
    ++components;
  }
  EXPECT_GE(components, static_cast<std::int64_t>(worlds) / 5);
  std::printf("%ld components: %ld windows, the optimum has %ld\n", static_cast<long>(components), static_cast<long>(ours), static_cast<long>(optimum));
  return static_cast<double>(ours) / static_cast<double>(optimum);
}

/// Against tuple growing in the same run, and against the area that several tiles cover.
inline void expect_hot_spot_yield(unsigned draw) {
  const auto tiles = hot_spots(draw);
  TupleGrowing baseline(tiles, 16, 5);
  const auto grown = baseline.run();
  const auto field = depth_field(tiles, 16);
  const double bound = static_cast<double>(std::ranges::count_if(field.pixel_depth, [](auto depth) { return depth >= 2; })) / 256;
  const auto plan = plan_views(tiles, {.patch_px = 16, .placement = Placement::shelf});
  expect_sound(plan, field, 16, 1);
  const auto found = yield_of(plan);
  std::int64_t grown_views = 0;
  for (const auto& window : grown) grown_views += static_cast<std::int64_t>(window.views);
  std::printf("draw %u: tuple growing %zu windows, %ld views; shelf %ld windows, %ld views: +%.1f %%; %.1f %% of the area bound %.1f\n", draw, grown.size(), static_cast<long>(grown_views),
              static_cast<long>(found.windows), static_cast<long>(found.views), 100.0 * static_cast<double>(found.windows) / static_cast<double>(grown.size()) - 100,
              100 * static_cast<double>(found.windows) / bound, bound);
  EXPECT_GE(static_cast<double>(found.windows), 1.4 * static_cast<double>(grown.size()));
  EXPECT_GE(static_cast<double>(found.windows), 0.86 * bound);
}

}  // namespace tilewright::index
