// SPDX-License-Identifier: Apache-2.0
// Splits leak nothing by brute force, and new locations move no old ones.
#include "index/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "index/stratify.h"

namespace tilewright::index {
namespace {

using ::testing::HasSubstr;

SplitLocation location_at(double x, double y, double size, int epsg = 32632) {
  SplitLocation location;
  location.location_id = "e" + std::to_string(epsg) + "_" + std::to_string(static_cast<int>(x)) + "_" + std::to_string(static_cast<int>(y));
  location.epsg = epsg;
  location.box = {x, y, x + size, y + size};
  location.geom = *geometry::geographic({{{{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}, {x, y}}, {}}}, geometry::Crs::from_epsg(epsg));
  return location;
}

/// Abutting windows of 320 m, as a lattice has them; one scene a column of ten windows.
std::vector<SplitLocation> field(int columns, int rows) {
  std::vector<SplitLocation> locations;
  for (int c = 0; c < columns; ++c)
    for (int r = 0; r < rows; ++r) {
      locations.push_back(location_at(500000 + c * 320, 5000000 + r * 320, 320));
      locations.back().tile_ids = {"s-" + std::to_string(c / 10)};
      locations.back().components = {1 + c / 20};
    }
  return locations;
}

double box_distance(const geometry::Box& a, const geometry::Box& b) {
  const double dx = std::max({0.0, a.min_x - b.max_x, b.min_x - a.max_x}), dy = std::max({0.0, a.min_y - b.max_y, b.min_y - a.max_y});
  return std::sqrt(dx * dx + dy * dy);
}

/// Least distance between locations of two parts (guard is none), by all pairs.
double brute_force_distance(const std::vector<SplitLocation>& locations, const std::vector<SplitAssignment>& of, bool train_test_only) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t a = 0; a < locations.size(); ++a)
    for (std::size_t b = a + 1; b < locations.size(); ++b) {
      if (of[a].part == of[b].part || of[a].part == "guard" || of[b].part == "guard") continue;
      if (train_test_only && (of[a].part == "val" || of[b].part == "val")) continue;
      least = std::min(least, box_distance(locations[a].box, locations[b].box));
    }
  return least;
}

TEST(SplitByBlock, PartsAreAtLeastTheGuardApart) {
  const auto locations = field(40, 40);
  for (const double guard_m : {50.0, 200.0, 700.0}) {
    const auto split = split_locations(locations, {.block_m = 2000, .guard_m = guard_m, .seed = 3});
    EXPECT_GE(brute_force_distance(locations, split.of, false), guard_m) << guard_m;
    EXPECT_EQ(split.report.min_train_test_m, brute_force_distance(locations, split.of, true));
    EXPECT_EQ(split.report.overlapping_pairs, 0);
    EXPECT_EQ(split.report.train + split.report.val + split.report.test + split.report.guard, 1600);
  }
}

/// Locations of the field whose block shows a class in a few places only.
std::vector<std::vector<int>> shown_in(const std::vector<SplitLocation>& locations, unsigned seed) {
  std::mt19937 random(seed);
  std::map<std::pair<std::int64_t, std::int64_t>, std::vector<int>> of_block;
  std::vector<std::vector<int>> classes;
  for (const auto& location : locations) {
    const auto key = block_key(location, 2000);
    const auto [place, is_new] = of_block.try_emplace({key.x, key.y});
    if (is_new)
      for (const auto& [one, odds] : {std::pair{0, 2U}, {1, 5U}, {2, 12U}})
        if (random() % odds == 0) place->second.push_back(one);
    classes.push_back(place->second);
  }
  return classes;
}

/// Largest distance of a part's share of a class from the wanted fraction.
double worst_share(const std::vector<std::vector<int>>& classes, const std::vector<SplitAssignment>& of, const SplitConfig& config) {
  double worst = 0;
  for (const int one : {0, 1, 2}) {
    std::map<std::string, double> count;
    double all = 0;
    for (std::size_t n = 0; n < of.size(); ++n)
      if (std::ranges::find(classes[n], one) != classes[n].end()) ++count[of[n].part], ++all;
    for (const auto& [part, fraction] : {std::pair{"train", config.train}, {"val", config.val}, {"test", config.test}}) worst = std::max(worst, std::abs(count[part] / all - fraction));
  }
  return worst;
}

