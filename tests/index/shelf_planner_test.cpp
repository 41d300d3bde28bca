// SPDX-License-Identifier: Apache-2.0
// Shelf packing: disjoint, saturated, the same in any order, and near the optimum of an exact solver.
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <random>
#include <string>

#include "index/strip.h"
#include "tests/index/planner_yield.h"

namespace tilewright::index {
namespace {

std::string text_of(const ViewPlan& plan, const std::vector<TileCoverage>& tiles) {
  std::string out = std::to_string(plan.candidate_windows) + "\n";
  for (const auto& location : plan.locations) {
    out += std::to_string(location.window.i) + " " + std::to_string(location.window.j);
    for (const auto& view : location.views) out += " " + tiles[view.tile].tile_id;
    out += "\n";
  }
  for (const auto& rejection : plan.rejections) out += tiles[*rejection.tile].tile_id + " " + std::string(code(rejection.reason)) + rejection.detail + "\n";
  return out;
}

class ShelfWorlds : public ::testing::TestWithParam<unsigned> {};

TEST_P(ShelfWorlds, WindowsAreMaximalDisjointAndSaturated) {
  const auto tiles = random_tiles(GetParam(), 9, 30, 50);
  for (const int min_views : {1, 2, 3}) {
    const auto plan = plan_views(tiles, {.patch_px = 7, .placement = Placement::shelf, .min_views = min_views});
    expect_sound(plan, depth_field(tiles, 7), 7, min_views);
  }
}

TEST_P(ShelfWorlds, OrderOfInputAndThreadsChangeNothing) {
  auto tiles = random_tiles(GetParam(), 9, 40, 60);
  const PlannerConfig config{.patch_px = 6, .placement = Placement::shelf};
  const auto first = text_of(plan_views(tiles, config), tiles);
  std::mt19937 random(4);
  for (const std::size_t threads : {1, 3}) {
    const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
    std::ranges::shuffle(tiles, random);
    EXPECT_EQ(text_of(plan_views(tiles, config), tiles), first);  // C6
  }
}

TEST_P(ShelfWorlds, HasAtLeastAsManySeveralDateWindowsAsThePhases) {
  const auto tiles = random_tiles(GetParam(), 9, 40, 60);
  const auto shelf = yield_of(plan_views(tiles, {.patch_px = 6, .placement = Placement::shelf}));
  const auto phase = yield_of(plan_views(tiles, {.patch_px = 6, .placement = Placement::best_phase}));
  EXPECT_GE(std::pair(shelf.windows, shelf.windows == phase.windows ? shelf.views : 0), std::pair(phase.windows, shelf.windows == phase.windows ? phase.views : 0));
}

TEST_P(ShelfWorlds, TakenWindowsStayFree) {
  const auto tiles = random_tiles(GetParam(), 6, 30, 40);
  const auto first = plan_views(tiles, {.patch_px = 8, .placement = Placement::shelf});
  std::vector<geometry::LatticeWindow> taken;
  for (std::size_t n = 0; n < first.locations.size(); n += 2) taken.push_back(first.locations[n].window);
  const auto second = plan_views(tiles, {.patch_px = 8, .placement = Placement::shelf}, taken);
  for (const auto& location : second.locations)
    for (const auto& window : taken) EXPECT_TRUE(std::abs(location.window.i - window.i) >= 8 || std::abs(location.window.j - window.j) >= 8);
  EXPECT_GE(second.locations.size() + taken.size(), first.locations.size() / 2);
}

INSTANTIATE_TEST_SUITE_P(Random, ShelfWorlds, ::testing::Range(0U, 30U));

/// Duplicates of one pass and clouds on top of random tiles.
std::vector<TileCoverage> cloudy_passes(unsigned seed) {
  auto tiles = random_tiles(seed, 9, 40, 40);
  std::mt19937 random(seed);
  for (auto& tile : tiles) {
    tile.time_known = true;
    tile.acquired = "2020-01-0" + std::to_string(1 + random() % 3) + "T10:00:0" + std::to_string(random() % 10) + ".000Z";
    geometry::Bitmask cloud(tile.valid.width(), tile.valid.height());
    for (int n = 0; n < 6; ++n) cloud.set_run(static_cast<std::int64_t>(random() % 10), static_cast<std::int64_t>(10 + random() % 10), static_cast<std::int64_t>(random() % 20), true);
    tile.cloud = geometry::RunMask::from(cloud);
  }
  return tiles;
}

TEST(DepthRows, AreTheSameInBlocksOfAnySize) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto tiles = cloudy_passes(seed);
    const PlannerConfig config{.patch_px = 7, .max_cloud_frac = 0.02};
    const CoverageSet set(tiles, config);
    const ViewChooser chooser(set, config);
    for (const auto& component : components_of(set)) {
      const auto end = component.box.row + component.box.height;
      const auto whole = depth_rows(set, chooser, component, component.box.row, end);
      for (const std::int64_t step : {1, 5, 64})
        for (auto row = component.box.row; row < end; row += step) {
          const auto block = depth_rows(set, chooser, component, row, std::min(row + step, end));
          for (auto r = row; r < std::min(row + step, end); ++r) EXPECT_TRUE(std::ranges::equal(block.at(r), whole.at(r)));
        }
    }
  }
}

