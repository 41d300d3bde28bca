// SPDX-License-Identifier: Apache-2.0
// The lattice phase that most tiles have.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "index/view_planner.h"

namespace tilewright::index {
namespace {

constexpr double kSame_px = 0.01;     ///< phases nearer than this are one
constexpr double kRounding_px = 1e-6; ///< a phase this near to zero is zero

/// Position modulo resolution in map units, [0, resolution).
double phase_m(double position, double resolution) {
  const double phase = position - std::floor(position / resolution) * resolution;
  const bool is_zero = std::abs(phase) < kRounding_px * resolution || phase > (1 - kRounding_px) * resolution;
  return is_zero ? 0 : phase;
}

/// As a fraction of a pixel, without the last digits: equal phases of far places meet.
double rounded_px(double phase, double resolution) { return std::round(phase / resolution / kRounding_px) * kRounding_px; }

bool is_near(double a_px, double b_px) {
  const double apart = std::abs(a_px - b_px);
  return std::min(apart, 1 - apart) <= kSame_px;
}

struct Group {
  double x_px = 0, y_px = 0;
  geometry::MapXY phase;        ///< smallest of the group, map units
  std::int64_t tiles = 0;       ///< here
  std::int64_t supporters = 0;  ///< here or near
};

std::vector<Group> groups_of(std::span<const geometry::MapXY> origins, double resolution) {
  std::map<std::pair<double, double>, Group> by_phase;
  for (const auto& origin : origins) {
    const geometry::MapXY phase{phase_m(origin.x, resolution), phase_m(origin.y, resolution)};
    const std::pair key{rounded_px(phase.x, resolution), rounded_px(phase.y, resolution)};
    auto& group = by_phase.try_emplace(key, Group{key.first, key.second, phase}).first->second;
    if (std::pair(phase.x, phase.y) < std::pair(group.phase.x, group.phase.y)) group.phase = phase;
    ++group.tiles;
  }
  std::vector<Group> groups;
  groups.reserve(by_phase.size());
  for (const auto& [key, group] : by_phase) groups.push_back(group);
  return groups;
}

}  // namespace

geometry::MapXY most_common_phase(std::span<const geometry::MapXY> origins, double resolution) {
  auto groups = groups_of(origins, resolution);
  if (groups.empty()) return {0, 0};
  for (auto& group : groups)
    for (const auto& other : groups)
      if (is_near(group.x_px, other.x_px) && is_near(group.y_px, other.y_px)) group.supporters += other.tiles;
  const auto better = [](const Group& a, const Group& b) {
    return a.supporters != b.supporters ? a.supporters > b.supporters : a.tiles > b.tiles;
  };
  std::ranges::stable_sort(groups, better);  // ties stay in order of (x, y)
  const auto& best = groups.front();
  for (const auto& other : groups) {
    if (other.supporters < best.supporters) break;
    if (!is_near(best.x_px, other.x_px) || !is_near(best.y_px, other.y_px)) return {0, 0};
  }
  return best.phase;
}

}  // namespace tilewright::index
