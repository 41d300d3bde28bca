// SPDX-License-Identifier: Apache-2.0
// Two passes along a line: coarse to find the road, fine along it for its width.
#include "geometry/road_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "geometry/road_profiles.h"
#include "geometry/road_scores.h"

namespace tilewright::geometry {
namespace {

constexpr double kSmoothWeight = 2;  // of smoothness along the way, against that across
constexpr double kBendM = 3;         // along the way, between heights that are compared

/// A window of stations [begin, end) around `middle`.
struct Part {
  std::size_t begin, end, middle;
};
std::vector<Part> parts_of(const std::vector<RoadStation>& stations, const RoadFitConfig& config) {
  const double step = stations[1].along_m - stations[0].along_m;
  const auto half = std::max<std::size_t>(1, static_cast<std::size_t>(config.window_m / 2 / step));
  const auto stride =
      std::max<std::size_t>(1, static_cast<std::size_t>(config.window_step_m / step));
  std::vector<Part> parts;
  for (std::size_t middle = std::min(half, stations.size() / 2); middle < stations.size();
       middle += stride) {
    parts.push_back(
        {middle - std::min(half, middle), std::min(middle + half + 1, stations.size()), middle});
    if (middle + half >= stations.size()) break;
  }
  return parts;
}

/// Offsets of the windows, linear in between, constant beyond.
void move_stations(std::vector<RoadStation>& stations, const std::vector<Part>& parts,
                   const std::vector<double>& offsets) {
  std::size_t next = 0;
  for (std::size_t k = 0; k < stations.size(); ++k) {
    while (next < parts.size() && parts[next].middle < k) ++next;
    if (next == 0)
      stations[k].offset_m += offsets.front();
    else if (next == parts.size())
      stations[k].offset_m += offsets.back();
    else {
      const auto a = parts[next - 1].middle, b = parts[next].middle;
      const double t = static_cast<double>(k - a) / static_cast<double>(b - a);
      stations[k].offset_m += (1 - t) * offsets[next - 1] + t * offsets[next];
    }
  }
}

/// Running means, so that steps of the grid leave no corners.
std::vector<double> running_means(const std::vector<double>& values) {
  std::vector<double> out(values);
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto reach = std::min({std::size_t{2}, k, values.size() - 1 - k});
    double sum = 0;
    for (auto n = k - reach; n <= k + reach; ++n) sum += values[n];
    out[k] = sum / static_cast<double>(2 * reach + 1);
  }
  return out;
}

/// For each window the natural logs by which samples are smoother along the way than halfway
/// between the road (a low quantile) and what lies around (the median).
std::vector<std::vector<double>> smoothness(std::vector<std::vector<double>> rough,
                                            double least_noise) {
  std::vector<double> all;
  for (const auto& row : rough)
    for (const double value : row)
      if (!std::isnan(value)) all.push_back(std::max(value, least_noise));
  if (all.empty()) return rough;
  std::sort(all.begin(), all.end());
  const double low = all[all.size() / 10], high = all[all.size() / 2],
               middle = std::sqrt(low * high);
  for (auto& row : rough)
    for (double& value : row)
      value = std::isnan(value)
                  ? 0
                  : kSmoothWeight *
                        std::clamp(std::log(middle / std::max(value, least_noise)), -1.5, 1.5);
  return rough;
}

/// Likelihoods of one pass and the best path through them.
struct Pass {
  std::vector<Part> parts;
  std::vector<RoadScores> scores;
  std::vector<std::size_t> path;
  double around = 0;    ///< RoadNoise::around
  double contrast = 0;  ///< natural logs
};

/// `around_before`: of an earlier pass that saw more of the surroundings.
Pass run_pass(const std::vector<RoadStation>& stations, const Surface& surface,
              const RoadScorer& fitter, const RoadFitConfig& config, double around_before) {
  const Profiles profiles(stations, surface, fitter.reach_m(), config.profile_step_m);
  Pass pass{parts_of(stations, config), {}, {}, 0, 0};
  std::vector<std::vector<double>> windows;
  for (const auto& part : pass.parts) windows.push_back(profiles.window(part.begin, part.end));
  std::vector<std::vector<double>> rough;
  for (const auto& part : pass.parts)
    rough.push_back(profiles.roughness(
        part.begin, part.end,
        std::max<std::size_t>(1, static_cast<std::size_t>(kBendM / config.station_step_m))));
  const auto smooth = smoothness(std::move(rough), config.least_noise);
  RoadNoise noise = fitter.noise(windows, profiles.half());
  noise.around = pass.around = std::max(noise.around, around_before);
  noise.road = std::max(noise.road, std::min(config.soft_share * noise.around, config.soft_noise));
  pass.contrast = std::log(noise.around / noise.road);
  std::vector<RoadScores> with_prior;
  const double share = config.window_step_m / config.window_m;  // windows overlap
  for (std::size_t n = 0; n < windows.size(); ++n) {
    auto scores = fitter.likelihoods(windows[n], smooth[n], profiles.half(), noise);
    for (double& score : scores) score *= share;
    pass.scores.push_back(scores);
    for (std::size_t c = 0; c < fitter.grid().centres(); ++c)
      for (std::size_t w = 0; w < fitter.grid().widths(); ++w)
        scores[c * fitter.grid().widths() + w] +=
            share * (fitter.prior_of_width(w) +
                     fitter.prior_of_offset(c, stations[pass.parts[n].middle].offset_m));
    with_prior.push_back(std::move(scores));
  }
  pass.path = best_path(with_prior, fitter.grid(), config.profile_step_m);
  return pass;
}

/// One width for the line: likelihoods of the windows at their offsets, summed, and the prior once.
void set_width(const Pass& pass, const RoadScorer& fitter, const RoadFitConfig& config, RoadFit& fit) {
  const auto nw = fitter.grid().widths();
  RoadScores total(nw, 0);
  for (std::size_t w = 0; w < nw; ++w) total[w] = fitter.prior_of_width(w);
  for (std::size_t n = 0; n < pass.path.size(); ++n) {
    const auto c = pass.path[n] / nw;
    for (std::size_t w = 0; w < nw; ++w) {
      double best = pass.scores[n][c * nw + w];
      if (c > 0) best = std::max(best, pass.scores[n][(c - 1) * nw + w]);
      if (c + 1 < fitter.grid().centres()) best = std::max(best, pass.scores[n][(c + 1) * nw + w]);
      total[w] += best;
    }
  }
  const double most = *std::max_element(total.begin(), total.end());
  double mass = 0, mean = 0, square = 0;
  for (std::size_t w = 0; w < nw; ++w) {
    const double p = std::exp(total[w] - most);
    mass += p, mean += p * fitter.width_m(w), square += p * fitter.width_m(w) * fitter.width_m(w);
  }
  fit.width_m = mean / mass;
  fit.width_sigma_m = std::sqrt(std::max(0.0, square / mass - fit.width_m * fit.width_m) +
                                config.edge_sigma_m * config.edge_sigma_m * config.pixel_m);
}

std::vector<double> offsets_of(const Pass& pass, const RoadScorer& fitter) {
  std::vector<double> offsets;
  for (const auto state : pass.path)
    offsets.push_back(fitter.offset_m(state / fitter.grid().widths()));
  return running_means(offsets);
}

}  // namespace

