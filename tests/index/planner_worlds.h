// SPDX-License-Identifier: Apache-2.0
// Small worlds of tiles for planner tests, and the coverage of single windows by the definition.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "geometry/bitmask.h"
#include "index/coverage.h"
#include "index/view_planner.h"

namespace tilewright::index {

/// An always valid square.
inline TileCoverage plain_tile(const std::string& id, const std::string& acquired, int size, std::int64_t i = 0, std::int64_t j = 0) {
  TileCoverage tile;
  tile.tile_id = id;
  tile.source = "s";
  tile.acquired = acquired;
  tile.i = i;
  tile.j = j;
  tile.valid = geometry::RunMask::from(geometry::Bitmask(size, size, true));
  return tile;
}

/// A square of `size` turned by `angle` around (x, y) of the raster plane, as a mask of its box.
inline TileCoverage turned_tile(const std::string& id, double x, double y, double size, double angle) {
  TileCoverage tile;
  tile.tile_id = id;
  tile.source = "s";
  const double half = size / 2, reach = half * (std::abs(std::cos(angle)) + std::abs(std::sin(angle)));
  const auto left = static_cast<std::int64_t>(std::floor(x - reach)), top = static_cast<std::int64_t>(std::floor(y - reach));
  const auto edge = static_cast<std::int64_t>(std::ceil(2 * reach)) + 2;
  geometry::Bitmask valid(edge, edge);
  for (std::int64_t row = 0; row < edge; ++row)
    for (std::int64_t col = 0; col < edge; ++col) {
      const double dx = static_cast<double>(left + col) + 0.5 - x, dy = static_cast<double>(top + row) + 0.5 - y;
      valid.set(col, row, std::abs(dx * std::cos(angle) + dy * std::sin(angle)) <= half && std::abs(dy * std::cos(angle) - dx * std::sin(angle)) <= half);
    }
  tile.i = left;
  tile.j = -top;
  tile.valid = geometry::RunMask::from(valid);
  return tile;
}

/// Up to `most` tiles of about `size` pixels within `spread` pixels; every third world is turned.
inline std::vector<TileCoverage> random_tiles(unsigned seed, int most, int size, int spread) {
  std::mt19937 random(seed);
  const auto uniform = [&](double low, double high) { return low + (high - low) * static_cast<double>(random() % 10000) / 10000.0; };
  std::vector<TileCoverage> tiles;
  const int count = 2 + static_cast<int>(random() % static_cast<unsigned>(most - 1));
  for (int n = 0; n < count; ++n)
    tiles.push_back(turned_tile("s-" + std::to_string(n), uniform(0, spread), uniform(0, spread), uniform(0.7 * size, 1.3 * size), seed % 3 == 0 ? uniform(-0.3, 0.3) : 0));
  return tiles;
}

/// Depth of every anchor in raster order over the box of all tiles, counted pixel by pixel from the masks.
struct DepthField {
  std::int64_t left = 0, top = 0, width = 0, height = 0;
  std::vector<std::int64_t> depth;        ///< of windows
  std::vector<std::int64_t> pixel_depth;  ///< of pixels
  [[nodiscard]] std::int64_t at(std::int64_t col, std::int64_t row) const {
    col -= left;
    row -= top;
    return col < 0 || row < 0 || col >= width || row >= height ? 0 : depth[static_cast<std::size_t>(row * width + col)];
  }
};

inline DepthField depth_field(const std::vector<TileCoverage>& tiles, int patch) {
  DepthField field{.left = INT64_MAX, .top = INT64_MAX, .width = 0, .height = 0, .depth = {}, .pixel_depth = {}};
  std::int64_t right = INT64_MIN, bottom = INT64_MIN;
  for (const auto& tile : tiles) {
    field.left = std::min(field.left, tile.i);
    field.top = std::min(field.top, -tile.j);
    right = std::max(right, tile.i + tile.valid.width());
    bottom = std::max(bottom, -tile.j + tile.valid.height());
  }
  field.width = right - field.left;
  field.height = bottom - field.top;
  const auto cells = static_cast<std::size_t>(field.width * field.height);
  field.depth.assign(cells, 0);
  field.pixel_depth.assign(cells, 0);
  for (const auto& tile : tiles) {
    const auto add = [&](const geometry::Bitmask& mask, std::vector<std::int64_t>& to) {
      for (std::int64_t row = 0; row < mask.height(); ++row)
        for (std::int64_t col = 0; col < mask.width(); ++col)
          if (mask.get(col, row)) ++to[static_cast<std::size_t>((row - tile.j - field.top) * field.width + col + tile.i - field.left)];
    };
    add(geometry::window_anchors(tile.valid.bits(), patch), field.depth);
    add(tile.valid.bits(), field.pixel_depth);
  }
  return field;
}

/// 30, 8 and 4 turned tiles of 128 px around three places: the set that the method was first measured on.
inline std::vector<TileCoverage> hot_spots(unsigned draw) {
  std::mt19937 random(draw);
  const auto uniform = [&](double low, double high) { return low + (high - low) * static_cast<double>(random() % 100000) / 100000.0; };
  std::vector<TileCoverage> tiles;
  for (const auto& [count, x, y] : {std::tuple{30, 200.0, 200.0}, {8, 600.0, 250.0}, {4, 350.0, 650.0}})
    for (int n = 0; n < count; ++n)
      tiles.push_back(turned_tile("t" + std::to_string(100 + tiles.size()), x + uniform(-45, 45), y + uniform(-45, 45), 128, uniform(-0.2094, 0.2094)));
  return tiles;
}

/// Windows with at least `least` views, and the views in them.
struct Yield {
  std::int64_t windows = 0, views = 0;
};
inline Yield yield_of(const ViewPlan& plan, std::size_t least = 2) {
  Yield yield;
  for (const auto& location : plan.locations)
    if (location.views.size() >= least) ++yield.windows, yield.views += static_cast<std::int64_t>(location.views.size());
  return yield;
}

}  // namespace tilewright::index
