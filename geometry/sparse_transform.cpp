// SPDX-License-Identifier: Apache-2.0
// Biquadratic patches over exact transforms, cell by cell of the grid.
#include "geometry/sparse_transform.h"

#include <array>
#include <cmath>
#include <limits>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

constexpr std::int64_t kCell_px = 32, kHalf_px = kCell_px / 2;

std::int64_t cell_at(std::int64_t pixel) {
  return pixel >= 0 ? pixel / kCell_px : -((kCell_px - 1 - pixel) / kCell_px);
}

/// Lagrange weights of the nodes 0, 16 and 32 at `place` within a cell.
std::array<double, 3> weights_at(double place) {
  const double t = place / static_cast<double>(kHalf_px);
  return {(t - 1) * (t - 2) * 0.5, t * (2 - t), t * (t - 1) * 0.5};
}

PixelXY blend(const std::array<double, 3>& w, PixelXY a, PixelXY b, PixelXY c) {
  return {w[0] * a.col + w[1] * b.col + w[2] * c.col, w[0] * a.row + w[1] * b.row + w[2] * c.row};
}

/// The nodes of one cell, row by row.
struct Patch {
  std::array<PixelXY, 9> node;
  /// Along one row of the cell the place is one quadratic of these three.
  [[nodiscard]] std::array<PixelXY, 3> row(double v) const {
    const auto w = weights_at(v);
    return {blend(w, node[0], node[3], node[6]), blend(w, node[1], node[4], node[7]), blend(w, node[2], node[5], node[8])};
  }
  [[nodiscard]] PixelXY at(double u, double v) const {
    const auto line = row(v);
    return blend(weights_at(u), line[0], line[1], line[2]);
  }
};

Affine inverse_or_throw(const Affine& affine) {
  const auto found = inverse(affine);
  if (!found) throw Error::failed("placing a grid in a source: the source's affine transform is singular; give the file a right one");
  return *found;
}

}  // namespace

/// Exact places of all nodes of the cells under a window, and of two check points in each.
struct SparseTransform::Cells {
  std::int64_t first_col = 0, first_row = 0, cols = 0, rows = 0;
  std::vector<PixelXY> nodes;   ///< (2 rows + 1) x (2 cols + 1)
  std::vector<PixelXY> checks;  ///< two a cell

  [[nodiscard]] std::size_t index(std::int64_t cell_col, std::int64_t cell_row) const {
    return static_cast<std::size_t>((cell_row - first_row) * cols + cell_col - first_col);
  }
  [[nodiscard]] Patch patch(std::int64_t cell_col, std::int64_t cell_row) const {
    Patch patch;
    for (std::int64_t k = 0; k < 9; ++k)
      patch.node[static_cast<std::size_t>(k)] =
          nodes[static_cast<std::size_t>((2 * (cell_row - first_row) + k / 3) * (2 * cols + 1) + 2 * (cell_col - first_col) + k % 3)];
    return patch;
  }
};

namespace {

/// Off the symmetry axes of the cubic terms that a biquadratic lacks: both vanish in one check of a
/// conformal map only if they vanish.
constexpr PixelXY kChecks[] = {{8, 8}, {8, 24}};

bool is_within(PixelXY a, PixelXY b, double tolerance) {
  return std::abs(a.col - b.col) <= tolerance && std::abs(a.row - b.row) <= tolerance;  // false for NaN
}

}  // namespace

SparseTransform::SparseTransform(const Affine& map_from_grid, const Crs& grid, const Affine& map_from_source, const Crs& source)
    : map_from_grid_(map_from_grid), source_from_map_(inverse_or_throw(map_from_source)), transform_(grid, source) {}

PixelXY SparseTransform::exact(PixelXY grid_point) const {
  const auto moved = transform_(map_from_grid_.map_from_pixel(grid_point));
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return moved ? pixel_from_map(source_from_map_, *moved) : PixelXY{kNan, kNan};
}

SparseTransform::Cells SparseTransform::cells_of(const Window& window) const {
  Cells cells{.first_col = cell_at(window.col), .first_row = cell_at(window.row)};
  cells.cols = cell_at(window.col + window.width - 1) - cells.first_col + 1;
  cells.rows = cell_at(window.row + window.height - 1) - cells.first_row + 1;
  const auto point = [&](std::int64_t cell_col, std::int64_t cell_row, double u, double v) {
    return PixelXY{static_cast<double>(cell_col * kCell_px) + u, static_cast<double>(cell_row * kCell_px) + v};
  };
  for (std::int64_t r = 0; r <= 2 * cells.rows; ++r)
    for (std::int64_t c = 0; c <= 2 * cells.cols; ++c)
      cells.nodes.push_back(exact(point(cells.first_col, cells.first_row, static_cast<double>(c * kHalf_px), static_cast<double>(r * kHalf_px))));
  for (std::int64_t r = 0; r < cells.rows; ++r)
    for (std::int64_t c = 0; c < cells.cols; ++c)
      for (const auto& check : kChecks) cells.checks.push_back(exact(point(cells.first_col + c, cells.first_row + r, check.col, check.row)));
  return cells;
}

void SparseTransform::fill_cell(const Cells& cells, std::int64_t cell_col, std::int64_t cell_row, const Window& window, double at,
                                std::vector<PixelXY>& out) const {
  const Patch patch = cells.patch(cell_col, cell_row);
  const auto* checks = &cells.checks[2 * cells.index(cell_col, cell_row)];
  bool is_smooth = true;
  for (std::size_t k = 0; k < 2; ++k) is_smooth = is_smooth && is_within(patch.at(kChecks[k].col, kChecks[k].row), checks[k], kTolerance_px);
  const Window own = intersection(window, {cell_col * kCell_px, cell_row * kCell_px, kCell_px, kCell_px});
  std::array<std::array<double, 3>, kCell_px> weights;
  for (std::int64_t u = 0; u < kCell_px; ++u) weights[static_cast<std::size_t>(u)] = weights_at(static_cast<double>(u) + at);
  for (std::int64_t row = own.row; row < own.row + own.height; ++row) {
    PixelXY* to = &out[static_cast<std::size_t>((row - window.row) * window.width + own.col - window.col)];
    if (!is_smooth) {
      for (std::int64_t k = 0; k < own.width; ++k) to[k] = exact({static_cast<double>(own.col + k) + at, static_cast<double>(row) + at});
      continue;
    }
    const auto line = patch.row(static_cast<double>(row - cell_row * kCell_px) + at);
    const auto* w = &weights[static_cast<std::size_t>(own.col - cell_col * kCell_px)];
    for (std::int64_t k = 0; k < own.width; ++k) to[k] = blend(w[k], line[0], line[1], line[2]);
  }
}

void SparseTransform::places(const Window& window, double at, std::vector<PixelXY>& out) const {
  out.resize(static_cast<std::size_t>(window.width * window.height));
  if (window.empty()) return;
  if (transform_.is_identity()) {
    for (std::int64_t row = 0, k = 0; row < window.height; ++row)
      for (std::int64_t col = 0; col < window.width; ++col, ++k)
        out[static_cast<std::size_t>(k)] = exact({static_cast<double>(window.col + col) + at, static_cast<double>(window.row + row) + at});
    return;
  }
  const Cells cells = cells_of(window);
  for (std::int64_t r = 0; r < cells.rows; ++r)
    for (std::int64_t c = 0; c < cells.cols; ++c) fill_cell(cells, cells.first_col + c, cells.first_row + r, window, at, out);
}

}  // namespace tilewright::geometry