TEST(SplitByBlock, StratifiedBlocksHoldEachClassInTheWantedShares) {
  const auto locations = field(60, 60);
  double hashed = 0, stratified = 0;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    const auto classes = shown_in(locations, seed);
    SplitConfig config{.block_m = 2000, .seed = seed};
    hashed = std::max(hashed, worst_share(classes, split_locations(locations, config).of, config));
    config.given = stratified_blocks(locations, classes, config);
    const auto split = split_locations(locations, config);
    stratified = std::max(stratified, worst_share(classes, split.of, config));
    EXPECT_EQ(split.report.guard, 0);
  }
  EXPECT_LT(stratified, 0.12);
  EXPECT_GT(hashed, 0.3) << "a case that is easy shows nothing";
}

TEST(SplitByBlock, StratificationHasNoOrderAndGuardsHold) {
  auto locations = field(40, 40);
  auto classes = shown_in(locations, 4);
  SplitConfig config{.block_m = 2000, .guard_m = 200, .seed = 3};
  config.given = stratified_blocks(locations, classes, config);
  const auto split = split_locations(locations, config);
  EXPECT_GE(brute_force_distance(locations, split.of, false), 200);
  std::reverse(locations.begin(), locations.end());
  std::reverse(classes.begin(), classes.end());
  EXPECT_EQ(stratified_blocks(locations, classes, config), config.given);
}

TEST(SplitByBlock, GivenBlocksStayAndNewOnesAreHashed) {
  const auto all = field(40, 40);
  const std::vector<SplitLocation> some(all.begin(), all.begin() + 800);
  SplitConfig config{.block_m = 1500, .seed = 11};
  config.given = stratified_blocks(some, shown_in(some, 2), config);
  const auto before = split_locations(some, config), after = split_locations(all, config);
  for (std::size_t n = 0; n < all.size(); ++n) {
    const auto key = block_key(all[n], config.block_m);
    if (n < some.size()) {
      EXPECT_EQ(after.of[n].part, before.of[n].part);
    } else if (!config.given.contains(key)) {
      EXPECT_EQ(after.of[n].part, part_of_block(key.epsg, key.x, key.y, config));
    }
  }
}

TEST(SplitByBlock, StratificationGivesNothingToAPartOfNoShare) {
  const auto locations = field(40, 40);
  SplitConfig config{.block_m = 1500, .train = 0.8, .val = 0, .test = 0.2, .seed = 1};
  for (const auto& [key, part] : stratified_blocks(locations, shown_in(locations, 6), config)) ASSERT_NE(part, "val");
}

TEST(SplitByBlock, NewLocationsMoveNoOldOnes) {
  const auto all = field(40, 40);
  const SplitConfig config{.block_m = 1500, .guard_m = 100, .seed = 11, .folds = 4};
  const auto whole = split_locations(all, config);
  std::mt19937 random(1);
  std::vector<SplitLocation> some;
  std::vector<std::size_t> index;
  for (std::size_t n = 0; n < all.size(); ++n)
    if (random() % 2 == 0) some.push_back(all[n]), index.push_back(n);
  const auto half = split_locations(some, config);
  for (std::size_t n = 0; n < some.size(); ++n) {
    EXPECT_EQ(half.of[n].part, whole.of[index[n]].part);
    EXPECT_EQ(half.of[n].fold, whole.of[index[n]].fold);
  }
}

/// Windows of any size anywhere, some of them over each other.
std::vector<SplitLocation> random_world(std::mt19937& random) {
  std::vector<SplitLocation> locations;
  const int count = 20 + static_cast<int>(random() % 40);
  for (int n = 0; n < count; ++n) {
    const double size = 80 + 20.0 * (random() % 20);
    locations.push_back(location_at(400000 + 10.0 * (random() % 1200), 5000000 + 10.0 * (random() % 1200), size));
    locations.back().location_id += "_" + std::to_string(n);
  }
  return locations;
}

TEST(SplitByBlock, AThousandRandomWorldsKeepTheirDistanceAndNewDataMoveNothing) {
  std::mt19937 random(20261128);
  int worlds = 0, guarded = 0;
  for (int trial = 0; worlds < 1000; ++trial) {
    ASSERT_LT(trial, 3000) << "too many worlds leave a part empty";
    const auto all = random_world(random);
    const SplitConfig config{.block_m = 500 + 100.0 * (random() % 10), .guard_m = 10.0 * (1 + random() % 20), .train = 0.6, .val = 0.2, .test = 0.2, .seed = random()};
    std::vector<SplitLocation> some;
    std::vector<std::size_t> index;
    for (std::size_t n = 0; n < all.size(); ++n)
      if (random() % 4 != 0) some.push_back(all[n]), index.push_back(n);
    try {
      const auto whole = split_locations(all, config), part = split_locations(some, config);
      ++worlds;
      guarded += whole.report.guard > 0;
      ASSERT_GE(brute_force_distance(all, whole.of, false), config.guard_m) << "trial " << trial;
      ASSERT_DOUBLE_EQ(whole.report.min_train_test_m, brute_force_distance(all, whole.of, true)) << "trial " << trial;
      ASSERT_EQ(whole.report.overlapping_pairs, 0);
      for (std::size_t n = 0; n < some.size(); ++n) ASSERT_EQ(part.of[n].part, whole.of[index[n]].part) << "trial " << trial << ", " << some[n].location_id;
    } catch (const Error& error) {
      ASSERT_THAT(error.what(), HasSubstr("no location")) << "trial " << trial;
    }
  }
  EXPECT_GT(guarded, 900) << "worlds without a guarded location show little";
}

