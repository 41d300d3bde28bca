// SPDX-License-Identifier: Apache-2.0
// Median cross-profiles, likelihoods of (offset, width), and the best path along the line.
#include "geometry/road_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace tilewright::geometry {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// Natural logs: what a sample can bring and cost, and what changes cost from window to window.
constexpr double kMostGain = 1.5;
constexpr double kWorstSample = 8;
constexpr double kOffsetCost = 1.5;  // a metre
constexpr double kWidthCost = 2;     // a metre
constexpr double kSmoothWeight = 2;  // of smoothness along the way, against that across
constexpr double kBendM = 3;         // along the way, between heights that are compared
constexpr double kBesideM = 3;       // ground beside a road that must not look like it
constexpr double kBesideWeight = 0.8;
constexpr double kCrown = -0.01;       // roads fall to their edges
constexpr double kModelSigmaM = 0.34;  // edges of roads are not sharper than this in pixels of 1 m

double median(std::vector<double>& values) {
  if (values.empty()) return kNan;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Places every `step` metres of a line with the normal of the way around them.
std::vector<RoadStation> stations_of(const MapLine& line, double step) {
  std::vector<double> at{0};
  for (std::size_t k = 0; k + 1 < line.size(); ++k)
    at.push_back(at.back() + std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y));
  const double length = at.back();
  const auto place = [&](double along) {
    along = std::clamp(along, 0.0, length);
    const auto next = static_cast<std::size_t>(
        std::upper_bound(at.begin() + 1, at.end() - 1, along) - at.begin());
    const double part =
        at[next] > at[next - 1] ? (along - at[next - 1]) / (at[next] - at[next - 1]) : 0;
    return MapXY{line[next - 1].x + part * (line[next].x - line[next - 1].x),
                 line[next - 1].y + part * (line[next].y - line[next - 1].y)};
  };
  constexpr double kTangentM = 6;
  std::vector<RoadStation> stations;
  if (!(length > 0)) return stations;
  const auto count =
      std::max<std::size_t>(2, static_cast<std::size_t>(std::ceil(length / step)) + 1);
  for (std::size_t k = 0; k < count; ++k) {
    const double along = length * static_cast<double>(k) / static_cast<double>(count - 1);
    const MapXY a = place(along - kTangentM), b = place(along + kTangentM);
    const double size = std::hypot(b.x - a.x, b.y - a.y);
    if (size > 0)
      stations.push_back({along, place(along), {-(b.y - a.y) / size, (b.x - a.x) / size}, 0, 0});
  }
  return stations;
}

/// Heights across the line, at offsets -reach ... reach from a station's own offset.
class Profiles {
 public:
  Profiles(const std::vector<RoadStation>& stations, const Surface& surface, double reach_m,
           double step_m)
      : half_(static_cast<std::ptrdiff_t>(std::ceil(reach_m / step_m))), step_m_(step_m) {
    for (const auto& station : stations) {
      std::vector<double> heights;
      for (auto k = -half_; k <= half_; ++k) {
        const double t = station.offset_m + static_cast<double>(k) * step_m_;
        heights.push_back(surface(
            {station.on_line.x + t * station.normal.x, station.on_line.y + t * station.normal.y}));
      }
      std::vector<double> known;
      for (const double h : heights)
        if (!std::isnan(h)) known.push_back(h);
      raw_.push_back(heights);
      const double level = median(known);
      for (double& h : heights) h -= level;
      rows_.push_back(std::move(heights));
    }
  }
  [[nodiscard]] std::ptrdiff_t half() const { return half_; }
  /// Median of the profiles [begin, end).
  [[nodiscard]] std::vector<double> window(std::size_t begin, std::size_t end) const {
    std::vector<double> out, column;
    for (std::size_t k = 0; k < rows_.front().size(); ++k) {
      column.clear();
      for (auto n = begin; n < end; ++n)
        if (!std::isnan(rows_[n][k])) column.push_back(rows_[n][k]);
      out.push_back(column.size() * 2 >= end - begin ? median(column) : kNan);
    }
    return out;
  }
  /// How rough the ground is along the way at each offset: median second difference over `reach`
  /// profiles, as a standard deviation; NaN where little is known.
  [[nodiscard]] std::vector<double> roughness(std::size_t begin, std::size_t end,
                                              std::size_t reach) const {
    std::vector<double> out, column;
    for (std::size_t k = 0; k < raw_.front().size(); ++k) {
      column.clear();
      for (auto n = begin + reach; n + reach < end; ++n) {
        const double bend = raw_[n - reach][k] - 2 * raw_[n][k] + raw_[n + reach][k];
        if (!std::isnan(bend)) column.push_back(std::abs(bend));
      }
      out.push_back(median(column) / (0.6745 * std::sqrt(6.0)));
    }
    return out;
  }

