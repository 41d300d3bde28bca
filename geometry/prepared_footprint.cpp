// SPDX-License-Identifier: Apache-2.0
// What is worked out once per footprint: clean rings, running areas, boxes over runs of edges.
#include <algorithm>
#include <cmath>
#include <functional>

#include "geometry/edge_box.h"
#include "geometry/exact_side.h"
#include "geometry/footprint_overlap.h"

namespace tilewright::geometry {
namespace {

constexpr double kTolerance = 2e-11;        // of the footprint, an edge: a bound that is kept by a factor of four
constexpr double kMetresADegree = 111'000, kPi = 3.14159265358979323846;

double twice_turn(const std::vector<LonLat>& ring) {
  double sum = 0;
  for (std::size_t k = 1; k + 1 < ring.size(); ++k)
    sum += (ring[k].lon_deg - ring[0].lon_deg) * (ring[k + 1].lat_deg - ring[0].lat_deg) -
           (ring[k].lat_deg - ring[0].lat_deg) * (ring[k + 1].lon_deg - ring[0].lon_deg);
  return sum;
}

}  // namespace

PreparedFootprint::PreparedFootprint(const GeoMultiPolygon& polygons, Measure measure) : measure_(measure) {
  double square_deg = 0;
  const Box box = bounds(polygons);
  for (const GeoPolygon& polygon : polygons) {
    add_ring(polygon.outer, true);
    square_deg += std::abs(twice_turn(polygon.outer)) / 2;
    for (const auto& hole : polygon.holes) {
      add_ring(hole, false);
      square_deg -= std::abs(twice_turn(hole)) / 2;
    }
  }
  const double middle = box.empty() ? 0 : (box.min_y + box.max_y) / 2;
  base_ = parallel_near(middle);
  tolerance_ = kTolerance * square_deg * kMetresADegree * kMetresADegree * std::max(0.01, std::cos(middle * (kPi / 180)));
  sum_areas();
  stack_boxes();
  if (rings_.size() != 1 || points_.size() > kFan + 1) return;
  few_.count = static_cast<unsigned>(points_.size()) - 1;
  for (unsigned k = 0; k < kFan; ++k) {
    few_.lon[k] = points_[k < few_.count ? k : 0].lon_deg;
    few_.lat[k] = points_[k < few_.count ? k : 0].lat_deg;
  }
}

std::size_t PreparedFootprint::bytes() const {
  return sizeof(*this) + points_.capacity() * (sizeof(LonLat) + sizeof(double)) + points_.size() / 7 * sizeof(Box) + rings_.capacity() * sizeof(Ring);
}

bool PreparedFootprint::operator==(const PreparedFootprint& other) const {
  return measure_ == other.measure_ && points_ == other.points_ &&
         std::ranges::equal(rings_, other.rings_, {}, &Ring::first, &Ring::first);
}

std::size_t PreparedFootprint::hash() const {
  std::size_t hash = points_.size();
  for (const LonLat& p : points_)
    for (const double v : {p.lon_deg, p.lat_deg}) hash = (hash ^ std::hash<double>()(v)) * 0x9e3779b97f4a7c15ULL;
  return hash;
}

void PreparedFootprint::add_ring(const std::vector<LonLat>& ring, bool counter_clockwise) {
  const auto first = points_.size();
  for (const LonLat& p : ring) {
    const LonLat at{on_exact_lattice(p.lon_deg), on_exact_lattice(p.lat_deg)};
    if (points_.size() == first || !(points_.back() == at)) points_.push_back(at);
  }
  if (points_.size() < first + 4) {
    points_.resize(first);
    return;
  }
  if ((twice_turn(ring) > 0) != counter_clockwise) std::reverse(points_.begin() + static_cast<std::ptrdiff_t>(first), points_.end());
  Box box = box_of(points_[first], points_[first]);
  for (std::size_t k = first; k < points_.size(); ++k) box = around(box, box_of(points_[k], points_[k]));
  rings_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(points_.size() - 1), box});
}

/// Edges run counter-clockwise, so what lies below them counts negative.
void PreparedFootprint::sum_areas() {
  below_.assign(points_.size(), 0);
  long double all = 0;
  for (const Ring& ring : rings_) {
    long double sum = 0;
    for (std::uint32_t e = ring.first; e < ring.last; ++e) {
      sum += below(points_[e], points_[e + 1], tolerance_);
      below_[e + 1] = static_cast<double>(sum);
    }
    all -= sum;
  }
  area_ = std::max(0.0, static_cast<double>(all));
}

bool PreparedFootprint::is_gap_between_rings(std::uint32_t edge) const {
  const auto next = std::ranges::upper_bound(rings_, edge, {}, &Ring::first);
  return (next - 1)->last <= edge;
}

void PreparedFootprint::stack_boxes() {
  if (points_.size() < 2) return;
  std::vector<Box> level((points_.size() - 2) / kFan + 1);
  for (const Ring& ring : rings_) {
    for (std::uint32_t e = ring.first; e < ring.last; ++e) {
      Box& box = level[e / kFan];
      const Box edge = box_of(points_[e], points_[e + 1]);
      box = box.empty() ? edge : around(box, edge);
    }
  }
  boxes_.push_back(std::move(level));
  while (boxes_.back().size() > 1) {
    const auto& lower = boxes_.back();
    std::vector<Box> upper((lower.size() - 1) / kFan + 1);
    for (std::size_t n = 0; n < lower.size(); ++n) {
      Box& box = upper[n / kFan];
      box = n % kFan == 0 || box.empty() ? lower[n] : around(box, lower[n]);
    }
    boxes_.push_back(std::move(upper));
  }
}

}  // namespace tilewright::geometry