TEST(SplitByBlock, FractionsHoldInExpectationAndTheSeedMatters) {
  const SplitConfig config{.seed = 5};
  std::map<std::string, int> count;
  int differs = 0;
  for (int x = 0; x < 200; ++x)
    for (int y = 0; y < 200; ++y) {
      ++count[part_of_block(32632, x, y, config)];
      differs += part_of_block(32632, x, y, config) != part_of_block(32632, x, y, {.seed = 6}) ? 1 : 0;
    }
  EXPECT_NEAR(count["train"] / 40000.0, 0.7, 0.01);
  EXPECT_NEAR(count["val"] / 40000.0, 0.15, 0.01);
  EXPECT_NEAR(count["test"] / 40000.0, 0.15, 0.01);
  EXPECT_GT(differs, 10000);
}

TEST(SplitByBlock, FoldsAreEvenAndFixed) {
  std::vector<int> count(4, 0);
  for (int x = 0; x < 100; ++x)
    for (int y = 0; y < 100; ++y) ++count[static_cast<std::size_t>(fold_of_block(32632, x, y, {.folds = 4}))];
  for (const int n : count) EXPECT_NEAR(n, 2500, 200);
}

TEST(SplitByBlock, OverlappingWindowsAreNeverSeparatedWithoutAGuard) {
  std::vector<SplitLocation> locations;
  for (int n = 0; n < 120; ++n) locations.push_back(location_at(500000 + n * 200, 5000000, 320));
  const auto split = split_locations(locations, {.block_m = 900, .seed = 2});
  EXPECT_EQ(split.report.overlapping_pairs, 0);
  for (std::size_t n = 0; n + 1 < locations.size(); ++n) {
    const auto &a = split.of[n].part, &b = split.of[n + 1].part;
    EXPECT_TRUE(a == b || a == "guard" || b == "guard");
  }
}

TEST(SplitByBlock, BlocksOfBothZonesCountNearTheirBorder) {
  // Windows of zones 32 and 33 in strips along 12 degrees east, 45 degrees north.
  std::vector<SplitLocation> locations;
  const auto west = geometry::Transform(geometry::wgs84(), geometry::Crs::from_epsg(32632))({11.998, 45.0});
  const auto east = geometry::Transform(geometry::wgs84(), geometry::Crs::from_epsg(32633))({12.002, 45.0});
  for (int n = 0; n < 200; ++n) {
    locations.push_back(location_at(std::floor(west->x) - 300, std::floor(west->y) + n * 320, 320, 32632));
    locations.push_back(location_at(std::floor(east->x), std::floor(east->y) + n * 320, 320, 32633));
  }
  const auto split = split_locations(locations, {.block_m = 2500, .guard_m = 100, .train = 0.4, .val = 0.3, .test = 0.3, .seed = 4});
  for (std::size_t a = 0; a < locations.size(); ++a)
    for (std::size_t b = 0; b < locations.size(); ++b) {
      if (locations[a].epsg == locations[b].epsg || split.of[a].part == split.of[b].part || split.of[a].part == "guard" || split.of[b].part == "guard") continue;
      double least = std::numeric_limits<double>::infinity();
      for (const auto& p : locations[a].geom[0].outer)
        for (const auto& q : locations[b].geom[0].outer) least = std::min(least, geometry::geodesic_distance_m(p, q));
      EXPECT_GE(least, 99.5) << locations[a].location_id << " " << locations[b].location_id;
    }
  EXPECT_GT(split.report.train, 0);
}

TEST(SplitByAcquisition, NoSceneIsShared) {
  const auto locations = field(80, 10);
  const auto split = split_locations(locations, {.unit = SplitUnit::acquisition, .train = 0.5, .val = 0.25, .test = 0.25, .seed = 8});
  std::map<std::string, std::set<std::string>> parts_of_tile;
  for (std::size_t n = 0; n < locations.size(); ++n) parts_of_tile[locations[n].tile_ids[0]].insert(split.of[n].part);
  for (const auto& [tile, parts] : parts_of_tile) EXPECT_EQ(parts.size(), 1U) << tile;
  EXPECT_EQ(split.report.shared_scene_frac, 0);
}