 private:
  std::ptrdiff_t half_;
  double step_m_;
  std::vector<std::vector<double>> rows_, raw_;  ///< without their level, and as they are
};

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

/// Offsets and widths that compete: centres at multiples of two samples, half widths of one.
struct Grid {
  std::ptrdiff_t most_centre, least_half, most_half;  ///< in samples
  [[nodiscard]] std::size_t centres() const {
    return static_cast<std::size_t>(most_centre / 2 * 2 + 1);
  }
  [[nodiscard]] std::size_t widths() const {
    return static_cast<std::size_t>(most_half - least_half + 1);
  }
  [[nodiscard]] std::ptrdiff_t centre(std::size_t c) const {
    return (static_cast<std::ptrdiff_t>(c) - most_centre / 2) * 2;
  }
  [[nodiscard]] std::size_t size() const { return centres() * widths(); }
};

using Scores = std::vector<double>;  ///< [centre][width]

/// Root mean squared residuals that a road (small) and its surroundings (large) have on this line.
struct Noise {
  double road, around;
};

class Fitter {
 public:
  Fitter(const RoadPrior& prior, const RoadFitConfig& config, double most_offset_m)
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

  [[nodiscard]] double reach_m() const { return reach_m_; }
  [[nodiscard]] const Grid& grid() const { return grid_; }
  /// Of a road whose samples fit up to `w`: those within half a pixel of its edges show both sides.
  [[nodiscard]] double width_m(std::size_t w) const {
    return 2 * static_cast<double>(grid_.least_half + static_cast<std::ptrdiff_t>(w)) *
               config_.profile_step_m +
           config_.pixel_m;
  }
  [[nodiscard]] double offset_m(std::size_t c) const {
    return static_cast<double>(grid_.centre(c)) * config_.profile_step_m;
  }

  /// Of all windows of a line: what the best place leaves is the road's, what lies beside a place
  /// differs.
  [[nodiscard]] Noise noise(const std::vector<std::vector<double>>& windows,
                            std::ptrdiff_t middle) const {
    std::vector<double> best, all;
    Crown crown = crown_of(config_.least_noise);
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

  /// `smooth`: natural logs by which each sample looks like a road along the way.
  [[nodiscard]] Scores likelihoods(const std::vector<double>& z, const std::vector<double>& smooth,
                                   std::ptrdiff_t middle, Noise noise) const {
    Scores scores(grid_.size(), 0);
    Crown crown = crown_of(noise.road);
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
                     ck = (crown.crown - kCrown) / config_.crown_sigma;
        scores[c * grid_.widths() + w] = is_known ? sum * each - (cs * cs + ck * ck) / 2 : 0;
      }
    return scores;
  }

  [[nodiscard]] double prior_of_width(std::size_t w) const {
    const double x = std::log(width_m(w) / prior_.width_m) / prior_.width_sigma_log;
    return -x * x / 2;
  }
  [[nodiscard]] double prior_of_offset(std::size_t c, double moved_m) const {
    const double x = (offset_m(c) + moved_m) / prior_.offset_sigma_m;
    return -x * x / 2;
  }

