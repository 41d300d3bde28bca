// SPDX-License-Identifier: Apache-2.0
// Biquadratic patches over exact transforms, cell by cell of the grid.
#include "geometry/sparse_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

constexpr std::int64_t kHalf_px = 32;      ///< of a cell
constexpr double kRounding_px = 1e-9;      ///< of a place within its cell
constexpr std::size_t kMostCells = 8192;  ///< kept at once

std::int64_t cell_at(std::int64_t pixel) {
  constexpr std::int64_t kCell = 2 * kHalf_px;
  return pixel >= 0 ? pixel / kCell : -((kCell - 1 - pixel) / kCell);
}

/// Lagrange weights of the nodes 0, 32 and 64 at `place` within a cell.
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
constexpr PixelXY kChecks[] = {{16, 16}, {16, 48}};

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
  static_assert(kCell_px == 2 * kHalf_px);
  if (const PixelXY* known = nodes_.find(key)) return *known;
  return nodes_.add(key, exact({static_cast<double>(key.col * kHalf_px), static_cast<double>(key.row * kHalf_px)}));
}

const SparseTransform::Cell& SparseTransform::cell(const Key& key) const {
  if (const Cell* known = cells_.find(key)) return *known;
  if (cells_.size() == kMostCells) cells_.clear(), nodes_.clear();
  Cell made{.node = {}, .is_smooth = true};
  for (std::int64_t k = 0; k < 9; ++k) made.node[static_cast<std::size_t>(k)] = node({2 * key.col + k % 3, 2 * key.row + k / 3});
  for (const PixelXY& check : kChecks) {
    const auto line = row_of(made.node, check.row);
    const PixelXY place = exact({static_cast<double>(key.col * kCell_px) + check.col, static_cast<double>(key.row * kCell_px) + check.row});
    made.is_smooth = made.is_smooth && is_within(blend(weights_at(check.col), line[0], line[1], line[2]), place, kTolerance_px);
  }
  return cells_.add(key, made);
}

void SparseTransform::fill_cell(const Key& key, const Window& window, double at, const CellWeights& weights, std::vector<PixelXY>& out) const {
  const Cell& found = cell(key);
  const Window own = intersection(window, {key.col * kCell_px, key.row * kCell_px, kCell_px, kCell_px});
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
  CellWeights weights;
  for (std::size_t u = 0; u < weights.size(); ++u) weights[u] = weights_at(static_cast<double>(u) + at);
  const Key last{cell_at(window.col + window.width - 1), cell_at(window.row + window.height - 1)};
  for (std::int64_t row = cell_at(window.row); row <= last.row; ++row)
    for (std::int64_t col = cell_at(window.col); col <= last.col; ++col) fill_cell({col, row}, window, at, weights, out);
}

PixelXY SparseTransform::place_in(const Cell& cell, const Key& key, double col, double row) {
  const auto line = row_of(cell.node, row - static_cast<double>(key.row * kCell_px));
  return blend(weights_at(col - static_cast<double>(key.col * kCell_px)), line[0], line[1], line[2]);
}

/// A part of a biquadratic is one too: it leaves the box of nine of its places by an eighth of their second
/// differences along rows and 5/32 along columns at most (weights of a quadratic sum to 5/4 in size).
void SparseTransform::add_cell(const Key& key, const Window& window, double at, PlaceBox& box) const {
  const Cell& found = cell(key);
  const Window own = intersection(window, {key.col * kCell_px, key.row * kCell_px, kCell_px, kCell_px});
  const auto add = [&](PixelXY place, PixelXY slack) {
    if (!std::isfinite(place.col) || !std::isfinite(place.row)) return;
    box.low = {std::min(box.low.col, place.col - slack.col), std::min(box.low.row, place.row - slack.row)};
    box.high = {std::max(box.high.col, place.col + slack.col), std::max(box.high.row, place.row + slack.row)};
  };
  const double left = static_cast<double>(own.col) + at, top = static_cast<double>(own.row) + at;
  if (!found.is_smooth) {
    for (std::int64_t row = 0; row < own.height; ++row)
      for (std::int64_t col = 0; col < own.width; ++col) add(exact({left + static_cast<double>(col), top + static_cast<double>(row)}), {});
    return;
  }
  std::array<std::array<PixelXY, 3>, 3> nine;
  for (std::size_t r = 0; r < 3; ++r)
    for (std::size_t c = 0; c < 3; ++c)
      nine[r][c] = place_in(found, key, left + 0.5 * static_cast<double>(c) * static_cast<double>(own.width - 1), top + 0.5 * static_cast<double>(r) * static_cast<double>(own.height - 1));
  const auto larger = [](PixelXY bend, PixelXY a, PixelXY b, PixelXY c) {
    return PixelXY{std::max(bend.col, std::abs(a.col - 2 * b.col + c.col)), std::max(bend.row, std::abs(a.row - 2 * b.row + c.row))};
  };
  PixelXY along{}, down{};
  for (std::size_t k = 0; k < 3; ++k) {
    along = larger(along, nine[k][0], nine[k][1], nine[k][2]);
    down = larger(down, nine[0][k], nine[1][k], nine[2][k]);
  }
  const PixelXY slack{along.col / 8 + down.col * 5 / 32 + kRounding_px, along.row / 8 + down.row * 5 / 32 + kRounding_px};
  for (const auto& line : nine)
    for (const PixelXY& place : line) add(place, slack);
}

std::optional<PlaceBox> SparseTransform::bounds(const Window& window, double at) const {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  PlaceBox box{{kFar, kFar}, {-kFar, -kFar}};
  if (window.empty()) return std::nullopt;
  if (transform_.is_identity()) {  // affine
    for (const std::int64_t row : {window.row, window.row + window.height - 1})
      for (const std::int64_t col : {window.col, window.col + window.width - 1}) {
        const PixelXY place = exact({static_cast<double>(col) + at, static_cast<double>(row) + at});
        box = {{std::min(box.low.col, place.col), std::min(box.low.row, place.row)}, {std::max(box.high.col, place.col), std::max(box.high.row, place.row)}};
      }
    return box;
  }
  const Key last{cell_at(window.col + window.width - 1), cell_at(window.row + window.height - 1)};
  for (std::int64_t row = cell_at(window.row); row <= last.row; ++row)
    for (std::int64_t col = cell_at(window.col); col <= last.col; ++col) add_cell({col, row}, window, at, box);
  return box.low.col <= box.high.col ? std::optional(box) : std::nullopt;
}

}  // namespace tilewright::geometry
