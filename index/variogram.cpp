// SPDX-License-Identifier: Apache-2.0
// Pairs into bins, and a spherical model by a search over its range.
#include "index/variogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

namespace tilewright::index {
namespace {

constexpr std::size_t kLeastPlaces = 30, kMostPlaces = 2000, kBins = 15;
constexpr int kRanges = 120;               ///< tried between half of the first lag and the last
constexpr double kLeastStructure = 0.1;    ///< of the sill

std::vector<PlacedValue> drawn(std::span<const PlacedValue> values) {
  std::vector<PlacedValue> out(values.begin(), values.end());
  std::mt19937 random(1);
  for (std::size_t n = 0; n < out.size() && n < kMostPlaces; ++n) std::swap(out[n], out[n + random() % (out.size() - n)]);
  if (out.size() > kMostPlaces) out.resize(kMostPlaces);
  return out;
}

/// Calls each(distance, squared difference) for all pairs of one plane.
void each_pair(std::span<const PlacedValue> values, const auto& each) {
  for (std::size_t a = 0; a < values.size(); ++a)
    for (std::size_t b = a + 1; b < values.size(); ++b) {
      if (values[a].epsg != values[b].epsg) continue;
      const double d = values[a].value - values[b].value;
      each(std::hypot(values[a].at.x - values[b].at.x, values[a].at.y - values[b].at.y), d * d);
    }
}

Variogram binned(std::span<const PlacedValue> values) {
  double longest = 0;
  each_pair(values, [&](double distance, double) { longest = std::max(longest, distance); });
  const double width = longest / 2 / static_cast<double>(kBins);
  std::array<double, kBins> lag{}, square{};
  std::array<std::int64_t, kBins> pairs{};
  each_pair(values, [&](double distance, double squared) {
    const auto bin = width > 0 ? static_cast<std::size_t>(distance / width) : kBins;
    if (bin >= kBins) return;
    lag[bin] += distance, square[bin] += squared, ++pairs[bin];
  });
  Variogram out;
  for (std::size_t k = 0; k < kBins; ++k) {
    if (pairs[k] == 0) continue;
    const auto count = static_cast<double>(pairs[k]);
    out.lag_m.push_back(lag[k] / count), out.gamma.push_back(0.5 * square[k] / count), out.pairs.push_back(pairs[k]);
  }
  return out;
}

double spherical(double h, double range) {
  const double t = std::min(h / range, 1.0);
  return 1.5 * t - 0.5 * t * t * t;
}

struct Fit {
  double nugget, rise, error;
};

/// Nugget and rise of a range by weighted least squares, neither below 0.
Fit fit_of(const Variogram& bins, double range) {
  double w = 0, s = 0, g = 0, ss = 0, sg = 0;
  for (std::size_t k = 0; k < bins.lag_m.size(); ++k) {
    const double weight = static_cast<double>(bins.pairs[k]), shape = spherical(bins.lag_m[k], range);
    w += weight, s += weight * shape, g += weight * bins.gamma[k], ss += weight * shape * shape, sg += weight * shape * bins.gamma[k];
  }
  const double det = w * ss - s * s;
  Fit fit{g / w, 0, 0};
  if (det > 1e-12 * w * ss) fit = {(ss * g - s * sg) / det, (w * sg - s * g) / det, 0};
  if (fit.nugget < 0) fit = {0, sg / ss, 0};
  if (fit.rise < 0) fit = {g / w, 0, 0};
  for (std::size_t k = 0; k < bins.lag_m.size(); ++k) {
    const double off = fit.nugget + fit.rise * spherical(bins.lag_m[k], range) - bins.gamma[k];
    fit.error += static_cast<double>(bins.pairs[k]) * off * off;
  }
  return fit;
}

}  // namespace

std::optional<Variogram> variogram(std::span<const PlacedValue> values) {
  if (values.size() < kLeastPlaces) return std::nullopt;
  auto out = binned(drawn(values));
  if (out.lag_m.size() < 3) return std::nullopt;
  const double first = out.lag_m.front() / 2, last = out.lag_m.back();
  Fit best{0, 0, std::numeric_limits<double>::infinity()};
  for (int k = 0; k < kRanges; ++k) {
    const double range = first * std::pow(last / first, static_cast<double>(k) / (kRanges - 1));
    const auto fit = fit_of(out, range);
    if (fit.error >= best.error) continue;
    best = fit;
    out.range_m = range;
    out.is_longer = k == kRanges - 1;
  }
  out.nugget = best.nugget;
  out.sill = best.nugget + best.rise;
  if (!(best.rise > kLeastStructure * out.sill)) return std::nullopt;
  return out;
}

}  // namespace tilewright::index
