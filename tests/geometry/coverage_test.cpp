// SPDX-License-Identifier: Apache-2.0
// Covered shares of pixels against clipped areas, windows against the mosaic.
#include "geometry/coverage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tilewright::geometry {
namespace {

using Sums = std::vector<std::int64_t>;

Sums covered(const Affine& affine, Window window, const MapMultiPolygon& polygons) {
  Sums sums(static_cast<std::size_t>(window.width * window.height), 0);
  add_coverage({affine, window}, polygons, sums);
  return sums;
}

MapMultiPolygon random_polygon(std::mt19937& random, const Affine& affine, double size) {
  while (true) {
    std::vector<MapXY> points;
    const int corners = 3 + static_cast<int>(random() % 9);
    const auto place = [&] { return random() % 3 == 0 ? static_cast<double>(random() % static_cast<unsigned>(size)) : size * (random() / 4294967296.0); };
    for (int c = 0; c < corners; ++c) points.push_back(affine.map_from_pixel({place(), place()}));
    points.push_back(points.front());
    auto gated = gate({MapPolygon{std::move(points), {}}});
    if (!gated.polygons.empty()) return gated.polygons;
  }
}

double area(const MapMultiPolygon& polygons) {
  double sum = 0;
  const auto ring_area = [](const std::vector<MapXY>& ring) {
    double a = 0;
    for (std::size_t k = 0; k + 1 < ring.size(); ++k) a += (ring[k].x - ring[0].x) * (ring[k + 1].y - ring[0].y) - (ring[k + 1].x - ring[0].x) * (ring[k].y - ring[0].y);
    return a / 2;
  };
  for (const auto& polygon : polygons) {
    sum += ring_area(polygon.outer);
    for (const auto& hole : polygon.holes) sum += ring_area(hole);
  }
  return sum;
}

TEST(Coverage, EqualsTheClippedArea) {
  std::mt19937 random(11);
  for (const Affine affine : {Affine{1, 0, 0, 0, -1, 0}, Affine{0.3, 0, 500000.1, 0, -0.3, 4600000.7}, Affine{0.2, 0.1, 7, 0.1, -0.3, 9},
                              Affine{0.5, 0, -3, 0, 0.5, -20}})
    for (int k = 0; k < 60; ++k) {
      const auto polygons = random_polygon(random, affine, 12);
      const auto sums = covered(affine, {0, 0, 12, 12}, polygons);
      const double pixel = std::abs(affine.a * affine.e - affine.b * affine.d);
      for (int row = 0; row < 12; ++row)
        for (int col = 0; col < 12; ++col) {
          const auto at = [&](double c, double r) { return affine.map_from_pixel({col + c, row + r}); };
          auto square = gate({MapPolygon{{at(0, 0), at(0, 1), at(1, 1), at(1, 0), at(0, 0)}, {}}}).polygons;
          const double share = area(intersection(polygons, square)) / pixel;
          ASSERT_NEAR(static_cast<double>(coverage_of(sums[static_cast<std::size_t>(row * 12 + col)])), share, 1e-6) << k << ": " << col << ", " << row;
        }
    }
}

TEST(Coverage, WindowsEqualTheCutOfTheMosaic) {
  std::mt19937 random(12);
  for (const Affine affine : {Affine{0.3, 0, 500000.1, 0, -0.3, 4600000.7}, Affine{0.2, 0.1, 7, 0.1, -0.3, 9}})
    for (int k = 0; k < 200; ++k) {
      const auto polygons = random_polygon(random, affine, 100);
      const auto whole = covered(affine, {-10, -10, 120, 120}, polygons);
      for (int tile = 0; tile < 4; ++tile) {
        const Window window{-10 + 60 * (tile % 2), -10 + 60 * (tile / 2), 60, 60};
        const auto part = covered(affine, window, polygons);
        for (int row = 0; row < 60; ++row)
          for (int col = 0; col < 60; ++col)
            ASSERT_EQ(part[static_cast<std::size_t>(row * 60 + col)], whole[static_cast<std::size_t>((window.row + 10 + row) * 120 + window.col + 10 + col)]);
      }
    }
}

TEST(Coverage, ATilingCoversEveryPixelOnce) {
  std::mt19937 random(13);
  for (int k = 0; k < 200; ++k) {
    const MapXY centre{1 + random() % 5800 / 200.0, -(1 + random() % 5800 / 200.0)};
    const std::vector<MapXY> rim{{0, -30}, {15.5, -30}, {30, -30}, {30, -7.37}, {30, 0}, {11.1, 0}, {0, 0}, {0, -30}};
    Sums sums(900, 0);
    for (std::size_t t = 0; t + 1 < rim.size(); ++t) add_coverage({{1, 0, 0, 0, -1, 0}, {0, 0, 30, 30}}, {MapPolygon{{centre, rim[t], rim[t + 1], centre}, {}}}, sums);
    for (const auto sum : sums) ASSERT_EQ(sum, kWholePixel) << k;
  }
}

TEST(Coverage, HolesAreNotCoveredAndNothingLeaksBeyond) {
  const MapMultiPolygon ring = gate({MapPolygon{{{1, -1}, {1, -9}, {9, -9}, {9, -1}, {1, -1}}, {{{3.5, -3}, {7, -3}, {7, -7}, {3.5, -7}, {3.5, -3}}}}}).polygons;
  const auto sums = covered({1, 0, 0, 0, -1, 0}, {0, 0, 12, 10}, ring);
  const auto at = [&](int col, int row) { return coverage_of(sums[static_cast<std::size_t>(row * 12 + col)]); };
  EXPECT_EQ(at(1, 1), 1.0F);
  EXPECT_EQ(at(3, 4), 0.5F);
  EXPECT_EQ(at(5, 5), 0.0F);
  EXPECT_EQ(at(10, 5), 0.0F);
  EXPECT_EQ(sums[5 * 12 + 11], 0);
}

TEST(FillTouched, SetsWhatIsCoveredAtAll) {
  std::vector<std::uint8_t> pixels(25);
  const auto count = fill_touched({{{1, 0, 0, 0, -1, 0}, {0, 0, 5, 5}}, pixels},
                                  {MapPolygon{{{1, -1}, {1, -2.001}, {3, -2.001}, {3, -1}, {1, -1}}, {}}}, std::uint8_t{7});
  const std::vector<std::uint8_t> expected{0, 0, 0, 0, 0,
                                           0, 7, 7, 0, 0,
                                           0, 7, 7, 0, 0,
                                           0, 0, 0, 0, 0,
                                           0, 0, 0, 0, 0};
  EXPECT_EQ(pixels, expected);
  EXPECT_EQ(count, 4);
}

}  // namespace
}  // namespace tilewright::geometry
