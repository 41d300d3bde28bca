// SPDX-License-Identifier: Apache-2.0
// The overlap graph equals brute force, for any order and number of threads.
#include "index/overlap_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>

namespace tilewright::index {
namespace {

using geometry::GeoMultiPolygon;

/// Counter-clockwise quad around a centre, turned by an angle.
GeoMultiPolygon quad(double lon, double lat, double size, double angle) {
  geometry::GeoPolygon polygon;
  for (const auto& [dx, dy] : {std::pair{-1, -1}, {1, -1}, {1, 1}, {-1, 1}, {-1, -1}})
    polygon.outer.push_back({lon + size * (dx * std::cos(angle) - dy * std::sin(angle)), lat + size * (dx * std::sin(angle) + dy * std::cos(angle))});
  return {polygon};
}

struct Tile {
  std::string tile_id;
  GeoMultiPolygon geom;
  Timestamp acquired;
};

std::vector<Tile> random_tiles(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> place(0, 4), size(0.1, 0.4), angle(-0.2, 0.2);
  std::vector<Tile> tiles;
  for (int n = 0; n < count; ++n)
    tiles.push_back({"t-" + std::to_string(1000 + n * 7 % count), quad(10 + place(random), 45 + place(random), size(random), angle(random)),
                     n % 5 == 0 ? Timestamp() : Timestamp("2020-01-" + std::to_string(10 + n % 20) + "T12:00:00.000Z")});
  return tiles;
}

OverlapGraph graph_of(const std::vector<Tile>& tiles, int threads, const GraphLimits& limits = {}) {
  std::vector<Footprint> footprints;
  for (const auto& tile : tiles) footprints.push_back(footprint_of(tile.tile_id, tile.geom, tile.acquired));
  return {std::move(footprints), threads, limits};
}

std::vector<OverlapRow> rows_of(const OverlapGraph& graph) {
  std::vector<OverlapRow> rows;
  graph.each_row([&](const OverlapRow& row) { rows.push_back(row); });
  EXPECT_EQ(static_cast<std::int64_t>(rows.size()), graph.row_count());
  return rows;
}

std::map<std::string, int> components_of(const OverlapGraph& graph) {
  std::map<std::string, int> components;
  for (std::size_t n = 0; n < graph.tiles().size(); ++n) components[graph.tiles()[n].tile_id] = graph.components()[n];
  return components;
}

using Row = std::tuple<std::string, std::string, double, double, double, std::optional<double>>;
std::vector<Row> values_of(const OverlapGraph& graph) {
  std::vector<Row> values;
  for (const auto& row : rows_of(graph)) values.emplace_back(row.tile_a, row.tile_b, row.area_m2, row.frac_a, row.frac_b, row.days_apart);
  return values;
}

/// The general overlay and PROJ's geodesic area, pair by pair.
std::map<std::pair<std::string, std::string>, double> all_overlaps(const std::vector<Tile>& tiles) {
  std::map<std::pair<std::string, std::string>, double> found;
  for (const auto& a : tiles) {
    for (const auto& b : tiles) {
      if (!(a.tile_id < b.tile_id)) continue;
      const double area = geometry::geodesic_area_m2(geometry::intersection(a.geom, b.geom));
      if (area > 1e-9 * std::min(geometry::geodesic_area_m2(a.geom), geometry::geodesic_area_m2(b.geom))) found[{a.tile_id, b.tile_id}] = area;
    }
  }
  return found;
}

TEST(OverlapGraph, EqualsAllPairsByIntersection) {
  const auto tiles = random_tiles(60, 5);
  const auto rows = rows_of(graph_of(tiles, 2));
  const auto expected = all_overlaps(tiles);
  EXPECT_GT(expected.size(), 20U);
  ASSERT_EQ(rows.size(), expected.size());
  std::map<std::string, const Tile*> by_id;
  for (const auto& tile : tiles) by_id[tile.tile_id] = &tile;
  for (const auto& row : rows) {
    const auto found = expected.find({row.tile_a, row.tile_b});
    ASSERT_NE(found, expected.end()) << row.tile_a << " " << row.tile_b;
    const Tile &a = *by_id[row.tile_a], &b = *by_id[row.tile_b];
    const double area_a = geometry::geodesic_area_m2(a.geom), area_b = geometry::geodesic_area_m2(b.geom);
    EXPECT_NEAR(row.area_m2, found->second, 1e-9 * std::min(area_a, area_b));
    EXPECT_NEAR(row.frac_a, found->second / area_a, 1e-9);
    EXPECT_NEAR(row.frac_b, found->second / area_b, 1e-9);
    EXPECT_EQ(row.days_apart, days_apart(a.acquired, b.acquired));
  }
  EXPECT_TRUE(std::ranges::is_sorted(rows, {}, [](const auto& e) { return std::pair(e.tile_a, e.tile_b); }));
}

TEST(OverlapGraph, DoesNotDependOnOrderAndThreads) {
  auto tiles = random_tiles(80, 6);
  const GraphLimits small{10, 10};
  const auto first = graph_of(tiles, 1), first_small = graph_of(tiles, 1, small);
  std::mt19937 random(9);
  for (const int threads : {1, 2, 4}) {
    std::ranges::shuffle(tiles, random);
    const auto again = graph_of(tiles, threads), again_small = graph_of(tiles, threads, small);
    EXPECT_EQ(values_of(again), values_of(first));
    EXPECT_EQ(components_of(again), components_of(first));
    EXPECT_EQ(values_of(again_small), values_of(first_small));
    EXPECT_EQ(components_of(again_small), components_of(first));
  }
}

TEST(OverlapGraph, ComponentsAreWhatEdgesReachNumberedBySmallestId) {
  const auto tiles = random_tiles(80, 7);
  const auto graph = graph_of(tiles, 2);
  std::map<std::string, int> label;  // flood to a fixed point
  int next = 0;
  for (const auto& tile : tiles) label[tile.tile_id] = next++;
  const auto rows = rows_of(graph);
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& edge : rows) {
      const int low = std::min(label[edge.tile_a], label[edge.tile_b]);
      for (const auto& tile : {edge.tile_a, edge.tile_b})
        if (label[tile] != low) label[tile] = low, changed = true;
    }
  }
  std::map<int, int> number;
  for (const auto& [tile, root] : label) number.emplace(root, static_cast<int>(number.size()) + 1);
  for (const auto& [tile, component] : components_of(graph)) EXPECT_EQ(component, number[label[tile]]);
}

