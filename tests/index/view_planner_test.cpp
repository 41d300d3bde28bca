// SPDX-License-Identifier: Apache-2.0
// The planner meets its criteria C1 to C4, C6 to C8 against brute force on small worlds.
#include "index/view_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "geometry/bitmask.h"
#include "index/coverage.h"

namespace tilewright::index {
namespace {

using geometry::Bitmask;
using geometry::LatticeWindow;
using geometry::RunMask;

/// Valid rectangle with a few holes, at a random place of a 40 x 40 world.
TileCoverage random_tile(std::mt19937& random, int number, bool with_clouds) {
  TileCoverage tile;
  tile.tile_id = "s-" + std::to_string(number);
  tile.source = "s";
  tile.i = static_cast<int>(random() % 16) - 8;
  tile.j = 8 - static_cast<int>(random() % 16);
  const auto w = 8 + static_cast<int>(random() % 17), h = 8 + static_cast<int>(random() % 17);
  Bitmask valid(w, h, true);
  for (int n = 0; n < 3; ++n) valid.set(random() % w, random() % h, false);
  tile.valid = RunMask::from(valid);
  tile.time_known = true;
  char time[32];
  std::snprintf(time, sizeof time, "2020-01-01T10:%02d:%02d.000Z", static_cast<int>(random() % 3), static_cast<int>(random() % 60));
  tile.acquired = time;
  if (with_clouds) {
    Bitmask cloud(w, h);
    for (int n = 0; n < w * h / 5; ++n) cloud.set(random() % w, random() % h, true);
    tile.cloud = RunMask::from(cloud);
  }
  return tile;
}

std::vector<TileCoverage> random_world(unsigned seed, bool with_clouds) {
  std::mt19937 random(seed);
  std::vector<TileCoverage> tiles;
  const int count = 2 + static_cast<int>(random() % 5);
  for (int n = 0; n < count; ++n) tiles.push_back(random_tile(random, n, with_clouds));
  return tiles;
}

bool set_at(const TileCoverage& tile, const RunMask& mask, std::int64_t i, std::int64_t j) {
  const auto col = i - tile.i, row = tile.j - j;
  if (row < 0 || row >= mask.height()) return false;
  return std::ranges::any_of(mask.row(row), [&](const auto& run) { return col >= run.begin && col < run.end; });
}

bool covers(const TileCoverage& tile, std::int64_t i, std::int64_t j, int patch) {
  for (int y = 0; y < patch; ++y)
    for (int x = 0; x < patch; ++x)
      if (!set_at(tile, tile.valid, i + x, j - y)) return false;
  return true;
}

double cloud_share(const TileCoverage& tile, std::int64_t i, std::int64_t j, int patch) {
  int cloudy = 0;
  for (int y = 0; y < patch; ++y)
    for (int x = 0; x < patch; ++x) cloudy += set_at(tile, *tile.cloud, i + x, j - y) ? 1 : 0;
  return static_cast<double>(cloudy) / (patch * patch);
}

/// The oracle: all anchors, pixel by pixel, duplicates by the rule's words.
class BruteForce {
 public:
  BruteForce(const std::vector<TileCoverage>& tiles, const PlannerConfig& config) : tiles_(tiles), config_(config) {
    for (const auto& tile : tiles) {
      std::int64_t count = 0;
      for (std::int64_t j = 60; j > -60; --j)
        for (std::int64_t i = -60; i < 60; ++i) count += covers(tile, i, j, config.patch_px) ? 1 : 0;
      anchors_.push_back(count);
    }
  }
  /// Ids of the usable views of a window.
  std::set<std::string> views(std::int64_t i, std::int64_t j) const {
    std::vector<std::size_t> covering;
    for (std::size_t n = 0; n < tiles_.size(); ++n)
      if (covers(tiles_[n], i, j, config_.patch_px)) covering.push_back(n);
    std::ranges::sort(covering, [&](auto a, auto b) {
      return anchors_[a] != anchors_[b] ? anchors_[a] > anchors_[b] : tiles_[a].tile_id < tiles_[b].tile_id;
    });
    std::vector<std::size_t> kept;
    for (const auto n : covering)
      if (std::ranges::none_of(kept, [&](auto k) { return are_duplicates(tiles_[n], tiles_[k], config_.same_pass_s); })) kept.push_back(n);
    std::set<std::string> ids;
    for (const auto n : kept)
      if (!tiles_[n].cloud || cloud_share(tiles_[n], i, j, config_.patch_px) <= config_.max_cloud_frac) ids.insert(tiles_[n].tile_id);
    return ids;
  }
  /// Value of a phase as the header says, larger is better.
  std::tuple<int, int, int> value(std::int64_t phase_col, std::int64_t phase_row) const {
    std::tuple<int, int, int> value{0, 0, 0};
    for (std::int64_t j = 60; j > -60; --j) {
      for (std::int64_t i = -60; i < 60; ++i) {
        if (mod(i) != phase_col || mod(-j) != phase_row) continue;
        const auto depth = static_cast<int>(views(i, j).size());
        if (depth >= std::max(2, config_.min_views)) {
          ++std::get<0>(value);
          std::get<1>(value) += depth;
        } else if (depth == 1 && config_.min_views <= 1) {
          ++std::get<2>(value);
        }
      }
    }
    return value;
  }
  std::int64_t mod(std::int64_t a) const { return ((a % config_.patch_px) + config_.patch_px) % config_.patch_px; }

