// SPDX-License-Identifier: Apache-2.0
// Nodes are ends of lines in a sorted array, counted.
#include "pipeline/stages/line_network.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tilewright::pipeline {

using geometry::MapLine;
using geometry::MapXY;

namespace {

constexpr double kNodesAUnit = 1e7;
constexpr double kMostCoordinate = 1e9;

std::pair<std::int64_t, std::int64_t> node_of(MapXY p) { return {std::llround(p.x * kNodesAUnit), std::llround(p.y * kNodesAUnit)}; }

}  // namespace

bool is_drawable(MapXY p) { return std::isfinite(p.x) && std::isfinite(p.y) && std::abs(p.x) < kMostCoordinate && std::abs(p.y) < kMostCoordinate; }

bool is_drawable(const MapLine& line) {
  return line.size() >= 2 && std::all_of(line.begin(), line.end(), [](MapXY p) { return is_drawable(p); });
}

double length_of(const MapLine& line) {
  double sum = 0;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) sum += std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y);
  return sum;
}

MapXY middle_of(const MapLine& line) {
  double half = length_of(line) / 2;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) {
    const double step = std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y);
    if (half <= step && step > 0)
      return {line[k].x + (line[k + 1].x - line[k].x) * half / step, line[k].y + (line[k + 1].y - line[k].y) * half / step};
    half -= step;
  }
  return line.back();
}

std::vector<double> tapered(const MapLine& line, double start, double end) {
  std::vector<double> out;
  const double length = length_of(line);
  if (start == end || !(length > 0)) return out;
  double along = 0;
  for (std::size_t k = 0; k < line.size(); ++k) {
    if (k > 0) along += std::hypot(line[k].x - line[k - 1].x, line[k].y - line[k - 1].y);
    out.push_back(start + (end - start) * std::min(along / length, 1.0));
  }
  return out;
}

void LineNetwork::add_ends(const MapLine& line) {
  if (!is_drawable(line)) return;
  degrees_.push_back({node_of(line.front()), 1});
  degrees_.push_back({node_of(line.back()), 1});
}

void LineNetwork::seal() {
  std::ranges::sort(degrees_, {}, &Degree::node);
  std::size_t end = 0;
  for (const Degree& degree : degrees_) {
    if (end > 0 && degrees_[end - 1].node == degree.node) degrees_[end - 1].count += degree.count;
    else degrees_[end++] = degree;
  }
  degrees_.resize(end);
}

void LineNetwork::add_inner(const MapLine& line) {
  if (!is_drawable(line)) return;
  for (std::size_t k = 1; k + 1 < line.size(); ++k)
    if (const auto at = find(line[k]); at < degrees_.size()) degrees_[at].count += 2;
}

bool LineNetwork::goes_on(MapXY end) const {
  const auto at = find(end);
  return at < degrees_.size() && degrees_[at].count >= 2;
}

std::size_t LineNetwork::find(MapXY place) const {
  const Node node = node_of(place);
  const auto found = std::ranges::lower_bound(degrees_, node, {}, &Degree::node);
  return found != degrees_.end() && found->node == node ? static_cast<std::size_t>(found - degrees_.begin()) : degrees_.size();
}

}  // namespace tilewright::pipeline
