// SPDX-License-Identifier: Apache-2.0
// Separable searches of the neighbourhood; no value depends on anything beyond its reach.
#include "geometry/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tilewright::geometry {
namespace {

constexpr std::uint32_t kNone = 0;                                       ///< background
constexpr std::uint32_t kSeveral = kUnknownObject - 1;  ///< two or more objects

std::size_t at(const IdImage& image, std::int64_t col, std::int64_t row) { return static_cast<std::size_t>(row * image.width + col); }

/// Rows to the nearest pixel of the other kind in the same column; `most` + 1 if there is none so near.
std::vector<std::int32_t> rows_to_other_kind(const IdImage& image, std::int32_t most) {
  std::vector<std::int32_t> rows(image.ids.size(), most + 1);
  const auto pass = [&](std::int64_t col, std::int64_t begin, std::int64_t end, std::int64_t step) {
    std::int32_t distance = most + 1;
    bool kind = image.ids[at(image, col, begin)] != kNone;
    for (auto row = begin; row != end; row += step) {
      const auto n = at(image, col, row);
      const bool here = image.ids[n] != kNone;
      distance = here != kind ? 1 : std::min(distance + 1, most + 1);
      kind = here;
      rows[n] = std::min(rows[n], distance);
    }
  };
  for (std::int64_t col = 0; col < image.width && image.height > 0; ++col) {
    pass(col, 0, image.height, 1);
    pass(col, image.height - 1, -1, -1);
  }
  return rows;
}

/// `kSeveral` where a window of 2 reach + 1 pixels along an axis holds more than one object.
/// `step`: 1 along rows, width along columns.
std::vector<std::uint32_t> merged(const std::vector<std::uint32_t>& ids, std::int64_t lines, std::int64_t length, std::int64_t line_step,
                                  std::int64_t step, int reach) {
  std::vector<std::uint32_t> out(ids.size(), kNone);
  for (std::int64_t line = 0; line < lines; ++line)
    for (std::int64_t k = 0; k < length; ++k) {
      std::uint32_t found = kNone;
      for (auto n = std::max<std::int64_t>(0, k - reach); n <= std::min(length - 1, k + reach) && found != kSeveral; ++n) {
        const auto id = ids[static_cast<std::size_t>(line * line_step + n * step)];
        if (id == kNone || id == found) continue;
        found = found == kNone ? id : kSeveral;
      }
      out[static_cast<std::size_t>(line * line_step + k * step)] = found;
    }
  return out;
}

bool has_unknown(const IdImage& image) { return std::ranges::find(image.ids, kUnknownObject) != image.ids.end(); }

std::vector<std::uint32_t> with_unknown_as(const IdImage& image, std::uint32_t id) {
  std::vector<std::uint32_t> ids(image.ids.begin(), image.ids.end());
  std::ranges::replace(ids, kUnknownObject, id);
  return ids;
}

std::vector<float> distance_of_known(const IdImage& image, PixelSize pixel, double most_m) {
  const auto reach_rows = static_cast<std::int32_t>(std::ceil(most_m / pixel.north_m));
  const auto reach_cols = static_cast<std::int64_t>(std::ceil(most_m / pixel.east_m));
  const auto rows = rows_to_other_kind(image, reach_rows);
  std::vector<float> out(image.ids.size());
  for (std::int64_t row = 0; row < image.height; ++row)
    for (std::int64_t col = 0; col < image.width; ++col) {
      const bool kind = image.ids[at(image, col, row)] != kNone;
      double best = most_m * most_m;
      const auto look = [&](std::int64_t c, double across) {
        if (c < 0 || c >= image.width) return;
        const auto n = at(image, c, row);
        const double along = (image.ids[n] != kNone) != kind ? 0.0 : rows[n] * pixel.north_m;
        best = std::min(best, across * across + along * along);
      };
      for (std::int64_t step = 0; step <= reach_cols; ++step) {
        const double across = static_cast<double>(step) * pixel.east_m;
        if (across * across >= best) break;
        look(col - step, across);
        if (step > 0) look(col + step, across);
      }
      out[at(image, col, row)] = static_cast<float>(kind ? std::sqrt(best) : -std::sqrt(best));
    }
  return out;
}

/// Objects within reach of each pixel: none, one id, or kSeveral.
std::vector<std::uint32_t> objects_around(const std::vector<std::uint32_t>& ids, const IdImage& image, int reach) {
  return merged(merged(ids, image.height, image.width, image.width, 1, reach), image.width, image.height, 1, image.width, reach);
}

}  // namespace

std::vector<float> signed_distance_m(const IdImage& image, PixelSize pixel, double most_m) {
  if (!has_unknown(image)) return distance_of_known(image, pixel, most_m);
  const auto empty = with_unknown_as(image, kNone), full = with_unknown_as(image, kSeveral);
  auto out = distance_of_known({image.width, image.height, empty}, pixel, most_m);
  const auto other = distance_of_known({image.width, image.height, full}, pixel, most_m);
  for (std::size_t n = 0; n < out.size(); ++n)
    if (out[n] != other[n]) out[n] = std::numeric_limits<float>::quiet_NaN();
  return out;
}

std::vector<std::uint8_t> boundary_band(const IdImage& image, int band_px) {
  std::vector<std::uint8_t> out(image.ids.size(), 0);
  const auto value_of = [&](std::int64_t col, std::int64_t row) -> std::uint8_t {
    const auto id = image.ids[at(image, col, row)];
    if (id == kNone) return 0;
    if (id == kUnknownObject) return kUnknownPixel;
    std::uint8_t value = 0;
    for (auto r = std::max<std::int64_t>(0, row - band_px); r <= std::min(image.height - 1, row + band_px); ++r)
      for (auto c = std::max<std::int64_t>(0, col - band_px); c <= std::min(image.width - 1, col + band_px); ++c) {
        const auto other = image.ids[at(image, c, r)];
        if (other == kUnknownObject) value = kUnknownPixel;
        else if (other != id) return 1;
      }
    return value;
  };
  for (std::int64_t row = 0; row < image.height; ++row)
    for (std::int64_t col = 0; col < image.width; ++col) out[at(image, col, row)] = value_of(col, row);
  return out;
}

std::vector<std::uint8_t> contact(const IdImage& image, int near_px) {
  const auto around = objects_around(with_unknown_as(image, kNone), image, near_px);
  std::vector<std::uint32_t> unknown(image.ids.size(), kNone);
  if (has_unknown(image)) {
    for (std::size_t n = 0; n < unknown.size(); ++n)
      if (image.ids[n] == kUnknownObject) unknown[n] = static_cast<std::uint32_t>(n + 1);  // each could be an object of its own
    unknown = objects_around(unknown, image, near_px);
  }
  std::vector<std::uint8_t> out(image.ids.size(), 0);
  for (std::size_t n = 0; n < out.size(); ++n) {
    const auto id = image.ids[n];
    if (id == kUnknownObject) out[n] = kUnknownPixel;
    if (id != kNone) continue;
    const bool could_be = unknown[n] == kSeveral || (unknown[n] != kNone && around[n] != kNone);
    out[n] = around[n] == kSeveral ? 1 : could_be ? kUnknownPixel : 0;
  }
  return out;
}

}  // namespace tilewright::geometry
