// SPDX-License-Identifier: Apache-2.0
// Where pixels of a grid lie in a source: exact transforms on few points, quadratics in between.
#pragma once

#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"

namespace tilewright::geometry {

/// Source pixel coordinates of grid points. The grid is divided into cells of 32 x 32 pixels that
/// start at multiples of 32 of the *grid*, never of a window: PROJ transforms the 3 x 3 points at the
/// corners, edge middles and centre of a cell, and coordinates in between are biquadratic. Two further
/// exact points a cell check this; where one is off by more than kTolerance_px, or a point has no
/// place, every point of the cell is transformed by PROJ. So a coordinate is a function of (grid,
/// source) alone, whatever window, strip or thread asks. Same CRS: exact, without cells.
/// Not thread-safe, because Transform is not.
class SparseTransform {
 public:
  /// Largest error at the check points, source pixels; a UTM neighbour zone at 10 m has 1e-8.
  static constexpr double kTolerance_px = 1e-3;

  /// `map_from_grid`: affine of the whole grid (lattice_affine). Throws Error::failed where the
  /// source's affine is singular or no operation exists between the systems.
  SparseTransform(const Affine& map_from_grid, const Crs& grid, const Affine& map_from_source, const Crs& source);

  /// Places of (col + at, row + at) of all pixels of `window` of the grid, row by row; `at` is 0.5 for
  /// centres, 0 for upper-left corners. NaN where a point cannot be mapped.
  void places(const Window& window, double at, std::vector<PixelXY>& out) const;

 private:
  struct Cells;
  [[nodiscard]] Cells cells_of(const Window& window) const;
  void fill_cell(const Cells& cells, std::int64_t cell_col, std::int64_t cell_row, const Window& window, double at,
                 std::vector<PixelXY>& out) const;
  [[nodiscard]] PixelXY exact(PixelXY grid_point) const;

  Affine map_from_grid_, source_from_map_;
  Transform transform_;
};

}  // namespace tilewright::geometry