TEST(SplitByAcquisition, OneSceneCannotBeSeparatedAndTheErrorSaysSo) {
  try {
    (void)split_locations(field(5, 5), {.unit = SplitUnit::acquisition});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("25 locations"));
    EXPECT_THAT(error.what(), HasSubstr("unit: block"));
  }
}

TEST(SplitByComponent, ComponentsStayWhole) {
  const auto locations = field(120, 4);
  const auto split = split_locations(locations, {.unit = SplitUnit::component, .train = 0.5, .val = 0, .test = 0.5, .seed = 1});
  std::map<int, std::set<std::string>> parts;
  for (std::size_t n = 0; n < locations.size(); ++n) parts[locations[n].components[0]].insert(split.of[n].part);
  for (const auto& [component, found] : parts) EXPECT_EQ(found.size(), 1U) << component;
}

TEST(Split, EmptyPartIsAnErrorWithNumbers) {
  try {
    (void)split_locations(field(3, 3), {.block_m = 100000, .seed = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed) << "seen while the stage runs";
    EXPECT_THAT(error.what(), HasSubstr("of 9 locations"));
  }
}

TEST(SplitAudit, SeesLeaksOfAForeignSplit) {
  const std::vector<SplitLocation> locations = {location_at(500000, 5000000, 320), location_at(500200, 5000000, 320), location_at(502000, 5000000, 320)};
  auto with_tiles = locations;
  with_tiles[0].tile_ids = with_tiles[2].tile_ids = {"s-1"};
  const std::vector<SplitAssignment> of = {{"train", {}}, {"test", {}}, {"test", {}}};
  const auto report = audit_split(with_tiles, of);
  EXPECT_EQ(report.overlapping_pairs, 1);
  EXPECT_EQ(report.min_train_test_m, 0);
  EXPECT_EQ(report.shared_scene_frac, 0.5);
}

/// The earlier part of each location, by id.
void keep(std::vector<SplitLocation>& locations, const std::vector<SplitLocation>& before, const Split& split) {
  std::map<std::string, SplitAssignment> of;
  for (std::size_t n = 0; n < before.size(); ++n) of[before[n].location_id] = split.of[n];
  for (auto& location : locations)
    if (const auto found = of.find(location.location_id); found != of.end()) location.earlier = found->second;
}

TEST(SplitByGroup, ASceneThatJoinsGroupsTearsNone) {
  const auto before = field(200, 3);  // 20 scenes of ten columns
  const SplitConfig config{.unit = SplitUnit::acquisition, .train = 0.5, .val = 0, .test = 0.5, .seed = 5, .folds = 3};
  const auto first = split_locations(before, config);
  auto now = before;
  for (std::size_t n = 0; n < now.size(); ++n)
    if (n % 30 < 3) now[n].tile_ids.push_back("a-joins-all");  // a smaller id, seen by every group
  auto extra = location_at(900000, 5000000, 320);
  extra.tile_ids = {"a-joins-all"};
  now.push_back(extra);
  auto lonely = location_at(950000, 5000000, 320);
  lonely.tile_ids = {"z-alone"};
  now.push_back(lonely);
  auto grown = location_at(960000, 5000000, 320);
  grown.tile_ids = {"s-7"};
  keep(now, before, first);
  const auto second = split_locations(now, config);
  for (std::size_t n = 0; n < before.size(); ++n) EXPECT_EQ(second.of[n], first.of[n]) << n;
  EXPECT_EQ(second.of[before.size()].part, "guard");
  EXPECT_EQ(second.report.torn_groups, 1);
  EXPECT_NE(second.of[before.size() + 1].part, "guard");
  // A group that one part has gives it to its new members.
  auto calm = before;
  calm.push_back(grown);
  keep(calm, before, first);
  const auto third = split_locations(calm, config);
  EXPECT_EQ(third.report.torn_groups, 0);
  EXPECT_EQ(third.of.back().part, first.of[7 * 30].part);
  EXPECT_EQ(third.of.back().fold, first.of[7 * 30].fold);
}

TEST(SplitByBlock, AnEarlierPartStaysThoughANewZoneComesNear) {
  auto locations = field(10, 10);
  for (auto& location : locations) location.earlier = SplitAssignment{"val", 1};
  locations[3].earlier.reset();
  const auto split = split_locations(locations, {.block_m = 1500, .guard_m = 100, .train = 0, .val = 1, .test = 0});
  for (std::size_t n = 0; n < locations.size(); ++n)
    if (n != 3) { EXPECT_EQ(split.of[n], (SplitAssignment{"val", 1})); }
}

}  // namespace
}  // namespace tilewright::index
