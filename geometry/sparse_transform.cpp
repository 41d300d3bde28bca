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
constexpr std::size_t kMostCells = 16384;  ///< kept at once

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

/// The place along one row of a cell is one quadratic of these three.
std::array<PixelXY, 3> row_of(const std::array<PixelXY, 9>& node, double v) {
  const auto w = weights_at(v);
  return {blend(w, node[0], node[3], node[6]), blend(w, node[1], node[4], node[7]), blend(w, node[2], node[5], node[8])};
}

Affine inverse_or_throw(const Affine& affine) {
  const auto found = inverse(affine);
  if (!found) throw Error::failed("placing a grid in a source: the source's affine transform is singular; give the file a right one");
  return *found;
}

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

PixelXY SparseTransform::node(const Key& key) const {
  const auto known = nodes_.find(key);
  if (known != nodes_.end()) return known->second;
  return nodes_.emplace(key, exact({static_cast<double>(key.col * kHalf_px), static_cast<double>(key.row * kHalf_px)})).first->second;
}

const SparseTransform::Cell& SparseTransform::cell(const Key& key) const {
  const auto known = cells_.find(key);
  if (known != cells_.end()) return known->second;
  if (cells_.size() == kMostCells) cells_.clear(), nodes_.clear();
  Cell made{.node = {}, .is_smooth = true};
  for (std::int64_t k = 0; k < 9; ++k) made.node[static_cast<std::size_t>(k)] = node({2 * key.col + k % 3, 2 * key.row + k / 3});
  for (const PixelXY& check : kChecks) {
    const auto line = row_of(made.node, check.row);
    const PixelXY place = exact({static_cast<double>(key.col * kCell_px) + check.col, static_cast<double>(key.row * kCell_px) + check.row});
    made.is_smooth = made.is_smooth && is_within(blend(weights_at(check.col), line[0], line[1], line[2]), place, kTolerance_px);
  }
  return cells_.emplace(key, made).first->second;
}

void SparseTransform::fill_cell(const Key& key, const Window& window, double at, std::vector<PixelXY>& out) const {
  const Cell& found = cell(key);
  const Window own = intersection(window, {key.col * kCell_px, key.row * kCell_px, kCell_px, kCell_px});
  std::array<std::array<double, 3>, kCell_px> weights;
  for (std::int64_t u = 0; u < kCell_px; ++u) weights[static_cast<std::size_t>(u)] = weights_at(static_cast<double>(u) + at);
  for (std::int64_t row = own.row; row < own.row + own.height; ++row) {
    PixelXY* to = &out[static_cast<std::size_t>((row - window.row) * window.width + own.col - window.col)];
    if (!found.is_smooth) {
      for (std::int64_t k = 0; k < own.width; ++k) to[k] = exact({static_cast<double>(own.col + k) + at, static_cast<double>(row) + at});
      continue;
    }
    const auto line = row_of(found.node, static_cast<double>(row - key.row * kCell_px) + at);
    const auto* w = &weights[static_cast<std::size_t>(own.col - key.col * kCell_px)];
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
  const Key last{cell_at(window.col + window.width - 1), cell_at(window.row + window.height - 1)};
  for (std::int64_t row = cell_at(window.row); row <= last.row; ++row)
    for (std::int64_t col = cell_at(window.col); col <= last.col; ++col) fill_cell({col, row}, window, at, out);
}

}  // namespace tilewright::geometry
