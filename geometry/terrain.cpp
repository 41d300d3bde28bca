// SPDX-License-Identifier: Apache-2.0
// Stretch, relief, slope and shade: sums run in one fixed order, so that borders change no bit.
#include "geometry/terrain.h"

#include <algorithm>
#include <cmath>

namespace tilewright::geometry {
namespace {

constexpr double kPi = 3.14159265358979323846;

std::size_t at(const HeightField& field, std::int64_t col, std::int64_t row) { return static_cast<std::size_t>(row * field.width + col); }

/// Calls `each(col, row)` for the pixels of `inner` and collects what it gives.
template <class Each>
std::vector<float> for_inner(const Window& inner, const Each& each) {
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(inner.width * inner.height));
  for (std::int64_t row = inner.row; row < inner.row + inner.height; ++row)
    for (std::int64_t col = inner.col; col < inner.col + inner.width; ++col) out.push_back(static_cast<float>(each(col, row)));
  return out;
}

struct Gradient {
  double east = 0, north = 0;  ///< rise over run
};
Gradient horn(const HeightField& field, std::int64_t col, std::int64_t row, double pixel_m) {
  const double centre = field.z[at(field, col, row)];
  const auto z = [&](std::int64_t dx, std::int64_t dy) {
    const auto c = col + dx, r = row + dy;
    const bool known = c >= 0 && r >= 0 && c < field.width && r < field.height && field.valid[at(field, c, r)];
    return known ? field.z[at(field, c, r)] - centre : 0;
  };
  const double east = (z(1, -1) + 2 * z(1, 0) + z(1, 1)) - (z(-1, -1) + 2 * z(-1, 0) + z(-1, 1));
  const double south = (z(-1, 1) + 2 * z(0, 1) + z(1, 1)) - (z(-1, -1) + 2 * z(0, -1) + z(1, -1));
  return {east / (8 * pixel_m), -south / (8 * pixel_m)};
}

std::vector<double> gaussian(int sigma_px) {
  std::vector<double> weights;
  for (int k = -3 * sigma_px; k <= 3 * sigma_px; ++k) weights.push_back(std::exp(-0.5 * k * k / (static_cast<double>(sigma_px) * sigma_px)));
  return weights;
}

/// Value at a percentile of sorted numbers, linear between ranks.
double percentile(const std::vector<double>& sorted, double percent) {
  const double rank = percent / 100 * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const double part = rank - static_cast<double>(low);
  return part == 0 ? sorted[low] : sorted[low] + part * (sorted[low + 1] - sorted[low]);
}

}  // namespace

std::vector<float> stretched(const HeightField& field, const Window& inner, double low_percent, double high_percent) {
  std::vector<double> sorted;
  for (std::int64_t row = inner.row; row < inner.row + inner.height; ++row)
    for (std::int64_t col = inner.col; col < inner.col + inner.width; ++col) sorted.push_back(field.z[at(field, col, row)]);
  std::sort(sorted.begin(), sorted.end());
  const double low = percentile(sorted, low_percent), range = percentile(sorted, high_percent) - low;
  return for_inner(inner, [&](std::int64_t col, std::int64_t row) {
    return range > 0 ? std::clamp((field.z[at(field, col, row)] - low) / range, 0.0, 1.0) : 0.0;
  });
}

std::vector<float> relief(const HeightField& field, const Window& inner, int sigma_px) {
  const auto weights = gaussian(sigma_px);
  const auto reach = std::int64_t{3} * sigma_px;
  // Sums along rows, for the rows that columns will ask for; what is unknown adds exact zeros.
  const std::int64_t top = std::max<std::int64_t>(0, inner.row - reach), bottom = std::min(field.height, inner.row + inner.height + reach);
  std::vector<double> sums(static_cast<std::size_t>((bottom - top) * inner.width)), parts(sums.size());
  for (std::int64_t row = top; row < bottom; ++row)
    for (std::int64_t col = 0; col < inner.width; ++col) {
      double sum = 0, part = 0;
      for (std::int64_t k = -reach; k <= reach; ++k) {
        const auto c = inner.col + col + k;
        if (c < 0 || c >= field.width || !field.valid[at(field, c, row)]) continue;
        const double weight = weights[static_cast<std::size_t>(k + reach)];
        sum += weight * field.z[at(field, c, row)];
        part += weight;
      }
      sums[static_cast<std::size_t>((row - top) * inner.width + col)] = sum;
      parts[static_cast<std::size_t>((row - top) * inner.width + col)] = part;
    }
  return for_inner(inner, [&](std::int64_t col, std::int64_t row) {
    double sum = 0, part = 0;
    for (std::int64_t k = -reach; k <= reach; ++k) {
      if (row + k < top || row + k >= bottom) continue;
      const auto from = static_cast<std::size_t>((row + k - top) * inner.width + col - inner.col);
      sum += weights[static_cast<std::size_t>(k + reach)] * sums[from];
      part += weights[static_cast<std::size_t>(k + reach)] * parts[from];
    }
    return field.z[at(field, col, row)] - sum / part;
  });
}

std::vector<float> slope_deg(const HeightField& field, const Window& inner, double pixel_m) {
  return for_inner(inner, [&](std::int64_t col, std::int64_t row) {
    const auto g = horn(field, col, row, pixel_m);
    return std::atan(std::hypot(g.east, g.north)) * 180 / kPi;
  });
}

std::vector<float> hillshade(const HeightField& field, const Window& inner, double pixel_m) {
  const double half = std::sqrt(0.5);  // sine and cosine of 45 degrees
  const double suns[4][2] = {{-half, half}, {half, half}, {half, -half}, {-half, -half}};  // east, north
  return for_inner(inner, [&](std::int64_t col, std::int64_t row) {
    const auto g = horn(field, col, row, pixel_m);
    const double length = std::sqrt(1 + g.east * g.east + g.north * g.north);
    double sum = 0;
    for (const auto& sun : suns) sum += std::max(0.0, half * (1 - g.east * sun[0] - g.north * sun[1]) / length);
    return sum / 4;
  });
}

}  // namespace tilewright::geometry
