// SPDX-License-Identifier: Apache-2.0
// Masks and their outlines, against per-pixel loops.
#include "geometry/bitmask.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "geometry/polygon.h"

namespace tilewright::geometry {
namespace {

Bitmask random_mask(std::mt19937& random, int width, int height, double share) {
  Bitmask mask(width, height);
  std::bernoulli_distribution is_set(share);
  for (int row = 0; row < height; ++row)
    for (int col = 0; col < width; ++col) mask.set(col, row, is_set(random));
  return mask;
}

TEST(Bitmask, ReadsWhatTheReaderSees) {
  const Bitmask mask = bitmask_from_ascii(R"(
      ..##
      .##.)");
  EXPECT_EQ(mask.width(), 4);
  EXPECT_EQ(mask.height(), 2);
  EXPECT_EQ(mask.count(), 4);
  EXPECT_TRUE(mask.get(2, 0));
  EXPECT_FALSE(mask.get(0, 1));
}

TEST(Bitmask, RunsEqualSinglePixels) {
  std::mt19937 random(3);
  for (int k = 0; k < 300; ++k) {
    const int width = 1 + static_cast<int>(random() % 200);
    Bitmask a(width, 2, k % 2 == 0), b = a;
    const int from = static_cast<int>(random() % width);
    const int to = from + static_cast<int>(random() % (width - from + 1));
    a.set_run(from, to, 1, k % 3 != 0);
    for (int col = from; col < to; ++col) b.set(col, 1, k % 3 != 0);
    ASSERT_EQ(a, b);
  }
}

TEST(Bitmask, ErosionAndAnchorsEqualBruteForce) {
  std::mt19937 random(5);
  for (int k = 0; k < 60; ++k) {
    const int width = 1 + static_cast<int>(random() % 150), height = 1 + static_cast<int>(random() % 40);
    const Bitmask mask = random_mask(random, width, height, 0.97);
    const int size = 1 + static_cast<int>(random() % 9);
    const auto full = [&](int col, int row, int edge) {
      for (int r = row; r < row + edge; ++r)
        for (int c = col; c < col + edge; ++c)
          if (r < 0 || c < 0 || r >= height || c >= width || !mask.get(c, r)) return false;
      return true;
    };
    const Bitmask anchors = window_anchors(mask, size), inner = eroded(mask, size / 2);
    ASSERT_EQ(anchors.empty(), size > width || size > height);
    for (int row = 0; row < height; ++row)
      for (int col = 0; col < width; ++col) {
        if (col < anchors.width() && row < anchors.height()) {
          ASSERT_EQ(anchors.get(col, row), full(col, row, size));
        }
        ASSERT_EQ(inner.get(col, row), full(col - size / 2, row - size / 2, size / 2 * 2 + 1));
      }
  }
}

TEST(Bitmask, AndOrWorkPixelByPixel) {
  const Bitmask a = bitmask_from_ascii("##..#"), b = bitmask_from_ascii("#.#.#");
  EXPECT_EQ(a & b, bitmask_from_ascii("#...#"));
  EXPECT_EQ(a | b, bitmask_from_ascii("###.#"));
}

MapMultiPolygon in_map(const Bitmask& mask) {
  return map_from_pixel({1, 0, 0, 0, -1, 0}, outline(mask));
}

TEST(Outline, OfASquareHasFourCorners) {
  const auto polygons = outline(bitmask_from_ascii("....\n.##.\n.##.\n...."));
  ASSERT_EQ(polygons.size(), 1U);
  EXPECT_EQ(polygons[0].outer.size(), 5U);
  EXPECT_TRUE(polygons[0].holes.empty());
}

TEST(Outline, KeepsHolesAndPartsPixelsThatTouchDiagonally) {
  const auto ring = outline(bitmask_from_ascii("###\n#.#\n###"));
  ASSERT_EQ(ring.size(), 1U);
  EXPECT_EQ(ring[0].holes.size(), 1U);
  EXPECT_EQ(outline(bitmask_from_ascii("#.\n.#")).size(), 2U);
  const auto touching_holes = outline(bitmask_from_ascii("####\n#.##\n##.#\n####"));
  ASSERT_EQ(touching_holes.size(), 1U);
  EXPECT_EQ(touching_holes[0].holes.size(), 1U) << "background is 8-connected";
}

TEST(Outline, HoldsExactlyTheSetPixels) {
  std::mt19937 random(7);
  for (int k = 0; k < 150; ++k) {
    const int width = 1 + static_cast<int>(random() % 80), height = 1 + static_cast<int>(random() % 20);
    const Bitmask mask = random_mask(random, width, height, 0.1 + 0.2 * (k % 5));
    const MapMultiPolygon polygons = in_map(mask);
    ASSERT_EQ(planar_area(polygons), static_cast<double>(mask.count()));
    for (int row = 0; row < height; ++row)
      for (int col = 0; col < width; ++col)
        ASSERT_EQ(contains(polygons, {col + 0.5, -row - 0.5}), mask.get(col, row));
    // Holes belong to the polygon around them, and all rings are oriented and simple.
    const GatedPolygons gated = gate(polygons);
    ASSERT_NE(gated.outcome, Gate::rejected) << gated.reason;
    for (const MapPolygon& polygon : polygons)
      for (const auto& hole : polygon.holes)
        ASSERT_TRUE(contains({MapPolygon{polygon.outer, {}}}, {hole[0].x + 0.5, hole[0].y - 0.5}));
  }
}

TEST(Outline, OfALargeMaskIsFast) {
  Bitmask mask(8000, 8000, true);
  for (int row = 0; row < 8000; ++row) mask.set_run(0, row / 4, row, false);
  for (int row = 100; row < 7900; row += 40)
    for (int col = 4000; col < 7900; col += 40) mask.set_run(col, col + 9, row, false);
  const auto start = std::chrono::steady_clock::now();
  const auto polygons = outline(mask);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  ASSERT_EQ(polygons.size(), 1U);
  EXPECT_EQ(planar_area(map_from_pixel({1, 0, 0, 0, -1, 0}, polygons)),
            static_cast<double>(mask.count()));
  EXPECT_LT(seconds.count(), 2.0);
}

}  // namespace
}  // namespace tilewright::geometry
