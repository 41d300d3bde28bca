// SPDX-License-Identifier: Apache-2.0
// Greedy lines between corners and middles of edges, inside a cone that keeps every corner in reach.
#include "pipeline/stages/simplify_outline.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tilewright::pipeline {
namespace {

using geometry::PixelXY;
using Ring = std::vector<PixelXY>;

constexpr std::size_t kMostPassed = 4096;

double cross(PixelXY o, PixelXY a, PixelXY b) { return (a.col - o.col) * (b.row - o.row) - (a.row - o.row) * (b.col - o.col); }

double distance_to_segment(PixelXY p, PixelXY a, PixelXY b) {
  const double dx = b.col - a.col, dy = b.row - a.row, length2 = dx * dx + dy * dy;
  const double t = length2 > 0 ? std::clamp(((p.col - a.col) * dx + (p.row - a.row) * dy) / length2, 0.0, 1.0) : 0;
  return std::hypot(p.col - a.col - t * dx, p.row - a.row - t * dy);
}

/// Directions from an anchor that pass every point so far within the reach.
class Cone {
 public:
  Cone(PixelXY anchor, double reach) : anchor_(anchor), reach_(reach) {}
  /// False: no direction is left.
  bool narrow(PixelXY p) {
    const double r = std::hypot(p.col - anchor_.col, p.row - anchor_.row);
    if (r <= reach_) return true;
    const double half = std::asin(reach_ / r), at = angle(p);
    low_ = std::max(low_, at - half);
    high_ = std::min(high_, at + half);
    return low_ <= high_;
  }
  [[nodiscard]] bool holds(PixelXY p) {
    const double at = angle(p);
    return at >= low_ && at <= high_;
  }

 private:
  double angle(PixelXY p) {
    const double at = std::atan2(p.row - anchor_.row, p.col - anchor_.col);
    if (!has_first_) first_ = at;
    has_first_ = true;
    return std::remainder(at - first_, 2 * std::numbers::pi);
  }
  PixelXY anchor_;
  double reach_, low_ = -std::numbers::pi, high_ = std::numbers::pi;
  double first_ = 0;  ///< other directions are told from it
  bool has_first_ = false;
};

/// The end of a line: its place, the next corner behind it, and the area between line and outline.
struct End {
  PixelXY at;
  std::size_t next = 0;
  double area = 0;
};

class Simplifier {
 public:
  Simplifier(double reach_px, double area_px2) : reach_(reach_px), most_(area_px2) {}

  Ring ring(const Ring& closed) {
    if (closed.size() <= 5) return closed;
    corners_ = closed;
    corners_.pop_back();
    // A corner that is outermost in both directions is one of the shape, not of a staircase.
    const auto first = std::min_element(corners_.begin(), corners_.end(), [](auto a, auto b) { return std::pair(a.col + a.row, a.col) < std::pair(b.col + b.row, b.col); });
    std::rotate(corners_.begin(), first, corners_.end());
    corners_.push_back(corners_.front());
    Ring out{corners_.front()};
    for (std::size_t next = 1; next < corners_.size();) {
      const auto end = furthest(out.back(), next);
      drift_ += end.area;
      out.push_back(end.at);
      next = end.next;
    }
    return out.size() < 4 ? closed : out;
  }

 private:
  [[nodiscard]] bool is_in_reach(PixelXY from, std::size_t next, const End& end) const {
    for (auto i = next; i < end.next; ++i)
      if (distance_to_segment(corners_[i], from, end.at) > reach_) return false;
    return true;
  }

  /// Where the longest line from `from` ends, whose next corner is `next`.
  [[nodiscard]] End furthest(PixelXY from, std::size_t next) const {
    std::vector<End> ends;
    Cone cone(from, reach_);
    double area = 0;
    auto previous = from;
    const auto last = std::min(corners_.size(), next + kMostPassed);
    for (auto i = next; i < last; ++i) {
      const auto corner = corners_[i];
      const PixelXY middle{(previous.col + corner.col) / 2, (previous.row + corner.row) / 2};
      const End half{middle, i, area + cross(from, previous, middle) / 2};
      area += cross(from, previous, corner) / 2;
      for (const auto& end : {half, End{corner, i + 1, area}})
        if (i > next && std::abs(drift_ + end.area) <= most_ && cone.holds(end.at)) ends.push_back(end);
      if (!cone.narrow(corner)) break;
      previous = corner;
    }
    for (; !ends.empty(); ends.pop_back())
      if (is_in_reach(from, next, ends.back())) return ends.back();
    return {corners_[next], next + 1, 0};  // along the edge itself
  }

  Ring corners_;  ///< closed
  double reach_, most_, drift_ = 0;
};

}  // namespace

geometry::PixelMultiPolygon simplified(const geometry::PixelMultiPolygon& outline, double reach_px, double area_px2) {
  Simplifier simplifier(reach_px, area_px2);
  geometry::PixelMultiPolygon out;
  for (const auto& polygon : outline) {
    auto& next = out.emplace_back();
    next.outer = simplifier.ring(polygon.outer);
    for (const auto& hole : polygon.holes) next.holes.push_back(simplifier.ring(hole));
  }
  return out;
}

}  // namespace tilewright::pipeline
