// SPDX-License-Identifier: Apache-2.0
// Windows, affine transforms and location ids.
#include "geometry/grid.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace tilewright::geometry {
namespace {

std::string signed_text(std::int64_t value) {
  const std::string text = std::to_string(value);
  return value < 0 ? "m" + text.substr(1) : text;
}

/// Takes `prefix` and a canonical decimal number off the front of `rest`.
std::optional<std::int64_t> take_number(std::string_view& rest, std::string_view prefix,
                                        bool may_be_negative) {
  if (!rest.starts_with(prefix)) return std::nullopt;
  rest.remove_prefix(prefix.size());
  const bool negative = may_be_negative && rest.starts_with('m');
  if (negative) rest.remove_prefix(1);
  if (rest.empty() || rest[0] < '0' || rest[0] > '9') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  const auto digits = static_cast<std::size_t>(end - rest.data());
  if (error != std::errc{} || (rest[0] == '0' && digits > 1)) return std::nullopt;
  if (negative && value == 0) return std::nullopt;
  rest.remove_prefix(digits);
  return negative ? -value : value;
}

}  // namespace

Window intersection(const Window& a, const Window& b) {
  const std::int64_t col = std::max(a.col, b.col), row = std::max(a.row, b.row);
  const std::int64_t col_end = std::min(a.col + a.width, b.col + b.width);
  const std::int64_t row_end = std::min(a.row + a.height, b.row + b.height);
  if (col_end <= col || row_end <= row) return {col, row, 0, 0};
  return {col, row, col_end - col, row_end - row};
}

std::optional<Affine> inverse(const Affine& t) {
  const double determinant = t.a * t.e - t.b * t.d;
  if (!std::isfinite(determinant) || determinant == 0) return std::nullopt;
  Affine r;
  r.a = t.e / determinant;
  r.b = -t.b / determinant;
  r.d = -t.d / determinant;
  r.e = t.a / determinant;
  r.c = -(r.a * t.c + r.b * t.f);
  r.f = -(r.d * t.c + r.e * t.f);
  for (const double value : {r.a, r.b, r.c, r.d, r.e, r.f})
    if (!std::isfinite(value)) return std::nullopt;
  return r;
}

Affine shifted(const Affine& affine, PixelXY offset) {
  const MapXY corner = affine.map_from_pixel(offset);
  Affine result = affine;
  result.c = corner.x;
  result.f = corner.y;
  return result;
}

Affine lattice_affine(const Lattice& lattice) {
  return {lattice.resolution_m, 0, lattice.origin.x, 0, -lattice.resolution_m, lattice.origin.y};
}

Window lattice_pixels(const LatticeWindow& window) {
  return {window.i, -window.j, window.size_px, window.size_px};
}

MapXY upper_left(const Lattice& lattice, const LatticeWindow& window) {
  return lattice_affine(lattice).map_from_pixel(
      {static_cast<double>(window.i), -static_cast<double>(window.j)});
}

Affine window_affine(const Lattice& lattice, const LatticeWindow& window) {
  return shifted(lattice_affine(lattice),
                 {static_cast<double>(window.i), -static_cast<double>(window.j)});
}

std::string location_id(const Lattice& lattice, const LatticeWindow& window) {
  const std::int64_t micrometres = std::llround(lattice.resolution_m * 1e6);
  return "e" + std::to_string(lattice.epsg) + "_r" + std::to_string(micrometres) + "_s" +
         std::to_string(window.size_px) + "_x" + signed_text(window.i) + "_y" +
         signed_text(window.j);
}

std::optional<LocationKey> parse_location_id(const std::string& id) {
  std::string_view rest = id;
  const auto epsg = take_number(rest, "e", false);
  const auto resolution = epsg ? take_number(rest, "_r", false) : std::nullopt;
  const auto size = resolution ? take_number(rest, "_s", false) : std::nullopt;
  const auto i = size ? take_number(rest, "_x", true) : std::nullopt;
  const auto j = i ? take_number(rest, "_y", true) : std::nullopt;
  constexpr std::int64_t kMax = 2'147'483'647;
  if (!j || !rest.empty() || *epsg > kMax || *size > kMax) return std::nullopt;
  return LocationKey{static_cast<int>(*epsg), *resolution, {*i, *j, static_cast<int>(*size)}};
}

}  // namespace tilewright::geometry