TEST(OverlapGraph, TouchingIsNoOverlapAndSplitFootprintsMeetOnBothSides) {
  const std::vector<Tile> tiles = {
      {"a", quad(0, 0, 1, 0), {}}, {"b", quad(2, 0, 1, 0), {}},
      {"c", {quad(179.5, 0, 0.5, 0)[0], quad(-179.5, 0, 0.5, 0)[0]}, {}}, {"d", quad(-179.2, 0, 0.4, 0), {}}, {"e", quad(179.3, 0, 0.3, 0), {}},
      {"f", quad(90, 0, 1, 0), {}}};  // in the box of c, were it one
  const auto graph = graph_of(tiles, 1);
  const auto rows = rows_of(graph);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].tile_b, "d");
  EXPECT_EQ(rows[1].tile_b, "e");
  EXPECT_EQ(graph.candidate_pairs(), 3);
  EXPECT_EQ(std::vector<int>(graph.components().begin(), graph.components().end()), (std::vector<int>{1, 2, 3, 3, 3, 4}));
}

TEST(OverlapGraph, EqualFootprintsShareOneAreaAndAreAllListed) {
  std::vector<Tile> tiles;
  for (int n = 0; n < 40; ++n) tiles.push_back({"s-" + std::to_string(100 + n), quad(10, 45, 0.2, 0), "2020-01-" + std::to_string(10 + n % 20) + "T00:00:00.000Z"});
  for (int n = 0; n < 30; ++n) tiles.push_back({"r-" + std::to_string(100 + n), quad(10.1, 45.1, 0.2, 0), {}});
  tiles.push_back({"z", {}, {}});  // no ground at all
  tiles.push_back({"zz", {}, {}});
  const auto graph = graph_of(tiles, 2);
  EXPECT_EQ(graph.candidate_pairs(), 1);
  const auto rows = rows_of(graph);
  ASSERT_EQ(rows.size(), 70U * 69U / 2);
  EXPECT_TRUE(std::ranges::is_sorted(rows, {}, [](const auto& e) { return std::pair(e.tile_a, e.tile_b); }));
  const double area = geometry::geodesic_area_m2(tiles[0].geom);
  for (const auto& row : rows) {
    ASSERT_LT(row.tile_a, row.tile_b);
    const bool equal = row.tile_a[0] == row.tile_b[0];
    ASSERT_EQ(row.frac_a == 1 && row.frac_b == 1, equal);
    ASSERT_NEAR(row.area_m2, area, equal && row.tile_a[0] == 's' ? 1e-9 * area : area);
  }
  const auto components = components_of(graph);
  EXPECT_EQ(components.at("r-100"), 1);
  EXPECT_EQ(components.at("s-139"), 1);
  EXPECT_EQ(components.at("z"), 2);
  EXPECT_EQ(components.at("zz"), 3);
}

TEST(OverlapGraph, BeyondItsLimitsItListsWhatHoldsComponentsTogether) {
  std::vector<Tile> tiles;
  std::mt19937 random(3);
  std::uniform_real_distribution<double> jitter(-0.01, 0.01);
  for (int n = 0; n < 300; ++n) {  // three stacks of almost equal tiles, some of them equal
    const double lon = 10 + n % 3, lat = 45 + (n % 2 ? 0.001 : jitter(random));
    tiles.push_back({"t-" + std::to_string(1000 + n), quad(lon, lat, 0.2, 0), {}});
  }
  const auto all = graph_of(tiles, 2);
  EXPECT_TRUE(all.is_complete());
  EXPECT_EQ(all.row_count(), 3 * 100 * 99 / 2);
  for (const GraphLimits limits : {GraphLimits{100, 1'000'000}, GraphLimits{1'000'000, 100}}) {
    const auto graph = graph_of(tiles, 2, limits);
    EXPECT_FALSE(graph.is_complete());
    EXPECT_EQ(components_of(graph), components_of(all));
    std::set<Row> every;
    for (const auto& row : values_of(all)) every.insert(row);
    const auto rows = values_of(graph);
    EXPECT_EQ(rows.size(), 300U - 3U);  // a forest
    for (const auto& row : rows) EXPECT_TRUE(every.contains(row));
  }
}

TEST(DaysApart, CountsFractionsOfDaysAndNeedsBothDates) {
  EXPECT_EQ(days_apart("2020-02-28T00:00:00.000Z", "2020-03-01T12:00:00.000Z"), 2.5);
  EXPECT_EQ(days_apart("2020-03-01T12:00:00.000Z", "2020-02-28T00:00:00.000Z"), 2.5);
  EXPECT_FALSE(days_apart(std::nullopt, "2020-01-01T00:00:00.000Z"));
  EXPECT_FALSE(days_apart("2020-02-31T00:00:00.000Z", "2020-01-01T00:00:00.000Z"));
}

}  // namespace
}  // namespace tilewright::index
