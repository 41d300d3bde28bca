// SPDX-License-Identifier: Apache-2.0
// Cross-profiles of a surface along a line: sampled, levelled, and as medians of windows.
#pragma once

#include <cstddef>
#include <vector>

#include "geometry/road_fit.h"

namespace tilewright::geometry {

/// The middle value (upper of two); NaN for none. Reorders `values`.
double median(std::vector<double>& values);

/// Places every `step` metres of a line with the normal of the way around them; none without length.
std::vector<RoadStation> stations_of(const MapLine& line, double step);

/// Heights across the line, at offsets -reach ... reach from a station's own offset.
class Profiles {
 public:
  Profiles(const std::vector<RoadStation>& stations, const Surface& surface, double reach_m, double step_m);
  [[nodiscard]] std::ptrdiff_t half() const { return half_; }
  /// Median of the profiles [begin, end).
  [[nodiscard]] std::vector<double> window(std::size_t begin, std::size_t end) const;
  /// How rough the ground is along the way at each offset: median second difference over `reach`
  /// profiles, as a standard deviation; NaN where little is known.
  [[nodiscard]] std::vector<double> roughness(std::size_t begin, std::size_t end, std::size_t reach) const;

 private:
  std::ptrdiff_t half_;
  double step_m_;
  std::vector<std::vector<double>> rows_, raw_;  ///< without their level, and as they are
};

}  // namespace tilewright::geometry