  /// The path of highest score: changes of offset and width from window to window cost.
  [[nodiscard]] std::vector<std::size_t> best_path(const std::vector<Scores>& scores) const {
    const std::size_t nw = grid_.widths(), nc = grid_.centres();
    std::vector<std::vector<std::uint32_t>> from(scores.size());
    Scores best = scores.front();
    for (std::size_t n = 1; n < scores.size(); ++n) {
      auto& origin = from[n];
      origin.resize(best.size());
      for (std::size_t k = 0; k < best.size(); ++k) origin[k] = static_cast<std::uint32_t>(k);
      for (std::size_t c = 0; c < nc; ++c)
        spread(best, origin, c * nw, 1, nw, kWidthCost * 2 * config_.profile_step_m);
      for (std::size_t w = 0; w < nw; ++w)
        spread(best, origin, w, nw, nc, kOffsetCost * 2 * config_.profile_step_m);
      for (std::size_t k = 0; k < best.size(); ++k) best[k] += scores[n][k];
    }
    std::vector<std::size_t> path(scores.size());
    path.back() =
        static_cast<std::size_t>(std::max_element(best.begin(), best.end()) - best.begin());
    for (std::size_t n = scores.size(); n-- > 1;) path[n - 1] = from[n][path[n]];
    return path;
  }

 private:
  [[nodiscard]] Crown crown_of(double noise) const {
    const auto weight = [&](double sigma) { return noise * noise / (sigma * sigma); };
    return {weight(config_.cross_slope_sigma), weight(config_.crown_sigma), config_.profile_step_m};
  }
  /// best[k] = max over j of best[j] - cost |k - j| along one axis.
  static void spread(Scores& best, std::vector<std::uint32_t>& origin, std::size_t first,
                     std::size_t step, std::size_t count, double cost) {
    const auto pass = [&](std::size_t k, std::size_t before) {
      if (best[before] - cost <= best[k]) return;
      best[k] = best[before] - cost;
      origin[k] = origin[before];
    };
    for (std::size_t n = 1; n < count; ++n) pass(first + n * step, first + (n - 1) * step);
    for (std::size_t n = count - 1; n-- > 0;) pass(first + n * step, first + (n + 1) * step);
  }

  RoadPrior prior_;
  RoadFitConfig config_;
  Grid grid_{};
  std::ptrdiff_t start_half_ = 0, gap_ = 1, beside_ = 1;
  double reach_m_ = 0;
};

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
  std::vector<Scores> scores;
  std::vector<std::size_t> path;
  double around = 0;    ///< Noise::around
  double contrast = 0;  ///< natural logs
};

/// `around_before`: of an earlier pass that saw more of the surroundings.
Pass run_pass(const std::vector<RoadStation>& stations, const Surface& surface,
              const Fitter& fitter, const RoadFitConfig& config, double around_before) {
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
  Noise noise = fitter.noise(windows, profiles.half());
  noise.around = pass.around = std::max(noise.around, around_before);
  pass.contrast = std::log(noise.around / noise.road);
  std::vector<Scores> with_prior;
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
  pass.path = fitter.best_path(with_prior);
  return pass;
}

/// One width for the line: likelihoods of the windows at their offsets, summed, and the prior once.
void set_width(const Pass& pass, const Fitter& fitter, double pixel_m, RoadFit& fit) {
  const auto nw = fitter.grid().widths();
  Scores total(nw, 0);
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
                                kModelSigmaM * kModelSigmaM * pixel_m);
}

std::vector<double> offsets_of(const Pass& pass, const Fitter& fitter) {
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
  const Fitter wide(prior, coarse, config.most_offset_m);
  const Pass first = run_pass(moved, surface, wide, coarse, 0);
  move_stations(moved, first.parts, offsets_of(first, wide));
  const Fitter narrow(prior, config, 3);  // profiles along the road itself are sharper
  const Pass second = run_pass(moved, surface, narrow, config, first.around);
  fit.contrast = second.contrast;
  if (!(fit.contrast >= config.least_contrast)) return fit;
  move_stations(moved, second.parts, offsets_of(second, narrow));
  fit.is_fitted = true;
  set_width(second, narrow, config.pixel_m, fit);
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
