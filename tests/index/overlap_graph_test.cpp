// SPDX-License-Identifier: Apache-2.0
// The overlap graph equals brute force, for any order and number of threads.
#include "index/overlap_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <random>

namespace tilewright::index {
namespace {

using geometry::Box;
using geometry::GeoMultiPolygon;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

Pairs brute_force(const std::vector<Box>& boxes) {
  Pairs pairs;
  for (std::uint32_t a = 0; a < boxes.size(); ++a)
    for (std::uint32_t b = a + 1; b < boxes.size(); ++b)
      if (boxes[a].min_x <= boxes[b].max_x && boxes[b].min_x <= boxes[a].max_x && boxes[a].min_y <= boxes[b].max_y && boxes[b].min_y <= boxes[a].max_y)
        pairs.emplace_back(a, b);
  return pairs;
}

TEST(TouchingPairs, EqualBruteForceForAllSizesAndShapes) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::uniform_real_distribution<double> place(-100, 100), exponent(-4, round % 5);
    std::vector<Box> boxes(static_cast<std::size_t>(random() % 120));
    for (auto& box : boxes) {
      const double x = std::round(place(random)), y = std::round(place(random));  // many exact touches
      const double w = round % 3 == 0 ? std::round(std::exp(exponent(random))) : std::exp(exponent(random));
      const double h = round % 2 == 0 ? w : std::exp(exponent(random));
      box = {x, y, x + w, y + h};
    }
    EXPECT_EQ(touching_pairs(boxes), brute_force(boxes)) << "round " << round;
  }
}

TEST(TouchingPairs, EmptyAndNonFiniteBoxesMeetNothing) {
  const double nan = std::nan("");
  const std::vector<Box> boxes = {{0, 0, 1, 1}, {}, {nan, 0, 1, 1}, {0, 0, std::numeric_limits<double>::infinity(), 1}, {1, 1, 2, 2}};
  EXPECT_EQ(touching_pairs(boxes), (Pairs{{0, 4}}));
  EXPECT_TRUE(touching_pairs({}).empty());
  const std::vector<Box> points(3, Box{5, 5, 5, 5});
  EXPECT_EQ(touching_pairs(points).size(), 3U);
}