 private:
  const std::vector<TileCoverage>& tiles_;
  PlannerConfig config_;
  std::vector<std::int64_t> anchors_;
};

std::set<std::string> ids(const PlannedLocation& location, const std::vector<TileCoverage>& tiles) {
  std::set<std::string> found;
  for (const auto& view : location.views) found.insert(tiles[view.tile].tile_id);
  return found;
}

class PlannerWorlds : public ::testing::TestWithParam<int> {};

TEST_P(PlannerWorlds, PlanEqualsBruteForce) {
  const auto tiles = random_world(static_cast<unsigned>(GetParam()), GetParam() % 2 == 0);
  const PlannerConfig config{.patch_px = 5, .min_views = 1 + GetParam() % 3, .max_cloud_frac = 0.2, .same_pass_s = 20};
  const BruteForce oracle(tiles, config);
  const auto plan = plan_views(tiles, config);

  auto best = std::tuple{0, 0, 0};
  std::pair<std::int64_t, std::int64_t> phase{0, 0};
  for (int row = 0; row < 5; ++row)
    for (int col = 0; col < 5; ++col)
      if (oracle.value(col, row) > best) best = oracle.value(col, row), phase = {col, row};
  EXPECT_EQ(std::pair(plan.phase_col, plan.phase_row), phase);

  std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::string>> expected, found;
  for (std::int64_t i = -60; i < 60; ++i)
    for (std::int64_t j = 60; j > -60; --j)
      if (oracle.mod(i) == phase.first && oracle.mod(-j) == phase.second)
        if (auto views = oracle.views(i, j); static_cast<int>(views.size()) >= config.min_views) expected[{i, j}] = std::move(views);
  for (const auto& location : plan.locations) found[{location.window.i, location.window.j}] = ids(location, tiles);
  EXPECT_EQ(found, expected);  // C1 valid, C2 maximal, C4 no duplicates, C7 brute force
}

TEST_P(PlannerWorlds, WindowsAreDisjointAndOrdered) {
  const auto tiles = random_world(static_cast<unsigned>(GetParam()), false);
  const auto plan = plan_views(tiles, {.patch_px = 4});
  for (std::size_t a = 0; a < plan.locations.size(); ++a) {
    for (auto b = a + 1; b < plan.locations.size(); ++b) {
      const auto &first = plan.locations[a].window, &second = plan.locations[b].window;
      EXPECT_TRUE(std::abs(first.i - second.i) >= 4 || std::abs(first.j - second.j) >= 4);  // C3
      EXPECT_LT(std::pair(first.i, first.j), std::pair(second.i, second.j));
    }
    EXPECT_TRUE(std::ranges::is_sorted(plan.locations[a].views, {}, [&](const auto& view) { return std::pair(tiles[view.tile].acquired, tiles[view.tile].tile_id); }));
  }
}

TEST_P(PlannerWorlds, OrderOfInputChangesNothing) {
  auto tiles = random_world(static_cast<unsigned>(GetParam()), true);
  const PlannerConfig config{.patch_px = 5, .max_views = 2, .max_cloud_frac = 0.25};
  const auto text = [](const ViewPlan& plan, const std::vector<TileCoverage>& world) {
    std::string out = std::to_string(plan.phase_col) + "," + std::to_string(plan.phase_row) + "," + std::to_string(plan.candidate_windows) + "\n";
    for (const auto& location : plan.locations) {
      out += std::to_string(location.window.i) + " " + std::to_string(location.window.j);
      for (const auto& view : location.views) out += " " + world[view.tile].tile_id + ":" + std::to_string(view.cloud_frac.value_or(-1));
      out += "\n";
    }
    for (const auto& rejection : plan.rejections)
      out += world[*rejection.tile].tile_id + " " + std::to_string(rejection.window.i) + " " + std::string(code(rejection.reason)) + rejection.detail + "\n";
    return out;
  };
  const auto first = text(plan_views(tiles, config), tiles);
  std::mt19937 random(4);
  for (int round = 0; round < 3; ++round) {
    std::ranges::shuffle(tiles, random);
    EXPECT_EQ(text(plan_views(tiles, config), tiles), first);  // C6
  }
}

TEST_P(PlannerWorlds, AnchorsAndDepthsAddUp) {
  const auto tiles = random_world(static_cast<unsigned>(GetParam()), false);
  const PlannerConfig config{.patch_px = 3, .same_pass_s = -1};  // nothing is a duplicate
  std::int64_t anchors = 0, depths = 0, covered = 0;
  for (const auto& tile : tiles) anchors += geometry::window_anchors(tile.valid.bits(), 3).count();
  const BruteForce oracle(tiles, config);
  for (std::int64_t j = 60; j > -60; --j)
    for (std::int64_t i = -60; i < 60; ++i) {
      const auto depth = static_cast<std::int64_t>(oracle.views(i, j).size());
      depths += depth;
      covered += depth > 0 ? 1 : 0;
    }
  EXPECT_EQ(anchors, depths);  // C8
  EXPECT_EQ(plan_views(tiles, config).candidate_windows, covered);
}

INSTANTIATE_TEST_SUITE_P(Random, PlannerWorlds, ::testing::Range(0, 24));

TileCoverage plain(const std::string& id, const std::string& acquired, int size, std::int64_t i = 0, std::int64_t j = 0) {
  TileCoverage tile;
  tile.tile_id = id;
  tile.source = "s";
  tile.acquired = acquired;
  tile.i = i;
  tile.j = j;
  tile.valid = RunMask::from(Bitmask(size, size, true));
  return tile;
}

TEST(ViewPlanner, LatticeHasPhaseZeroAlsoWestAndSouthOfTheOrigin) {
  const std::vector<TileCoverage> tiles = {plain("a", "2020", 20, -13, -7)};
  const auto plan = plan_views(tiles, {.patch_px = 8, .placement = Placement::lattice});
  ASSERT_EQ(plan.locations.size(), 2U);
  for (const auto& location : plan.locations) {
    EXPECT_EQ(location.window.i % 8, 0);
    EXPECT_EQ(location.window.j % 8, 0);
  }
}

TEST(ViewPlanner, RejectionsSayCloudyDuplicateOrInvalid) {
  std::vector<TileCoverage> tiles = {plain("a", "2020-01-01T10:00:00.000Z", 8), plain("b", "2020-01-01T10:00:30.000Z", 8),
                                     plain("c", "2020-02-01T10:00:00.000Z", 8), plain("d", "2020-03-01T10:00:00.000Z", 8)};
  for (auto& tile : tiles) tile.time_known = true;
  tiles[2].cloud = RunMask::from(Bitmask(8, 8, true));
  Bitmask hole(8, 8, true);
  hole.set(7, 7, false);
  tiles[3].valid = RunMask::from(hole);
  const auto plan = plan_views(tiles, {.patch_px = 8});
  ASSERT_EQ(plan.locations.size(), 1U);
  ASSERT_EQ(plan.rejections.size(), 3U);
  EXPECT_EQ(plan.rejections[0].reason, Reason::view_duplicate);
  EXPECT_THAT(plan.rejections[0].detail, ::testing::HasSubstr("same acquisition as a"));
  EXPECT_EQ(plan.rejections[1].reason, Reason::view_cloudy);
  EXPECT_EQ(plan.rejections[2].reason, Reason::view_invalid);
  EXPECT_THAT(plan.rejections[2].detail, ::testing::HasSubstr("98.4 %"));
}

TEST(ViewPlanner, CloudShareEqualToTheLimitPasses) {
  std::vector<TileCoverage> tiles = {plain("a", "2020", 10)};
  Bitmask cloud(10, 10);
  for (int n = 0; n < 10; ++n) cloud.set(n, 3, true);
  tiles[0].cloud = RunMask::from(cloud);
  EXPECT_EQ(plan_views(tiles, {.patch_px = 10, .max_cloud_frac = 0.1}).locations.size(), 1U);
  cloud.set(0, 4, true);
  tiles[0].cloud = RunMask::from(cloud);
  EXPECT_EQ(plan_views(tiles, {.patch_px = 10, .max_cloud_frac = 0.1}).locations.size(), 0U);
}

TEST(ViewPlanner, SameDayWithoutTimeIsNoDuplicateButEqualContentIs) {
  std::vector<TileCoverage> tiles = {plain("a", "2020-01-01T00:00:00.000Z", 8), plain("b", "2020-01-01T00:00:00.000Z", 8)};
  EXPECT_EQ(plan_views(tiles, {.patch_px = 8, .min_views = 2}).locations.size(), 1U);
  tiles[0].content_hash = tiles[1].content_hash = "same";
  EXPECT_EQ(plan_views(tiles, {.patch_px = 8, .min_views = 2}).locations.size(), 0U);
}

TEST(ViewPlanner, TakenWindowsStayFree) {
  const std::vector<TileCoverage> tiles = {plain("a", "2020", 24)};
  const std::vector<LatticeWindow> taken = {{3, -3, 8}};
  const auto plan = plan_views(tiles, {.patch_px = 8}, taken);
  EXPECT_FALSE(plan.locations.empty());
  for (const auto& location : plan.locations)
    EXPECT_TRUE(std::abs(location.window.i - 3) >= 8 || std::abs(location.window.j + 3) >= 8);
}

TEST(ViewPlanner, OtherPlacementsAreNotInThisVersion) {
  for (const auto placement : {Placement::whole, Placement::points})
    EXPECT_THROW(plan_views({}, {.placement = placement}), Error);
}

TEST(MostCommonPhase, TakesWhatMostTilesHave) {
  const std::vector<geometry::MapXY> origins = {{600003, 5000001}, {600013, 5000021}, {600000, 5000000}};
  EXPECT_EQ(most_common_phase(origins, 10), (geometry::MapXY{3, 1}));
}

TEST(MostCommonPhase, TieIsTheOrigin) {
  const std::vector<geometry::MapXY> origins = {{600003, 5000001}, {600005, 5000021}};
  EXPECT_EQ(most_common_phase(origins, 10), (geometry::MapXY{0, 0}));
  EXPECT_EQ(most_common_phase({}, 10), (geometry::MapXY{0, 0}));
}

TEST(MostCommonPhase, RoundingAcrossAPixelEdgeIsOnePhase) {
  const std::vector<geometry::MapXY> origins = {{0.6 * 1000001, 0.6 * 7}, {0.6 * 3, 0.6 * 123457}, {0.31, 0.31}};
  EXPECT_EQ(most_common_phase(origins, 0.6), (geometry::MapXY{0, 0}));
  const std::vector<geometry::MapXY> near = {{9.95, 0}, {0.04, 0}, {5, 5}};
  const auto phase = most_common_phase(near, 10);
  EXPECT_TRUE(phase.x < 0.1 || phase.x > 9.9);
}

}  // namespace
}  // namespace tilewright::index