TEST(ShelfPlanner, WindowsStayAtHome) {
  const auto tiles = random_tiles(7, 9, 40, 60);
  PlannerConfig config{.patch_px = 6, .placement = Placement::shelf};
  const auto all = plan_views(tiles, config).locations.size();
  config.home = [](std::int64_t row) { return std::pair<std::int64_t, std::int64_t>{row < 20 ? 10 : 0, 25}; };
  for (const auto placement : {Placement::shelf, Placement::best_phase, Placement::lattice}) {
    config.placement = placement;
    const auto plan = plan_views(tiles, config);
    EXPECT_LT(plan.locations.size(), all);
    EXPECT_FALSE(plan.locations.empty());
    for (const auto& location : plan.locations) {
      EXPECT_LT(location.window.i, 25);
      EXPECT_GE(location.window.i, -location.window.j < 20 ? 10 : 0);
    }
  }
}

TEST(Strip, IsTheBestOfAllSubsets) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<DepthRun> runs;
    std::int64_t at = static_cast<std::int64_t>(random() % 5) - 2;
    for (int n = 0; n < 3; ++n) {
      at += static_cast<std::int64_t>(random() % 5);
      const auto end = at + 1 + static_cast<std::int64_t>(random() % 5);
      runs.push_back({at, end, 1 + static_cast<std::int64_t>(random() % 4)});
      at = end;
    }
    std::vector<std::pair<std::int64_t, std::int64_t>> all;
    for (const auto& run : runs)
      for (auto p = run.begin; p < run.end; ++p) all.emplace_back(p, run.depth);
    Worth best;
    for (std::uint32_t set = 0; set < (1U << all.size()); ++set) {
      Worth worth;
      std::int64_t last = -100;
      bool fits = true;
      for (std::size_t n = 0; n < all.size() && fits; ++n) {
        if ((set >> n & 1U) == 0) continue;
        fits = all[n].first - last >= 4;
        last = all[n].first;
        worth += {1, all[n].second};
      }
      if (fits) best = std::max(best, worth);
    }
    Strip strip(4);
    EXPECT_EQ(strip.worth(runs), best);
    Worth placed;
    auto last = std::int64_t{-100};
    for (const auto position : strip.positions(runs)) {
      EXPECT_GE(position - last, 4);
      last = position;
      placed += {1, std::ranges::find_if(runs, [&](const auto& run) { return position >= run.begin && position < run.end; })->depth};
    }
    EXPECT_EQ(placed, best);
  }
}

TEST(ShelfPlanner, ReachesTheOptimumOnSmallComponents) { EXPECT_GE(share_of_optimum(1000, 24), 0.95); }

TEST(ShelfPlanner, HotSpotsYieldMoreThanTupleGrowing) { expect_hot_spot_yield(0); }

}  // namespace
}  // namespace tilewright::index