TEST(TouchingPairs, HundredThousandBoxesAreFast) {
  std::mt19937 random(2);
  std::uniform_real_distribution<double> place(0, 1000), size(0.5, 8);
  std::vector<Box> boxes(100'000);
  for (auto& box : boxes) {
    const double x = place(random), y = place(random);
    box = {x, y, x + size(random), y + size(random)};
  }
  const auto start = std::chrono::steady_clock::now();
  const auto pairs = touching_pairs(boxes);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  RecordProperty("join_s", std::to_string(taken.count()));
  EXPECT_GT(pairs.size(), 100'000U);
  EXPECT_LT(taken.count(), 5.0);
}

/// Counter-clockwise quad around a centre, turned by an angle.
GeoMultiPolygon quad(double lon, double lat, double size, double angle) {
  geometry::GeoPolygon polygon;
  for (const auto& [dx, dy] : {std::pair{-1, -1}, {1, -1}, {1, 1}, {-1, 1}, {-1, -1}})
    polygon.outer.push_back({lon + size * (dx * std::cos(angle) - dy * std::sin(angle)), lat + size * (dx * std::sin(angle) + dy * std::cos(angle))});
  return {polygon};
}

std::vector<Footprint> random_footprints(int count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> place(0, 4), size(0.1, 0.4), angle(-0.2, 0.2);
  std::vector<Footprint> footprints;
  for (int n = 0; n < count; ++n)
    footprints.push_back({"t-" + std::to_string(1000 + n * 7 % count), quad(10 + place(random), 45 + place(random), size(random), angle(random)),
                          n % 5 == 0 ? Timestamp() : Timestamp("2020-01-" + std::to_string(10 + n % 20) + "T12:00:00.000Z")});
  return footprints;
}

TEST(OverlapGraph, EqualsAllPairsByIntersection) {
  const auto footprints = random_footprints(60, 5);
  const auto graph = build_overlap_graph(footprints, 2);
  std::size_t expected = 0;
  for (const auto& a : footprints) {
    for (const auto& b : footprints) {
      if (!(a.tile_id < b.tile_id)) continue;
      const double area = geometry::geodesic_area_m2(geometry::intersection(a.geom, b.geom));
      const double area_a = geometry::geodesic_area_m2(a.geom), area_b = geometry::geodesic_area_m2(b.geom);
      if (area <= 1e-9 * std::min(area_a, area_b)) continue;
      ++expected;
      const auto edge = std::ranges::find_if(graph.edges, [&](const auto& e) { return e.tile_a == a.tile_id && e.tile_b == b.tile_id; });
      ASSERT_NE(edge, graph.edges.end()) << a.tile_id << " " << b.tile_id;
      EXPECT_EQ(edge->area_m2, area);
      EXPECT_DOUBLE_EQ(edge->frac_a, area / area_a);
      EXPECT_DOUBLE_EQ(edge->frac_b, area / area_b);
      EXPECT_EQ(edge->days_apart, days_apart(a.acquired, b.acquired));
    }
  }
  EXPECT_EQ(graph.edges.size(), expected);
  EXPECT_GT(expected, 20U);
  EXPECT_TRUE(std::ranges::is_sorted(graph.edges, {}, [](const auto& e) { return std::pair(e.tile_a, e.tile_b); }));
}

TEST(OverlapGraph, DoesNotDependOnOrderAndThreads) {
  auto footprints = random_footprints(80, 6);
  const auto first = build_overlap_graph(footprints, 1);
  std::map<std::string, int> component;
  for (std::size_t n = 0; n < footprints.size(); ++n) component[footprints[n].tile_id] = first.component_of[n];
  std::mt19937 random(9);
  for (const int threads : {1, 2, 4}) {
    std::ranges::shuffle(footprints, random);
    const auto again = build_overlap_graph(footprints, threads);
    ASSERT_EQ(again.edges.size(), first.edges.size());
    for (std::size_t n = 0; n < first.edges.size(); ++n) {
      EXPECT_EQ(again.edges[n].tile_a, first.edges[n].tile_a);
      EXPECT_EQ(again.edges[n].area_m2, first.edges[n].area_m2);
    }
    for (std::size_t n = 0; n < footprints.size(); ++n) EXPECT_EQ(again.component_of[n], component[footprints[n].tile_id]);
  }
}

TEST(OverlapGraph, ComponentsAreWhatEdgesReachNumberedBySmallestId) {
  const auto footprints = random_footprints(80, 7);
  const auto graph = build_overlap_graph(footprints, 2);
  std::map<std::string, int> label;  // flood to a fixed point
  int next = 0;
  for (const auto& footprint : footprints) label[footprint.tile_id] = next++;
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& edge : graph.edges) {
      const int low = std::min(label[edge.tile_a], label[edge.tile_b]);
      for (const auto& tile : {edge.tile_a, edge.tile_b})
        if (label[tile] != low) label[tile] = low, changed = true;
    }
  }
  std::map<int, int> number;
  for (const auto& [tile, root] : label) number.emplace(root, static_cast<int>(number.size()) + 1);
  for (std::size_t n = 0; n < footprints.size(); ++n) EXPECT_EQ(graph.component_of[n], number[label[footprints[n].tile_id]]);
}

TEST(OverlapGraph, TouchingIsNoOverlapAndSplitFootprintsMeetOnBothSides) {
  const std::vector<Footprint> footprints = {
      {"a", quad(0, 0, 1, 0), {}}, {"b", quad(2, 0, 1, 0), {}},
      {"c", {quad(179.5, 0, 0.5, 0)[0], quad(-179.5, 0, 0.5, 0)[0]}, {}}, {"d", quad(-179.2, 0, 0.4, 0), {}}, {"e", quad(179.3, 0, 0.3, 0), {}}};
  const auto graph = build_overlap_graph(footprints, 1);
  ASSERT_EQ(graph.edges.size(), 2U);
  EXPECT_EQ(graph.edges[0].tile_b, "d");
  EXPECT_EQ(graph.edges[1].tile_b, "e");
  EXPECT_EQ(graph.component_of, (std::vector<int>{1, 2, 3, 3, 3}));
}

TEST(DaysApart, CountsFractionsOfDaysAndNeedsBothDates) {
  EXPECT_EQ(days_apart("2020-02-28T00:00:00.000Z", "2020-03-01T12:00:00.000Z"), 2.5);
  EXPECT_EQ(days_apart("2020-03-01T12:00:00.000Z", "2020-02-28T00:00:00.000Z"), 2.5);
  EXPECT_FALSE(days_apart(std::nullopt, "2020-01-01T00:00:00.000Z"));
  EXPECT_FALSE(days_apart("2020-02-31T00:00:00.000Z", "2020-01-01T00:00:00.000Z"));
}

}  // namespace
}  // namespace tilewright::index
