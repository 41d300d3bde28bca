// SPDX-License-Identifier: Apache-2.0
// Which spans of a window's rows lie inside polygons: exact crossings of edges with pixel centres.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "geometry/polygon.h"
#include "geometry/rasterize.h"
#include "geometry/scan_columns.h"

namespace tilewright::geometry {

/// A point in scan coordinates: u to the right along a row, v down across rows.
struct ScanPoint {
  double u, v;
};

/// Where pixel centres lie. North-up frames are scanned in map units, all others in pixels; both
/// depend on the absolute pixel only.
class Scan {
 public:
  explicit Scan(const Affine& affine);  ///< throws Error::failed for a singular affine
  [[nodiscard]] ScanPoint scanned(MapXY p) const {
    if (in_map_) return {p.x, -p.y};
    const PixelXY q = pixel_from_map(inverse_, p);
    return {q.col, q.row};
  }
  [[nodiscard]] double u(std::int64_t col) const {
    const double centre = static_cast<double>(col) + 0.5;
    return in_map_ ? affine_.a * centre + affine_.c : centre;
  }
  [[nodiscard]] double v(std::int64_t row) const {
    const double centre = static_cast<double>(row) + 0.5;
    return in_map_ ? -(affine_.e * centre + affine_.f) : centre;
  }
  /// Fractional column and row whose centres lie at u or v, up to rounding.
  [[nodiscard]] double col_at(double u) const {
    return (in_map_ ? (u - affine_.c) * per_u_ : u) - 0.5;
  }
  [[nodiscard]] double row_at(double v) const {
    return (in_map_ ? (v + affine_.f) * per_v_ : v) - 0.5;
  }
  /// Bounds of what rounding may add to col_at(u) and row_at(v), in pixels.
  [[nodiscard]] double col_error(double u) const {
    return 1e-15 * (std::abs(u) + std::abs(affine_.c) + 2 * std::abs(affine_.a)) * per_u_ + 1e-12;
  }
  [[nodiscard]] double row_error(double v) const {
    return 1e-15 * (std::abs(v) + std::abs(affine_.f) + 2 * std::abs(affine_.e)) * per_v_ + 1e-12;
  }

 private:
  Affine affine_, inverse_;
  bool in_map_;
  double per_u_ = 1, per_v_ = 1;  ///< pixels a unit
};

/// Fills one polygon after the other. Crossings of a row close spans by the even-odd rule; where
/// every row has two, the columns between them are the span, else bits are toggled. Cost: crossings
/// and words of the polygon's box, whatever its shape. Not for several threads.
class RowScanner {
 public:
  explicit RowScanner(const RasterFrame& frame);

  /// Calls `span(row, col, col_end)` with rows and columns of the window.
  template <class Span>
  void scan(const MapMultiPolygon& polygons, Span span) {
    if (!begin(polygons)) return;
    if (!chains(polygons) && !narrow_spans(polygons)) return toggled_spans(polygons, span);
    for (std::int32_t row = 0; row < rows_; ++row) {
      const auto [col, col_end] = std::minmax(spans_.low[row], spans_.high[row]);
      if (col < col_end) span(first_row_ + row, col, col_end);
    }
  }
  /// Sets all pixels of the window's buffer; returns how many.
  std::int64_t fill(const MapMultiPolygon& polygons, std::uint8_t* pixels, std::uint8_t value);

 private:
  /// A vertex: its scan place, the first row of the window at or below it, its place in pixels of
  /// the window.
  struct Vertex {
    ScanPoint at;
    std::int32_t row;
    double col, from_row;
  };
  static constexpr std::int32_t kFewRows = 512;
  static constexpr std::size_t kFewCorners = 32;

  bool begin(const MapMultiPolygon& polygons);
  /// One ring of few corners that runs down once and up once, as most buildings do: each way gives
  /// one column a row. False if it is none.
  bool chains(const MapMultiPolygon& polygons);
  /// False if a row has more than two crossings.
  bool narrow_spans(const MapMultiPolygon& polygons);
  void toggle(const MapMultiPolygon& polygons);
  template <class Span>
  void toggled_spans(const MapMultiPolygon& polygons, Span span) {
    toggle(polygons);
    for (std::int32_t row = 0; row < rows_; ++row) {
      std::uint64_t carry = 0;  // all ones while inside at the end of the last word
      std::int64_t open = -1;
      for (std::int64_t word = 0; word < words_; ++word) {
        std::uint64_t bits = toggles_[static_cast<std::size_t>(row * words_ + word)];
        for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
        bits ^= carry;
        const std::uint64_t before = bits << 1 | (carry & 1);
        for (std::uint64_t edges = bits ^ before; edges != 0; edges &= edges - 1) {
          const std::int64_t col = word * 64 + std::countr_zero(edges);
          if (open < 0)
            open = col;
          else
            span(first_row_ + row, static_cast<std::int32_t>(open), static_cast<std::int32_t>(col)),
                open = -1;
        }
        carry = bits >> 63 != 0 ? ~std::uint64_t{0} : 0;
      }
      if (open >= 0 && open < width_)
        span(first_row_ + row, static_cast<std::int32_t>(open), width_);
    }
  }
  template <class Take>
  void each_edge(const std::vector<MapXY>& ring, Take take);
  template <class Take>
  void each_edge(const MapMultiPolygon& polygons, Take take);
  [[nodiscard]] Vertex vertex(MapXY place) const;
  void set_vertex(MapXY place, Vertex& out) const;
  [[nodiscard]] std::int32_t first_row(double v, double estimate) const;
  [[nodiscard]] EdgeScan edge_scan(const Vertex& a, const Vertex& b, std::int32_t first,
                                   std::int32_t count) const;
  static bool is_usable(const EdgeScan& edge);
  void take(const Vertex& a, const Vertex& b, std::int32_t first, std::int32_t count);
  /// Columns of the rows of an edge that runs down from a to b; returns how many rows.
  std::int32_t columns(const Vertex& a, const Vertex& b, std::int32_t first, std::int32_t count,
                       std::int32_t* cols) const;
  [[nodiscard]] std::int32_t exact_column(const Vertex& a, const Vertex& b, std::int32_t row,
                                          std::int32_t guess) const;

  Scan scan_;
  Window window_;
  std::int32_t width_, height_;
  const ScanKernels& kernels_;
  std::int32_t first_row_ = 0, rows_ = 0;  ///< of the polygons in hand
  double error_ = 0;                       ///< what rounding may add to a place of theirs, pixels
  std::int64_t words_ = 0;
  RowSpans spans_{};  ///< filled between low and high, either way round; of `few_`, or of `many_`
                      ///< where there are more rows
  std::array<std::int32_t, 3 * (kFewRows + kScanPadding)> few_;
  std::vector<std::int32_t> many_;
  std::vector<std::uint64_t> toggles_;
};

}  // namespace tilewright::geometry
