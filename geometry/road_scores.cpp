// SPDX-License-Identifier: Apache-2.0
// A crown fitted to samples, its likelihood against the ground beside it, priors.
#include "geometry/road_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "geometry/road_profiles.h"

namespace tilewright::geometry {
namespace {

// Natural logs: what a sample can bring and cost.
constexpr double kMostGain = 1.5;
constexpr double kWorstSample = 8;
constexpr double kBesideM = 3;  // ground beside a road that must not look like it
constexpr double kBesideWeight = 0.8;

/// A crown z = a + b x + k |x| with little slope, fitted to samples centre +- half.
struct Crown {
  double slope_weight, crown_weight, step_m;  ///< (noise / sigma)^2 of the two slopes
  double b = 0, crown = 0;                    ///< slopes of the last fit

  /// Calls `sample(offset in samples from the centre, squared residual)` for the samples of the fit
  /// and for `beyond` more on each side, after `gap`; false if a sample of the fit is missing.
  template <class Sample>
  bool fit(const std::vector<double>& z, std::ptrdiff_t centre, std::ptrdiff_t half,
           std::ptrdiff_t gap, std::ptrdiff_t beyond, Sample sample) {
    double n = 0, sx = 0, sxx = 0, sz = 0, sxz = 0, saz = 0;
    for (auto k = -half; k <= half; ++k) {
      const double v = z[static_cast<std::size_t>(centre + k)], x = static_cast<double>(k) * step_m,
                   ax = std::abs(x);
      if (std::isnan(v)) return false;
      n += 1, sx += ax, sxx += x * x, sz += v, sxz += x * v, saz += ax * v;
    }
    b = sxz / (sxx + slope_weight);
    const double determinant = n * (sxx + crown_weight) - sx * sx;
    const double a = (sz * (sxx + crown_weight) - sx * saz) / determinant;
    crown = (n * saz - sx * sz) / determinant;
    const auto residual = [&](std::ptrdiff_t k) {
      const auto at = centre + k;
      if (at < 0 || at >= static_cast<std::ptrdiff_t>(z.size())) return;
      const double x = static_cast<double>(k) * step_m,
                   r = z[static_cast<std::size_t>(at)] - a - b * x - crown * std::abs(x);
      if (!std::isnan(r)) sample(k, r * r);
    };
    for (auto k = -half; k <= half; ++k) residual(k);
    for (auto k = half + gap; k < half + gap + beyond; ++k) residual(k), residual(-k);
    return true;
  }
};

Crown crown_of(const RoadFitConfig& config, double noise) {
  const auto weight = [&](double sigma) { return noise * noise / (sigma * sigma); };
  return {weight(config.cross_slope_sigma), weight(config.crown_sigma), config.profile_step_m};
}

}  // namespace

RoadScorer::RoadScorer(const RoadPrior& prior, const RoadFitConfig& config, double most_offset_m)
    : prior_(prior), config_(config) {
  const double step = config.profile_step_m;
  const auto samples = [&](double m) {
    return static_cast<std::ptrdiff_t>(std::lround(m / step));
  };
  const double least = std::max(config.least_width_m, prior.width_m / 2) - config.pixel_m,
               most = std::min(config.most_width_m, prior.width_m * 2) - config.pixel_m;
  grid_ = {samples(most_offset_m), std::max<std::ptrdiff_t>(2, samples(least / 2)),
           std::max(samples(least / 2) + 1, samples(most / 2))};
  reach_m_ = most_offset_m + most / 2 + 3;
  gap_ = samples(config.pixel_m) + 1;
  beside_ = samples(kBesideM);
  start_half_ = std::clamp(samples((prior.width_m - config.pixel_m) / 2), grid_.least_half,
                           grid_.most_half);
}

RoadNoise RoadScorer::noise(const std::vector<std::vector<double>>& windows,
                          std::ptrdiff_t middle) const {
  std::vector<double> best, all;
  Crown crown = crown_of(config_, config_.least_noise);
  for (const auto& z : windows) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t c = 0; c < grid_.centres(); ++c) {
      double sum = 0, count = 0;
      double beside = 0, beside_count = 0;
      const auto half = std::max<std::ptrdiff_t>(2, start_half_ * 3 / 4);
      const bool is_known =
          crown.fit(z, middle + grid_.centre(c), half, start_half_ - half + gap_, beside_,
                    [&](std::ptrdiff_t k, double r2) {
                      if (std::abs(k) <= half)
                        sum += r2, count += 1;
                      else
                        beside += r2, beside_count += 1;
                    });
      if (!is_known || beside_count == 0) continue;
      all.push_back(std::sqrt(beside / beside_count));
      least = std::min(least, std::sqrt(sum / count));
    }
    if (std::isfinite(least)) best.push_back(least);
  }
  if (best.empty()) return {1, 1};
  return {std::max(config_.least_noise, 1.3 * median(best)),
          std::max(config_.least_noise, median(all))};
}

RoadScores RoadScorer::likelihoods(const std::vector<double>& z, const std::vector<double>& smooth,
                                 std::ptrdiff_t middle, RoadNoise noise) const {
  RoadScores scores(grid_.size(), 0);
  Crown crown = crown_of(config_, noise.road);
  const double gain = std::min(std::log(noise.around / noise.road), kMostGain) + 0.5,
               each = config_.profile_step_m / std::max(config_.profile_step_m, config_.pixel_m);
  for (std::size_t c = 0; c < grid_.centres(); ++c)
    for (std::size_t w = 0; w < grid_.widths(); ++w) {
      double sum = 0;
      const auto half = grid_.least_half + static_cast<std::ptrdiff_t>(w);
      const bool is_known = crown.fit(
          z, middle + grid_.centre(c), half, gap_, beside_, [&](std::ptrdiff_t k, double r2) {
            const double along = smooth[static_cast<std::size_t>(middle + grid_.centre(c) + k)];
            const double is_road =
                std::max(gain - r2 / (2 * noise.road * noise.road), -kWorstSample) + along;
            sum += std::abs(k) <= half ? is_road : -kBesideWeight * std::max(is_road, -gain);
          });
      const double cs = crown.b / config_.cross_slope_sigma,
                   ck = (crown.crown - config_.crown) / config_.crown_sigma;
      scores[c * grid_.widths() + w] = is_known ? sum * each - (cs * cs + ck * ck) / 2 : 0;
    }
  return scores;
}

double RoadScorer::prior_of_width(std::size_t w) const {
  const double x = std::log(width_m(w) / prior_.width_m) / prior_.width_sigma_log;
  return -x * x / 2;
}

double RoadScorer::prior_of_offset(std::size_t c, double moved_m) const {
  const double x = (offset_m(c) + moved_m) / prior_.offset_sigma_m;
  return -x * x / 2;
}

}  // namespace tilewright::geometry
