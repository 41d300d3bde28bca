// SPDX-License-Identifier: Apache-2.0
// Places of a grid in a source against PROJ at every point, and their independence of the window.
#include "geometry/sparse_transform.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

struct Pair {
  Lattice grid;
  Affine source;
  Crs source_crs;
  Window window;
};

/// Grids and sources of the shapes that occur: neighbour zones, degrees, conic, polar.
std::vector<Pair> pairs() {
  return {{{32633, 10, {3, 7}}, {10, 0, 600000, 0, -10, 5600000}, Crs::from_epsg(32632), {30000, -560000, 300, 200}},
          {{32643, 10, {0, 0}}, {0.0001, 0, 73, 0, -0.0001, 31}, wgs84(), {33600, -337400, 257, 300}},
          {{2154, 5, {1, 2}}, {30, 0, 300000, 0, -30, 5300000}, Crs::from_epsg(32631), {130000, -1300000, 190, 90}},
          {{32661, 250, {0, 0}}, {0.05, 0, -180, 0, -0.05, 90}, wgs84(), {7000, -8900, 130, 100}},
          {{3857, 1000, {0, 0}}, {500, 0, 0, 0, -500, 9000000}, Crs::from_epsg(32633), {1200, -7000, 260, 260}}};
}

PixelXY by_proj(const Pair& pair, const Transform& source_from_grid, std::int64_t col, std::int64_t row, double at) {
  const auto map = source_from_grid(lattice_affine(pair.grid).map_from_pixel({static_cast<double>(col) + at, static_cast<double>(row) + at}));
  return map ? pixel_from_map(*inverse(pair.source), *map) : PixelXY{std::nan(""), std::nan("")};
}

TEST(SparseTransform, IsWithinAThousandthOfAPixelOfProj) {
  for (const Pair& pair : pairs()) {
    const SparseTransform sparse(lattice_affine(pair.grid), Crs::from_epsg(pair.grid.epsg), pair.source, pair.source_crs);
    const Transform exact(Crs::from_epsg(pair.grid.epsg), pair.source_crs);
    std::vector<PixelXY> places;
    double worst = 0;
    for (const double at : {0.0, 0.5}) {
      sparse.places(pair.window, at, places);
      std::size_t k = 0;
      for (std::int64_t row = 0; row < pair.window.height; ++row)
        for (std::int64_t col = 0; col < pair.window.width; ++col, ++k) {
          const PixelXY p = by_proj(pair, exact, pair.window.col + col, pair.window.row + row, at);
          ASSERT_TRUE(std::isfinite(p.col) && std::isfinite(places[k].col));
          worst = std::max({worst, std::abs(p.col - places[k].col), std::abs(p.row - places[k].row)});
        }
    }
    EXPECT_LE(worst, 1.1 * SparseTransform::kTolerance_px) << pair.grid.epsg;
    if (pair.grid.resolution_m <= 10) {
      EXPECT_LE(worst, 1e-6) << pair.grid.epsg;
    }
  }
}

TEST(SparseTransform, APlaceDoesNotDependOnTheWindowItIsAskedIn) {
  std::mt19937 random(5);
  for (const Pair& pair : pairs()) {
    const SparseTransform sparse(lattice_affine(pair.grid), Crs::from_epsg(pair.grid.epsg), pair.source, pair.source_crs);
    std::vector<PixelXY> whole, part;
    sparse.places(pair.window, 0.5, whole);
    for (int round = 0; round < 20; ++round) {
      const auto width = 1 + static_cast<std::int64_t>(random()) % 60, height = 1 + static_cast<std::int64_t>(random()) % 60;
      const auto left = static_cast<std::int64_t>(random()) % (pair.window.width - width), top = static_cast<std::int64_t>(random()) % (pair.window.height - height);
      sparse.places({pair.window.col + left, pair.window.row + top, width, height}, 0.5, part);
      for (std::int64_t row = 0; row < height; ++row)
        for (std::int64_t col = 0; col < width; ++col)
          ASSERT_EQ(part[static_cast<std::size_t>(row * width + col)], whole[static_cast<std::size_t>((top + row) * pair.window.width + left + col)]);
    }
  }
}

