// SPDX-License-Identifier: Apache-2.0
// C7: on small instances every window has the largest of all tuples that cover it, found by trying all.
#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "tests/index/planner_worlds.h"

namespace tilewright::index {
namespace {

constexpr int kPatch = 6;

/// Anchors of every subset of tiles, by and-ing their masks: subsets as bits of the index.
std::vector<geometry::Bitmask> anchors_of_tuples(const std::vector<TileCoverage>& tiles, const DepthField& field) {
  std::vector<geometry::Bitmask> masks(std::size_t{1} << tiles.size());
  masks[0] = geometry::Bitmask(field.width, field.height, true);
  for (std::size_t set = 1; set < masks.size(); ++set) {
    const auto& tile = tiles[static_cast<std::size_t>(std::countr_zero(set))];
    geometry::Bitmask here(field.width, field.height);
    for (std::int64_t row = 0; row < tile.valid.height(); ++row)
      for (const auto& run : tile.valid.row(row)) here.set_run(run.begin + tile.i - field.left, run.end + tile.i - field.left, row - tile.j - field.top, true);
    masks[set] = masks[set & (set - 1)] & here;
  }
  for (auto& mask : masks) mask = geometry::window_anchors(mask, kPatch);
  return masks;
}

void expect_equal(unsigned seed) {
  const auto tiles = random_tiles(seed + 5000, 6, 20, 18);
  const auto field = depth_field(tiles, kPatch);
  const auto tuples = anchors_of_tuples(tiles, field);
  const auto largest = [&](std::int64_t col, std::int64_t row) {
    std::size_t best = 0;
    for (std::size_t set = 1; set < tuples.size(); ++set)
      if (col < tuples[set].width() && row < tuples[set].height() && tuples[set].get(col, row) && std::popcount(set) > std::popcount(best)) best = set;
    return best;
  };
  std::int64_t candidates = 0, sum_of_depths = 0;
  for (std::int64_t row = 0; row < field.height; ++row)
    for (std::int64_t col = 0; col < field.width; ++col) {
      const auto best = largest(col, row);
      candidates += best != 0 ? 1 : 0;
      sum_of_depths += std::popcount(best);
    }
  std::int64_t areas = 0;
  for (const auto& tile : tiles) areas += geometry::window_anchors(tile.valid.bits(), kPatch).count();
  ASSERT_EQ(areas, sum_of_depths);  // C8
  for (const auto placement : {Placement::lattice, Placement::best_phase, Placement::shelf}) {
    const auto plan = plan_views(tiles, {.patch_px = kPatch, .placement = placement});
    ASSERT_EQ(plan.candidate_windows, candidates);
    for (const auto& location : plan.locations) {
      std::size_t views = 0;
      for (const auto& view : location.views) views |= std::size_t{1} << view.tile;
      ASSERT_EQ(views, largest(location.window.i - field.left, -location.window.j - field.top)) << "seed " << seed;
    }
  }
}

TEST(PlannerBruteForce, WindowsHaveTheLargestOfAllTuples) {
  for (unsigned seed = 0; seed < 1000; ++seed) expect_equal(seed);
}

}  // namespace
}  // namespace tilewright::index