RoadFit fit_road(const MapLine& line, const Surface& surface, const RoadPrior& prior,
                 const RoadFitConfig& config) {
  RoadFit fit;
  fit.width_m = prior.width_m;
  fit.width_sigma_m = prior.width_m * prior.width_sigma_log;
  fit.centre = line;
  fit.stations =
      line.size() < 2 ? std::vector<RoadStation>{} : stations_of(line, config.station_step_m);
  for (auto& station : fit.stations) station.width_m = prior.width_m;
  if (fit.stations.size() < 2) return fit;
  auto moved = fit.stations;
  RoadFitConfig coarse = config;
  coarse.profile_step_m = 2 * config.profile_step_m;
  const RoadScorer wide(prior, coarse, config.most_offset_m);
  const Pass first = run_pass(moved, surface, wide, coarse, 0);
  move_stations(moved, first.parts, offsets_of(first, wide));
  const RoadScorer narrow(prior, config, 3);  // profiles along the road itself are sharper
  const Pass second = run_pass(moved, surface, narrow, config, first.around);
  fit.contrast = second.contrast;
  if (!(fit.contrast >= config.least_contrast)) return fit;
  move_stations(moved, second.parts, offsets_of(second, narrow));
  fit.is_fitted = true;
  set_width(second, narrow, config, fit);
  fit.stations = moved;
  fit.centre.clear();
  for (auto& station : fit.stations) {
    station.width_m = fit.width_m;
    fit.offset_m += station.offset_m / static_cast<double>(fit.stations.size());
    fit.centre.push_back({station.on_line.x + station.offset_m * station.normal.x,
                          station.on_line.y + station.offset_m * station.normal.y});
  }
  return fit;
}

}  // namespace tilewright::geometry
