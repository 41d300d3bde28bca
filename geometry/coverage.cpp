// SPDX-License-Identifier: Apache-2.0
// Signed areas to the right of each edge, summed as integers.
#include "geometry/coverage.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

std::int64_t fixed(double area) { return std::llround(area * static_cast<double>(kWholePixel)); }

std::int64_t clamped_floor(double value, std::int64_t low, std::int64_t high) {
  if (!(value > static_cast<double>(low))) return low;
  if (value >= static_cast<double>(high)) return high;
  return static_cast<std::int64_t>(std::floor(value));
}

/// Integral over v of the part of [col, col + 1) to the right of the segment from (u0) to (u1),
/// for a segment of height `height` inside one row of pixels.
double area_right_of(double u0, double u1, double height, double col) {
  const double low = std::min(u0, u1) - col, high = std::max(u0, u1) - col;
  if (low >= 1) return 0;
  if (high <= 0) return height;
  if (low >= 0 && high <= 1) return height * (1 - (low + high) / 2);
  // Mean of clamp(1 - u, 0, 1) for u uniform in [low, high].
  const auto primitive = [](double u) { return u <= 0 ? u : u >= 1 ? 0.5 : u - u * u / 2; };
  return height * (primitive(high) - primitive(low)) / (high - low);
}

/// Sums of a window while edges are added: `jumps` holds what changes from pixel to pixel of a row.
class Coverage {
 public:
  explicit Coverage(const RasterFrame& frame) : window_(frame.window), jumps_(static_cast<std::size_t>((window_.width + 1) * window_.height), 0) {
    const auto inverted = inverse(frame.affine);
    if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
    pixel_from_map_ = *inverted;
  }

  /// What lies to the right of an edge counts up where the edge runs down along its outer ring's left side.
  void add(const MapPolygon& polygon) {
    const auto outer = in_pixels(polygon.outer);
    const std::int64_t sign = runs_up_on_the_left(outer) ? -1 : 1;
    add_ring(outer, sign);
    for (const auto& hole : polygon.holes) add_ring(in_pixels(hole), sign);
  }

  void add_to(std::span<std::int64_t> sums) const {
    for (std::int64_t row = 0; row < window_.height; ++row) {
      std::int64_t sum = 0;
      for (std::int64_t col = 0; col < window_.width; ++col) {
        sum += jumps_[static_cast<std::size_t>(row * (window_.width + 1) + col)];
        sums[static_cast<std::size_t>(row * window_.width + col)] += sum;
      }
    }
  }

 private:
  [[nodiscard]] std::vector<PixelXY> in_pixels(const std::vector<MapXY>& ring) const {
    std::vector<PixelXY> out;
    out.reserve(ring.size());
    for (const auto& point : ring) out.push_back(pixel_from_map(pixel_from_map_, point));
    return out;
  }

  static bool runs_up_on_the_left(const std::vector<PixelXY>& ring) {
    double doubled_area = 0;
    for (std::size_t k = 0; k + 1 < ring.size(); ++k)
      doubled_area += (ring[k].col - ring[0].col) * (ring[k + 1].row - ring[0].row) - (ring[k + 1].col - ring[0].col) * (ring[k].row - ring[0].row);
    return doubled_area > 0;
  }

  void add_ring(const std::vector<PixelXY>& ring, std::int64_t sign) {
    for (std::size_t k = 0; k + 1 < ring.size(); ++k) add_edge(ring[k], ring[k + 1], sign);
  }

  /// `a` and `b` are taken from top to bottom, so that an edge shared by two polygons cancels.
  void add_edge(PixelXY a, PixelXY b, std::int64_t sign) {
    if (a.row == b.row) return;
    if (a.row > b.row) {
      std::swap(a, b);
      sign = -sign;
    }
    const auto first = clamped_floor(a.row, window_.row, window_.row + window_.height);
    const auto end = clamped_floor(std::ceil(b.row), window_.row, window_.row + window_.height);
    const double slope = (b.col - a.col) / (b.row - a.row);
    const auto col_at = [&](double row) { return row <= a.row ? a.col : row >= b.row ? b.col : a.col + (row - a.row) * slope; };
    for (auto row = first; row < end; ++row) {
      const double top = std::max(a.row, static_cast<double>(row)), bottom = std::min(b.row, static_cast<double>(row + 1));
      if (top < bottom) add_piece({row, top, bottom, col_at(top), col_at(bottom)}, sign);
    }
  }

  /// The part of an edge inside one row of pixels.
  struct Piece {
    std::int64_t row;
    double top, bottom, u_top, u_bottom;
  };

  void add_piece(const Piece& piece, std::int64_t sign) {
    const auto [row, top, bottom, u0, u1] = piece;
    // Rounded ends, not a rounded difference: the heights of edges that meet cancel to zero.
    const std::int64_t whole = fixed(bottom - static_cast<double>(row)) - fixed(top - static_cast<double>(row));
    const auto col_end = window_.col + window_.width;
    const auto first = clamped_floor(std::min(u0, u1), window_.col, col_end);
    const auto last = clamped_floor(std::max(u0, u1), window_.col, col_end);
    auto* jumps = jumps_.data() + (row - window_.row) * (window_.width + 1) - window_.col;
    std::int64_t before = 0;
    for (auto col = first; col <= std::min(last, col_end - 1); ++col) {
      const auto left = static_cast<double>(col);
      const auto area = std::max(u0, u1) <= left ? whole : std::min(whole, fixed(area_right_of(u0, u1, bottom - top, left)));
      jumps[col] += sign * (area - before);
      before = area;
    }
    if (last < col_end) jumps[last + 1] += sign * (whole - before);
  }

  Window window_;
  Affine pixel_from_map_;
  std::vector<std::int64_t> jumps_;
};

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const MapMultiPolygon& polygons, T value) {
  std::vector<std::int64_t> sums(mask.pixels.size(), 0);
  add_coverage(mask.frame, polygons, sums);
  std::int64_t count = 0;
  for (std::size_t n = 0; n < sums.size(); ++n) {
    if (sums[n] <= 2) continue;
    mask.pixels[n] = value;
    ++count;
  }
  return count;
}

}  // namespace

void add_coverage(const RasterFrame& frame, const MapMultiPolygon& polygons, std::span<std::int64_t> sums) {
  Coverage coverage(frame);
  for (const auto& polygon : polygons) coverage.add(polygon);
  coverage.add_to(sums);
}

float coverage_of(std::int64_t sum) {
  return static_cast<float>(static_cast<double>(std::clamp<std::int64_t>(sum, 0, kWholePixel)) / static_cast<double>(kWholePixel));
}

std::int64_t fill_touched(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons, std::uint8_t value) { return fill(mask, polygons, value); }
std::int64_t fill_touched(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons, std::uint32_t value) { return fill(mask, polygons, value); }

}  // namespace tilewright::geometry
