// SPDX-License-Identifier: Apache-2.0
// Areas of footprints and of their overlaps: exact crossings, no result polygon, any outline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry/edge_area.h"
#include "geometry/polygon.h"

namespace tilewright::geometry {

/// What areas are measured in.
enum class Measure {
  ellipsoid_m2,    ///< geodesic edges on WGS84
  plane_deg2,      ///< straight edges, square degrees: for comparison with planar tools
};

constexpr std::uint32_t kFan = 8;  ///< edges a box, and boxes a larger box

/// A footprint made ready for many overlaps: boxes over runs of edges, running areas along rings.
/// Outer rings and holes of either orientation; the polygons must be valid (they are after `gate`).
class PreparedFootprint {
 public:
  explicit PreparedFootprint(const GeoMultiPolygon& polygons, Measure measure = Measure::ellipsoid_m2);
  [[nodiscard]] double area() const { return area_; }
  [[nodiscard]] std::size_t bytes() const;
  /// Equal: the same corners in the same order.
  bool operator==(const PreparedFootprint& other) const;
  [[nodiscard]] std::size_t hash() const;

 private:
  friend class OverlapWalk;
  struct Ring {
    std::uint32_t first, last;  ///< edge e runs from points_[e] to points_[e + 1]; closed
    Box box;
  };
  /// The corners of a single ring of at most 8 edges, one array a coordinate; count 0 otherwise.
  struct FewCorners {
    double lon[kFan] = {}, lat[kFan] = {};
    unsigned count = 0;
    [[nodiscard]] unsigned after(unsigned k) const { return k + 1 == count ? 0 : k + 1; }
  };
  struct SideTable;
  [[nodiscard]] double below(LonLat p, LonLat q, double tolerance) const {
    if (measure_ == Measure::plane_deg2) return (q.lon_deg - p.lon_deg) * ((p.lat_deg + q.lat_deg) * 0.5);
    return area_below_edge_m2(p, q, base_, tolerance);
  }
  void add_ring(const std::vector<LonLat>& ring, bool counter_clockwise);
  void sum_areas();
  void stack_boxes();
  /// The step from the end of one ring to the start of the next is no edge.
  [[nodiscard]] bool is_gap(std::uint32_t edge) const { return rings_.size() > 1 && is_gap_between_rings(edge); }
  [[nodiscard]] bool is_gap_between_rings(std::uint32_t edge) const;

  Measure measure_;
  Parallel base_;
  double tolerance_ = 0, area_ = 0;
  std::vector<LonLat> points_;          ///< rings one after the other, each closed
  std::vector<double> below_;           ///< per point: area below its ring up to there
  std::vector<Ring> rings_;
  FewCorners few_;
  std::vector<std::vector<Box>> boxes_; ///< level 0: over 8 edges each; one box on the last level
};

/// Area of the part of the ground that both cover, in the measure of both: what the polygon with
/// straight edges in degrees between corners and crossings has, its edges then taken as geodesics.
/// Crossings are decided exactly; touching footprints share nothing but rounding (about 1e-15 of
/// the smaller one's box). O(crossings + log n) where outlines are not entangled. Thread-safe.
double overlap_area(const PreparedFootprint& a, const PreparedFootprint& b);

}  // namespace tilewright::geometry
