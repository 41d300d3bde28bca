// SPDX-License-Identifier: Apache-2.0
// Where pixels of a grid lie in a source: exact transforms on few points, quadratics in between.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "geometry/place_table.h"

namespace tilewright::geometry {

/// Two corners around places.
struct PlaceBox {
  PixelXY low, high;
};

/// Source pixel coordinates of grid points. The grid is divided into cells of 64 x 64 pixels that
/// start at multiples of 64 of the *grid*, never of a window: PROJ transforms the 3 x 3 points at the
/// corners, edge middles and centre of a cell, and coordinates in between are biquadratic. Two further
/// exact points a cell check this; where one is off by more than kTolerance_px, or a point has no
/// place, every point of the cell is transformed by PROJ. So a coordinate is a function of (grid,
/// source) alone, whatever window, strip or thread asks. Same CRS: exact, without cells.
/// What was asked of PROJ is kept for the next windows, up to 8,192 cells (about 3 MiB). Not thread-safe.
class SparseTransform {
 public:
  /// Largest error at the check points, source pixels; a UTM neighbour zone at 10 m has 1e-8 in cells of half the size, and errors grow with its cube.
  static constexpr double kTolerance_px = 1e-3;

  /// `map_from_grid`: affine of the whole grid (lattice_affine). Throws Error::failed where the
  /// source's affine is singular or no operation exists between the systems.
  SparseTransform(const Affine& map_from_grid, const Crs& grid, const Affine& map_from_source, const Crs& source);

  /// Places of (col + at, row + at) of all pixels of `window` of the grid, row by row; `at` is 0.5 for
  /// centres, 0 for upper-left corners. NaN where a point cannot be mapped.
  void places(const Window& window, double at, std::vector<PixelXY>& out) const;

  /// A box that holds all of these places but those that cannot be mapped, from nine of them a cell;
  /// wider than the least such box by the bend of a cell at most. nullopt: none can be mapped.
  [[nodiscard]] std::optional<PlaceBox> bounds(const Window& window, double at) const;

 private:
  /// Lagrange weights of the nodes of a cell, one row a pixel.
  static constexpr std::int64_t kCell_px = 64;
  using CellWeights = std::array<std::array<double, 3>, kCell_px>;
  using Key = PlaceKey;  ///< column and row of a cell, or of a node: two a cell
  struct Cell {
    std::array<PixelXY, 9> node;  ///< exact places of corners, edge middles and centre, row by row
    bool is_smooth;               ///< the biquadratic meets the check points
  };
  [[nodiscard]] const Cell& cell(const Key& key) const;
  [[nodiscard]] PixelXY node(const Key& key) const;
  void fill_cell(const Key& key, const Window& window, double at, const CellWeights& weights, std::vector<PixelXY>& out) const;
  [[nodiscard]] static PixelXY place_in(const Cell& cell, const Key& key, double col, double row);
  void add_cell(const Key& key, const Window& window, double at, PlaceBox& box) const;
  [[nodiscard]] PixelXY exact(PixelXY grid_point) const;

  Affine map_from_grid_, source_from_map_;
  Transform transform_;
  mutable PlaceTable<Cell> cells_;
  mutable PlaceTable<PixelXY> nodes_;
};

}  // namespace tilewright::geometry
