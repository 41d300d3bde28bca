// SPDX-License-Identifier: Apache-2.0
// The sweep against all pairs, and on what fills every cell of a grid.
#include "geometry/plane_sweep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tilewright::geometry {
namespace {

/// Edges between points of a small lattice: many meet at ends, in their middles, lie on each other
/// or stand upright.
std::vector<GridEdge> random_edges(std::mt19937& random, int count, int side) {
  std::vector<GridEdge> edges;
  const auto point = [&] {
    return GridPoint{static_cast<std::int64_t>(random()) % side,
                     static_cast<std::int64_t>(random()) % side};
  };
  while (static_cast<int>(edges.size()) < count) {
    const GridEdge edge = directed(point(), point(), 1, 0);
    const bool is_new = std::ranges::none_of(
        edges, [&](const GridEdge& e) { return e.a == edge.a && e.b == edge.b; });
    if (edge.a != edge.b && is_new) edges.push_back({edge.a, edge.b, 1, 0});
  }
  return edges;
}

TEST(PlaneSweep, SaysOfEverySetWhatAllPairsSay) {
  std::mt19937 random(5);
  int planar = 0;
  constexpr int kSets = 40'000;
  for (int k = 0; k < kSets; ++k) {
    const auto edges = random_edges(random, 2 + k % 7, k % 3 == 0 ? 4 : 12);
    const bool expected = node(edges).was_planar;  // few edges: all pairs are looked at
    ASSERT_EQ(meet_at_ends_only(edges), expected) << "set " << k;
    planar += expected ? 1 : 0;
  }
  EXPECT_GT(planar, kSets / 10);
  EXPECT_LT(planar, kSets * 9 / 10);
}

TEST(PlaneSweep, OneMeetingAmongManyEdgesIsFound) {
  std::mt19937 random(6);
  for (int k = 0; k < 60; ++k) {
    constexpr std::int64_t kUnit = std::int64_t{1} << 34;
    std::vector<GridEdge>
        fan;  // rays that part at the origin, then one that crosses or touches some of them
    for (std::int64_t ray = 0; ray < 300; ++ray)
      fan.push_back({{0, 0}, {1000 * kUnit, 10 * kUnit * ray}, 1, 0});
    EXPECT_TRUE(meet_at_ends_only(fan));
    const auto ray = static_cast<std::int64_t>(random() % 299);
    fan.push_back(
        k % 2 == 0
            ? GridEdge{{500 * kUnit, 5 * kUnit * ray}, {600 * kUnit, kUnit * (6 * ray + 3)}, 1, 0}
            : GridEdge{{500 * kUnit, kUnit * (5 * ray + 2)},
                       {700 * kUnit, kUnit * (7 * ray - 1)},
                       1,
                       0});
    EXPECT_FALSE(meet_at_ends_only(fan)) << k;
  }
}

}  // namespace
}  // namespace tilewright::geometry