/// Of all windows: also of those that cut cells, that are a pixel wide, and of one system.
TEST(SparseTransform, BoundsHoldEveryPlaceAndLittleMore) {
  std::mt19937 random(8);
  auto all = pairs();
  all.push_back({{32660, 100, {0, 0}}, {0.001, 0, -180, 0, -0.001, 10}, wgs84(), {8200, -5600, 200, 64}});
  all.push_back({{32633, 100, {0, 0}}, {0.001, 0, 0, 0, -0.001, 60}, wgs84(), {4900, -56000, 200, 100}});  // rows bend at the middle of a zone
  all.push_back({{32633, 10, {0, 0}}, {10, 1, 500003, 2, -10, 5600004}, Crs::from_epsg(32633), {50000, -560000, 90, 70}});
  for (const Pair& pair : all) {
    const SparseTransform sparse(lattice_affine(pair.grid), Crs::from_epsg(pair.grid.epsg), pair.source, pair.source_crs);
    std::vector<PixelXY> places;
    for (int round = 0; round < 40; ++round) {
      const auto width = 1 + static_cast<std::int64_t>(random()) % pair.window.width, height = 1 + static_cast<std::int64_t>(random()) % pair.window.height;
      const Window window{pair.window.col + static_cast<std::int64_t>(random()) % (pair.window.width - width + 1),
                          pair.window.row + static_cast<std::int64_t>(random()) % (pair.window.height - height + 1), width, height};
      const double at = round % 2 == 0 ? 0.5 : 0;
      sparse.places(window, at, places);
      PlaceBox least{places.front(), places.front()};
      for (const PixelXY& place : places)
        least = {{std::min(least.low.col, place.col), std::min(least.low.row, place.row)}, {std::max(least.high.col, place.col), std::max(least.high.row, place.row)}};
      const auto box = sparse.bounds(window, at);
      ASSERT_TRUE(box);
      EXPECT_LE(box->low.col, least.low.col);
      EXPECT_LE(box->low.row, least.low.row);
      EXPECT_GE(box->high.col, least.high.col);
      EXPECT_GE(box->high.row, least.high.row);
      EXPECT_LT(std::max({least.low.col - box->low.col, least.low.row - box->low.row, box->high.col - least.high.col, box->high.row - least.high.row}), 0.5);
    }
  }
}

TEST(SparseTransform, OneSystemNeedsNoCells) {
  const Lattice grid{32633, 10, {0, 0}};
  const Affine source{10, 0, 500003, 0, -10, 5600004};
  const SparseTransform sparse(lattice_affine(grid), Crs::from_epsg(32633), source, Crs::from_epsg(32633));
  std::vector<PixelXY> places;
  sparse.places({50000, -560000, 40, 3}, 0.5, places);
  EXPECT_NEAR(places[0].col, 0.2, 1e-9);
  EXPECT_NEAR(places[0].row, 0.9, 1e-9);
  EXPECT_NEAR(places[41].col, 1.2, 1e-9);
  EXPECT_NEAR(places[41].row, 1.9, 1e-9);
}

/// The cell that 180 degrees runs through is not smooth: its points come from PROJ one by one.
TEST(SparseTransform, AcrossTheAntimeridianEveryPlaceIsProjs) {
  const Pair pair{{32660, 100, {0, 0}}, {0.001, 0, -180, 0, -0.001, 10}, wgs84(), {8200, -5600, 200, 64}};
  const SparseTransform sparse(lattice_affine(pair.grid), Crs::from_epsg(32660), pair.source, wgs84());
  const Transform exact(Crs::from_epsg(32660), wgs84());
  std::vector<PixelXY> places;
  sparse.places(pair.window, 0.5, places);
  double west = 1e9, east = -1e9;
  for (std::size_t k = 0; k < places.size(); ++k) {
    const auto col = pair.window.col + static_cast<std::int64_t>(k) % 200, row = pair.window.row + static_cast<std::int64_t>(k) / 200;
    const PixelXY p = by_proj(pair, exact, col, row, 0.5);
    ASSERT_NEAR(places[k].col, p.col, SparseTransform::kTolerance_px);
    west = std::min(west, p.col), east = std::max(east, p.col);
  }
  EXPECT_GT(east - west, 300000) << "the window does cross 180 degrees";
}

TEST(SparseTransform, WhereNothingCanBeMappedIsNaNAndASingularSourceAnError) {
  const Lattice grid{3857, 1000, {0, 0}};
  const Crs ortho = Crs::from_text("+proj=ortho +lat_0=50 +lon_0=10 +datum=WGS84");
  const SparseTransform sparse(lattice_affine(grid), Crs::from_epsg(3857), {1000, 0, 0, 0, -1000, 0}, ortho);
  std::vector<PixelXY> places;
  sparse.places({-15000, 0, 40, 40}, 0.5, places);  // the other side of the globe
  for (const auto& p : places) ASSERT_TRUE(std::isnan(p.col));
  EXPECT_FALSE(sparse.bounds({-15000, 0, 40, 40}, 0.5));
  EXPECT_FALSE(sparse.bounds({0, 0, 0, 3}, 0.5));
  EXPECT_THROW(SparseTransform({}, wgs84(), {1, 1, 0, 1, 1, 0}, wgs84()), Error);
}

}  // namespace
}  // namespace tilewright::geometry
