// SPDX-License-Identifier: Apache-2.0
// Separable searches of the neighbourhood; no value depends on anything beyond its reach.
#include "geometry/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tilewright::geometry {
namespace {

constexpr std::uint32_t kNone = 0;                                       ///< background
constexpr std::uint32_t kSeveral = std::numeric_limits<std::uint32_t>::max();  ///< two or more objects

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

}  // namespace

std::vector<float> signed_distance_m(const IdImage& image, PixelSize pixel, double most_m) {
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

std::vector<std::uint8_t> boundary_band(const IdImage& image, int band_px) {
  std::vector<std::uint8_t> out(image.ids.size(), 0);
  for (std::int64_t row = 0; row < image.height; ++row)
    for (std::int64_t col = 0; col < image.width; ++col) {
      const auto id = image.ids[at(image, col, row)];
      if (id == kNone) continue;
      const auto differs = [&] {
        for (auto r = std::max<std::int64_t>(0, row - band_px); r <= std::min(image.height - 1, row + band_px); ++r)
          for (auto c = std::max<std::int64_t>(0, col - band_px); c <= std::min(image.width - 1, col + band_px); ++c)
            if (image.ids[at(image, c, r)] != id) return true;
        return false;
      };
      out[at(image, col, row)] = differs() ? 1 : 0;
    }
  return out;
}

std::vector<std::uint8_t> contact(const IdImage& image, int near_px) {
  const std::vector<std::uint32_t> ids(image.ids.begin(), image.ids.end());
  const auto along_rows = merged(ids, image.height, image.width, image.width, 1, near_px);
  const auto around = merged(along_rows, image.width, image.height, 1, image.width, near_px);
  std::vector<std::uint8_t> out(ids.size());
  for (std::size_t n = 0; n < ids.size(); ++n) out[n] = ids[n] == kNone && around[n] == kSeveral ? 1 : 0;
  return out;
}

}  // namespace tilewright::geometry
