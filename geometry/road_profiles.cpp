// SPDX-License-Identifier: Apache-2.0
// Samples a surface across a line.
#include "geometry/road_profiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tilewright::geometry {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double median(std::vector<double>& values) {
  if (values.empty()) return kNan;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

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

Profiles::Profiles(const std::vector<RoadStation>& stations, const Surface& surface, double reach_m, double step_m)
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

std::vector<double> Profiles::window(std::size_t begin, std::size_t end) const {
  std::vector<double> out, column;
  for (std::size_t k = 0; k < rows_.front().size(); ++k) {
    column.clear();
    for (auto n = begin; n < end; ++n)
      if (!std::isnan(rows_[n][k])) column.push_back(rows_[n][k]);
    out.push_back(column.size() * 2 >= end - begin ? median(column) : kNan);
  }
  return out;
}

std::vector<double> Profiles::roughness(std::size_t begin, std::size_t end,
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

}  // namespace tilewright::geometry
