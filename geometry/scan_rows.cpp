// SPDX-License-Identifier: Apache-2.0
// Rows of vertices, columns of edges: estimates that are checked exactly where they are in doubt.
#include "geometry/scan_rows.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "geometry/error.h"
#include "geometry/isa.h"

namespace tilewright::geometry {
namespace {

__extension__ using Quad = __float128;

constexpr std::int32_t kChunk = 128;  // rows of an edge at a time

/// Sign of the cross product (b - a) x (p - a): a fast bound decides nearly always, else 113 bits.
int side(ScanPoint a, ScanPoint b, ScanPoint p) {
  const double left = (b.u - a.u) * (p.v - a.v), right = (b.v - a.v) * (p.u - a.u);
  const double cross = left - right;
  if (std::abs(cross) > 1e-15 * (std::abs(left) + std::abs(right))) return cross > 0 ? 1 : -1;
  const Quad exact = (Quad(b.u) - a.u) * (Quad(p.v) - a.v) - (Quad(b.v) - a.v) * (Quad(p.u) - a.u);
  return (exact > 0) - (exact < 0);
}

std::int32_t checked(std::int64_t size) {
  if (size < 0 || size > std::numeric_limits<std::int32_t>::max() - 64)
    throw Error::failed("drawing into a window of " + std::to_string(size) +
                        " pixels across; cut it into smaller ones");
  return static_cast<std::int32_t>(size);
}

/// Whole number at or above `value`, within [0, most].
std::int32_t ceil_within(double value, std::int32_t most) {
  if (!(value > 0)) return 0;
  if (value >= most) return most;
  const auto whole = static_cast<std::int32_t>(value);
  return whole + (static_cast<double>(whole) < value ? 1 : 0);
}

}  // namespace

const ScanKernels& scan_kernels_of_this_run() {
#if defined(__x86_64__)
  if (isa_of_this_run() == Isa::avx512) return kAvx512Scan;
  if (isa_of_this_run() != Isa::scalar) return kAvx2Scan;
#endif
  return kScalarScan;
}

Scan::Scan(const Affine& affine) : affine_(affine), in_map_(affine.is_north_up()) {
  if (in_map_) {
    per_u_ = 1 / affine.a;
    per_v_ = -1 / affine.e;
    return;
  }
  const auto inverted = geometry::inverse(affine);
  if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
  inverse_ = *inverted;
  affine_ = {1, 0, 0, 0, -1, 0};  // pixels are the units
}

RowScanner::RowScanner(const RasterFrame& frame)
    : scan_(frame.affine),
      window_(frame.window),
      width_(checked(window_.width)),
      height_(checked(window_.height)),
      kernels_(scan_kernels_of_this_run()) {}

/// The rows that the polygons may touch; false if they touch none, or no column.
bool RowScanner::begin(const MapMultiPolygon& polygons) {
  double v0 = std::numeric_limits<double>::infinity(), v1 = -v0, u0 = v0, u1 = -v0;
  const auto extend = [&](const std::vector<MapXY>& ring) {
    for (const MapXY& place : ring) {
      const ScanPoint p = scan_.scanned(place);
      u0 = p.u < u0 ? p.u : u0, u1 = p.u > u1 ? p.u : u1;
      v0 = p.v < v0 ? p.v : v0, v1 = p.v > v1 ? p.v : v1;
    }
  };
  for (const MapPolygon& polygon : polygons) {
    extend(polygon.outer);
    for (const auto& hole : polygon.holes) extend(hole);
  }
  if (!(v0 <= v1)) return false;
  error_ = std::max(
      {scan_.col_error(u0), scan_.col_error(u1), scan_.row_error(v0), scan_.row_error(v1)});
  const auto left = static_cast<double>(window_.col), top = static_cast<double>(window_.row);
  if (scan_.col_at(u1) < left - 1 || scan_.col_at(u0) > left + width_ + 1) return false;
  first_row_ = ceil_within(scan_.row_at(v0) - top - 1, height_);
  rows_ = ceil_within(scan_.row_at(v1) - top + 1, height_) - first_row_;
  return rows_ > 0;
}

/// First row of the window whose centre is at or below `v`; `estimate`: its fractional place in the
/// window.
std::int32_t RowScanner::first_row(double v, double estimate) const {
  std::int32_t row = ceil_within(estimate, height_);
  const double above = static_cast<double>(row) - estimate;
  if (above > error_ && above < 1 - error_) return row;
  while (row > 0 && scan_.v(window_.row + row - 1) >= v) --row;
  while (row < height_ && scan_.v(window_.row + row) < v) ++row;
  return row;
}

/// Written where it stays: a copy would wait for the stores of its parts.
void RowScanner::set_vertex(MapXY place, Vertex& out) const {
  out.at = scan_.scanned(place);
  out.from_row = scan_.row_at(out.at.v) - static_cast<double>(window_.row);
  out.col = scan_.col_at(out.at.u) - static_cast<double>(window_.col);
  out.row = first_row(out.at.v, out.from_row);
}

RowScanner::Vertex RowScanner::vertex(MapXY place) const {
  Vertex out;
  set_vertex(place, out);
  return out;
}

/// Calls `take(a, b)` for the edges that hold centres of rows, from top to bottom: an edge shared
/// by two polygons is cut in one way only.
template <class Take>
void RowScanner::each_edge(const std::vector<MapXY>& ring, Take take) {
  if (ring.size() < 2) return;
  Vertex last = vertex(ring.front());
  for (std::size_t k = 1; k < ring.size(); ++k) {
    const Vertex next = vertex(ring[k]);
    if (last.row < next.row)
      take(last, next);
    else if (next.row < last.row)
      take(next, last);
    last = next;
  }
}

template <class Take>
void RowScanner::each_edge(const MapMultiPolygon& polygons, Take take) {
  for (const MapPolygon& polygon : polygons) {
    each_edge(polygon.outer, take);
    for (const auto& hole : polygon.holes) each_edge(hole, take);
  }
}

/// The edge in rows first to first + count.
EdgeScan RowScanner::edge_scan(const Vertex& a, const Vertex& b, std::int32_t first,
                               std::int32_t count) const {
  const double slope = (b.col - a.col) / (b.from_row - a.from_row);
  const double from_a = static_cast<double>(first) - a.from_row;
  // Errors of the ends, and of the products and sums of the estimate.
  const double doubt = 4 * error_ * (2 + std::abs(slope)) +
                       4e-16 * (std::abs(a.col) + std::abs(b.col) +
                                std::abs(slope) * (std::abs(a.from_row) + std::abs(b.from_row)));
  return {a.col + from_a * slope, slope, doubt, width_, count};
}

bool RowScanner::is_usable(const EdgeScan& edge) {
  return std::isfinite(edge.first) && std::isfinite(edge.doubt);
}

std::int32_t RowScanner::columns(const Vertex& a, const Vertex& b, std::int32_t first,
                                 std::int32_t count, std::int32_t* cols) const {
  const EdgeScan edge = edge_scan(a, b, first, count);
  if (is_usable(edge) && !kernels_.columns(edge, cols)) return count;
  for (std::int32_t k = 0; k < count; ++k) {
    const double estimate = edge.first + static_cast<double>(k) * edge.step;
    const std::int32_t guess = ceil_within(estimate, width_);
    const double above = std::ceil(estimate) - estimate;
    cols[k] =
        above > edge.doubt && above < 1 - edge.doubt ? guess : exact_column(a, b, first + k, guess);
  }
  return count;
}

/// Takes the crossings of an edge in rows first to first + count into the spans.
void RowScanner::take(const Vertex& a, const Vertex& b, std::int32_t first, std::int32_t count) {
  std::array<std::int32_t, kChunk + kScanPadding> unsure;
  const auto at = first - first_row_;
  const RowSpans spans{spans_.low + at, spans_.high + at, spans_.crossings + at};
  const EdgeScan edge = edge_scan(a, b, first, count);
  const bool is_known = is_usable(edge);
  if (is_known && !kernels_.edge(edge, spans, unsure.data())) return;
  for (std::int32_t k = 0; k < count; ++k) {
    if (is_known && unsure[static_cast<std::size_t>(k)] == 0) continue;
    const std::int32_t col = exact_column(
        a, b, first + k, ceil_within(edge.first + static_cast<double>(k) * edge.step, width_));
    spans.low[k] = std::min(spans.low[k], col);
    spans.high[k] = std::max(spans.high[k], col);
    ++spans.crossings[k];
  }
}

/// First column of the window whose centre in the row is on or right of the edge.
std::int32_t RowScanner::exact_column(const Vertex& a, const Vertex& b, std::int32_t row,
                                      std::int32_t guess) const {
  const double v = scan_.v(window_.row + row);
  const auto is_right = [&](std::int32_t col) {
    return side(a.at, b.at, {scan_.u(window_.col + col), v}) <= 0;
  };
  while (guess > 0 && is_right(guess - 1)) --guess;
  while (guess < width_ && !is_right(guess)) ++guess;
  return guess;
}

bool RowScanner::chains(const MapMultiPolygon& polygons) {
  if (polygons.size() != 1 || !polygons.front().holes.empty() || rows_ > kFewRows) return false;
  const auto& ring = polygons.front().outer;
  if (ring.size() < 4 || ring.size() > kFewCorners + 1 || ring.front().x != ring.back().x ||
      ring.front().y != ring.back().y)
    return false;
  const std::size_t count = ring.size() - 1;
  std::array<Vertex, kFewCorners> corners;
  std::size_t top = 0, bottom = 0;
  for (std::size_t k = 0; k < count; ++k) {
    set_vertex(ring[k], corners[k]);
    if (corners[k].row < corners[top].row) top = k;
    if (corners[k].row > corners[bottom].row) bottom = k;
  }
  const std::int32_t first = corners[top].row;
  spans_ = {few_.data(), few_.data() + kFewRows + kScanPadding, nullptr};
  // From the top to the bottom: what is written behind the rows of an edge is the next one's.
  const auto run = [&](std::size_t step, std::int32_t* cols) {
    for (std::size_t k = top; k != bottom;) {
      const std::size_t next = k + step < count ? k + step : k + step - count;
      const Vertex &a = corners[k], &b = corners[next];
      if (b.row < a.row) return false;
      if (a.row < b.row) columns(a, b, a.row, b.row - a.row, cols + (a.row - first));
      k = next;
    }
    return true;
  };
  if (!run(1, spans_.low) || !run(count - 1, spans_.high)) return false;
  first_row_ = first, rows_ = corners[bottom].row - first;
  return true;
}

bool RowScanner::narrow_spans(const MapMultiPolygon& polygons) {
  const std::ptrdiff_t room = rows_ + kScanPadding;
  if (rows_ > kFewRows) many_.resize(3 * static_cast<std::size_t>(room));
  std::int32_t* first = rows_ > kFewRows ? many_.data() : few_.data();
  spans_ = {first, first + room, first + 2 * room};
  std::fill_n(spans_.low, room, std::numeric_limits<std::int32_t>::max());
  std::fill_n(spans_.high, 2 * room, 0);  // and the crossings behind them
  bool is_narrow = true;
  each_edge(polygons, [&](const Vertex& a, const Vertex& b) {
    if (!is_narrow) return;
    for (std::int32_t row = a.row; row < b.row; row += kChunk)
      take(a, b, row, std::min(kChunk, b.row - row));
    // A row that is crossed a third time is enough to know.
    is_narrow = spans_.crossings[a.row - first_row_] <= 2;
  });
  for (std::int32_t row = 0; is_narrow && row < rows_; ++row) {
    is_narrow = spans_.crossings[row] <= 2;
    if (spans_.crossings[row] == 0) spans_.low[row] = spans_.high[row];
  }
  return is_narrow;
}

std::int64_t RowScanner::fill(const MapMultiPolygon& polygons, std::uint8_t* pixels,
                              std::uint8_t value) {
  if (!begin(polygons)) return 0;
  if (chains(polygons) || narrow_spans(polygons))
    return kernels_.fill(pixels + static_cast<std::ptrdiff_t>(first_row_) * width_, width_, spans_,
                         rows_, value);
  std::int64_t count = 0;
  toggled_spans(polygons, [&](std::int32_t row, std::int32_t col, std::int32_t col_end) {
    std::fill_n(pixels + static_cast<std::ptrdiff_t>(row) * width_ + col, col_end - col, value);
    count += col_end - col;
  });
  return count;
}

void RowScanner::toggle(const MapMultiPolygon& polygons) {
  words_ = (width_ + 63) / 64 + 1;
  toggles_.assign(static_cast<std::size_t>(rows_ * words_), 0);
  std::array<std::int32_t, kChunk + kScanPadding> cols;
  each_edge(polygons, [&](const Vertex& a, const Vertex& b) {
    for (std::int32_t row = a.row; row < b.row; row += kChunk) {
      const std::int32_t count = columns(a, b, row, std::min(kChunk, b.row - row), cols.data());
      for (std::int32_t k = 0; k < count; ++k) {
        const auto col = cols[static_cast<std::size_t>(k)];
        toggles_[static_cast<std::size_t>((row + k - first_row_) * words_ + col / 64)] ^=
            std::uint64_t{1} << (col % 64);
      }
    }
  });
}

}  // namespace tilewright::geometry
