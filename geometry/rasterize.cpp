// SPDX-License-Identifier: Apache-2.0
// Scanline fill of polygons with exact ties.
#include "geometry/rasterize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

__extension__ using Quad = __float128;

/// A point in scan coordinates: u to the right along a row, v down across rows.
struct ScanPoint {
  double u = 0, v = 0;
};

/// Sign of the cross product (b - a) x (p - a): a fast bound decides nearly always, else 113 bits.
int side(ScanPoint a, ScanPoint b, ScanPoint p) {
  const double left = (b.u - a.u) * (p.v - a.v), right = (b.v - a.v) * (p.u - a.u);
  const double cross = left - right;
  if (std::abs(cross) > 1e-15 * (std::abs(left) + std::abs(right))) return cross > 0 ? 1 : -1;
  const Quad exact = (Quad(b.u) - a.u) * (Quad(p.v) - a.v) - (Quad(b.v) - a.v) * (Quad(p.u) - a.u);
  return (exact > 0) - (exact < 0);
}

/// Where pixel centres lie. North-up frames are scanned in map units, all others in pixels; both
/// depend on the absolute pixel only.
class Scan {
 public:
  explicit Scan(const Affine& affine) : affine_(affine), in_map_(affine.is_north_up()) {
    if (in_map_) return;
    const auto inverted = inverse(affine);
    if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
    inverse_ = *inverted;
  }
  [[nodiscard]] ScanPoint scanned(MapXY p) const {
    if (in_map_) return {p.x, -p.y};
    const PixelXY q = pixel_from_map(inverse_, p);
    return {q.col, q.row};
  }
  [[nodiscard]] double u(std::int64_t col) const {
    const double centre = static_cast<double>(col) + 0.5;
    return in_map_ ? affine_.map_from_pixel({centre, 0}).x : centre;
  }
  [[nodiscard]] double v(std::int64_t row) const {
    const double centre = static_cast<double>(row) + 0.5;
    return in_map_ ? -affine_.map_from_pixel({0, centre}).y : centre;
  }
  /// Fractional column and row whose centres lie at u or v, up to rounding.
  [[nodiscard]] double col_at(double u) const {
    return (in_map_ ? (u - affine_.c) / affine_.a : u) - 0.5;
  }
  [[nodiscard]] double row_at(double v) const {
    return (in_map_ ? (-v - affine_.f) / affine_.e : v) - 0.5;
  }
  [[nodiscard]] double pixel_width() const { return in_map_ ? affine_.a : 1; }

 private:
  Affine affine_, inverse_;
  bool in_map_;
};

std::int64_t clamped(double value, std::int64_t low, std::int64_t high) {
  if (!(value > static_cast<double>(low))) return low;
  if (value >= static_cast<double>(high)) return high;
  return static_cast<std::int64_t>(value);
}

/// Crossings of polygon edges with the rows of a window: per row the first column whose centre is
/// on or right of the edge. Sorted, they open and close spans by the even-odd rule.
class Crossings {
 public:
  explicit Crossings(const RasterFrame& frame)
      : scan_(frame.affine), window_(frame.window), col_end_(window_.col + window_.width) {}

  void add_ring(const std::vector<MapXY>& ring) {
    for (std::size_t k = 0; k + 1 < ring.size(); ++k)
      add_edge(scan_.scanned(ring[k]), scan_.scanned(ring[k + 1]));
  }

  /// Calls `span(row, col, col_end)` with absolute pixels.
  template <class Span>
  void for_each_span(Span span) {
    std::sort(entries_.begin(), entries_.end());
    for (std::size_t k = 0; k + 1 < entries_.size(); k += 2)
      if (entries_[k].col < entries_[k + 1].col)
        span(entries_[k].row, entries_[k].col, entries_[k + 1].col);
  }

 private:
  struct Entry {
    std::int64_t row, col;
    auto operator<=>(const Entry&) const = default;
  };

  void add_edge(ScanPoint a, ScanPoint b) {
    if (a.v > b.v) std::swap(a, b);  // an edge shared by two polygons is cut in one way only
    if (!(a.v < b.v)) return;
    const std::int64_t first = first_row(a.v), end = first_row(b.v);
    if (first >= end) return;
    if (std::min(a.u, b.u) > scan_.u(col_end_)) return add_all(first, end, col_end_);
    const double slope = (b.u - a.u) / (b.v - a.v);
    const double bound = 4e-16 * (std::abs(a.u) + std::abs(b.u) + std::abs(scan_.u(0)) +
                                  std::abs(slope) * (std::abs(a.v) + std::abs(b.v)));
    const double doubt = bound / scan_.pixel_width() + 1e-15 * std::abs(scan_.col_at(a.u)) + 1e-12;
    for (std::int64_t row = first; row < end; ++row) {
      const double v = scan_.v(row);
      entries_.push_back({row, first_column(a, b, v, a.u + (v - a.v) * slope, doubt)});
    }
  }
  void add_all(std::int64_t first, std::int64_t end, std::int64_t col) {
    for (std::int64_t row = first; row < end; ++row) entries_.push_back({row, col});
  }

  /// First row of the window whose centre is at or below `v`.
  [[nodiscard]] std::int64_t first_row(double v) const {
    const std::int64_t low = window_.row, high = window_.row + window_.height;
    std::int64_t row = clamped(std::ceil(scan_.row_at(v)), low, high);
    while (row > low && scan_.v(row - 1) >= v) --row;
    while (row < high && scan_.v(row) < v) ++row;
    return row;
  }

  /// First column of the window whose centre at height v is on or right of the edge.
  [[nodiscard]] std::int64_t first_column(ScanPoint a, ScanPoint b, double v, double u,
                                          double doubt) const {
    const double estimate = scan_.col_at(u);
    std::int64_t col = clamped(std::ceil(estimate), window_.col, col_end_);
    if (std::abs(estimate - std::round(estimate)) > doubt) return col;
    const auto is_right = [&](std::int64_t c) { return side(a, b, {scan_.u(c), v}) <= 0; };
    while (col > window_.col && is_right(col - 1)) --col;
    while (col < col_end_ && !is_right(col)) ++col;
    return col;
  }

  Scan scan_;
  Window window_;
  std::int64_t col_end_;
  std::vector<Entry> entries_;
};

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const MapMultiPolygon& polygons, T value) {
  Crossings crossings(mask.frame);
  for (const MapPolygon& polygon : polygons) {
    crossings.add_ring(polygon.outer);
    for (const auto& hole : polygon.holes) crossings.add_ring(hole);
  }
  const Window& window = mask.frame.window;
  std::int64_t count = 0;
  crossings.for_each_span([&](std::int64_t row, std::int64_t col, std::int64_t col_end) {
    T* first = mask.pixels.data() + (row - window.row) * window.width + (col - window.col);
    std::fill(first, first + (col_end - col), value);
    count += col_end - col;
  });
  return count;
}

}  // namespace

std::int64_t fill_polygons(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons,
                           std::uint8_t value) {
  return fill(mask, polygons, value);
}
std::int64_t fill_polygons(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons,
                           std::uint32_t value) {
  return fill(mask, polygons, value);
}

}  // namespace tilewright::geometry
