// SPDX-License-Identifier: Apache-2.0
// How well each offset and width of a road explains a cross-profile.
#pragma once

#include <cstddef>
#include <vector>

#include "geometry/road_fit.h"

namespace tilewright::geometry {

/// Offsets and widths that compete: centres at multiples of two samples, half widths of one.
struct RoadGrid {
  std::ptrdiff_t most_centre, least_half, most_half;  ///< in samples
  [[nodiscard]] std::size_t centres() const { return static_cast<std::size_t>(most_centre / 2 * 2 + 1); }
  [[nodiscard]] std::size_t widths() const { return static_cast<std::size_t>(most_half - least_half + 1); }
  [[nodiscard]] std::ptrdiff_t centre(std::size_t c) const { return (static_cast<std::ptrdiff_t>(c) - most_centre / 2) * 2; }
  [[nodiscard]] std::size_t size() const { return centres() * widths(); }
};

using RoadScores = std::vector<double>;  ///< [centre][width]

/// Root mean squared residuals that a road (small) and its surroundings (large) have on this line.
struct RoadNoise {
  double road, around;
};

class RoadScorer {
 public:
  RoadScorer(const RoadPrior& prior, const RoadFitConfig& config, double most_offset_m);
  [[nodiscard]] double reach_m() const { return reach_m_; }
  [[nodiscard]] const RoadGrid& grid() const { return grid_; }
  /// Of a road whose samples fit up to `w`: those within half a pixel of its edges show both sides.
  [[nodiscard]] double width_m(std::size_t w) const {
    return 2 * static_cast<double>(grid_.least_half + static_cast<std::ptrdiff_t>(w)) * config_.profile_step_m + config_.pixel_m;
  }
  [[nodiscard]] double offset_m(std::size_t c) const { return static_cast<double>(grid_.centre(c)) * config_.profile_step_m; }
  /// Of all windows of a line: what the best place leaves is the road's, what lies beside a place differs.
  [[nodiscard]] RoadNoise noise(const std::vector<std::vector<double>>& windows, std::ptrdiff_t middle) const;
  /// `smooth`: natural logs by which each sample looks like a road along the way.
  [[nodiscard]] RoadScores likelihoods(const std::vector<double>& z, const std::vector<double>& smooth, std::ptrdiff_t middle, RoadNoise noise) const;
  [[nodiscard]] double prior_of_width(std::size_t w) const;
  [[nodiscard]] double prior_of_offset(std::size_t c, double moved_m) const;

 private:
  RoadPrior prior_;
  RoadFitConfig config_;
  RoadGrid grid_{};
  std::ptrdiff_t start_half_ = 0, gap_ = 1, beside_ = 1;
  double reach_m_ = 0;
};

/// The path of highest score through the windows of a line: changes of offset and width from window to window cost.
/// Each place is centre * widths + width.
std::vector<std::size_t> best_path(const std::vector<RoadScores>& scores, const RoadGrid& grid, double step_m);

}  // namespace tilewright::geometry
