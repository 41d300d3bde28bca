// SPDX-License-Identifier: Apache-2.0
// Intersection, union and difference of valid polygons, and the gate for foreign ones.
//
// All of them cut the edges on an integer grid (2^-46 of the extent), count winding numbers of the
// faces and keep those that the operation's rule selects: exact predicates, no special cases.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>

#include "geometry/arrangement.h"
#include "geometry/error.h"
#include "geometry/polygon.h"

namespace tilewright::geometry {
namespace {

constexpr std::size_t kMaxVertices = 1'000'000;
constexpr double kMaxCoordinate = 1e15;

using Ring = std::vector<MapXY>;

double twice_signed_area(const Ring& ring) {
  double sum = 0;
  for (std::size_t k = 1; k + 1 < ring.size(); ++k)
    sum += (ring[k].x - ring[0].x) * (ring[k + 1].y - ring[0].y) -
           (ring[k].y - ring[0].y) * (ring[k + 1].x - ring[0].x);
  return sum;
}

/// Edges of up to two operands on one snapping grid.
class Overlay {
 public:
  explicit Overlay(const std::vector<const MapMultiPolygon*>& operands) : grid_(vertices(operands)) {}

  void add(const MapMultiPolygon& polygons, int first, int second) {
    for (const MapPolygon& polygon : polygons) {
      add_ring(polygon.outer, first, second);
      for (const Ring& hole : polygon.holes) add_ring(hole, first, second);
    }
  }
  void add_ring(const Ring& ring, int first, int second) {
    for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
      const GridPoint from = grid_.snapped(ring[k]), to = grid_.snapped(ring[k + 1]);
      if (from != to) edges_.push_back(directed(from, to, first, second));
    }
  }

  struct Result {
    GridRings rings;
    bool was_planar = false, converged = false;
  };
  Result result(FaceRule rule) {
    Noded noded = node(std::move(edges_));
    Result r;
    r.was_planar = noded.was_planar;
    r.converged = noded.converged;
    if (r.converged) r.rings = rings_of(noded.edges, rule);
    return r;
  }

  [[nodiscard]] MapMultiPolygon polygons(const GridRings& rings) const {
    MapMultiPolygon result;
    for (std::size_t p = 0; p < rings.outer.size(); ++p) {
      MapPolygon polygon{ring(rings.outer[p]), {}};
      for (const GridRing& hole : rings.holes[p]) polygon.holes.push_back(ring(hole));
      result.push_back(std::move(polygon));
    }
    return result;
  }
  [[nodiscard]] const SnapGrid& grid() const { return grid_; }

 private:
  static std::vector<MapXY> vertices(const std::vector<const MapMultiPolygon*>& operands) {
    std::vector<MapXY> points;
    for (const MapMultiPolygon* polygons : operands)
      for (const MapPolygon& polygon : *polygons) {
        points.insert(points.end(), polygon.outer.begin(), polygon.outer.end());
        for (const Ring& hole : polygon.holes) points.insert(points.end(), hole.begin(), hole.end());
      }
    return points;
  }
  [[nodiscard]] Ring ring(const GridRing& source) const {
    Ring points;
    points.reserve(source.points.size() + 1);
    for (const GridPoint p : source.points) points.push_back(grid_.original(p));
    points.push_back(points.front());
    return points;
  }

  SnapGrid grid_;
  std::vector<GridEdge> edges_;
};

MapMultiPolygon overlaid(const MapMultiPolygon& a, const MapMultiPolygon& b, FaceRule rule) {
  Overlay overlay({&a, &b});
  overlay.add(a, 1, 0);
  overlay.add(b, 0, 1);
  const Overlay::Result result = overlay.result(rule);
  if (!result.converged)
    throw Error::failed("overlay of two polygon sets: too many crossings of their edges; simplify them");
  return overlay.polygons(result.rings);
}

bool apart(const Box& a, const Box& b) {
  return a.empty() || b.empty() || a.max_x < b.min_x || b.max_x < a.min_x || a.max_y < b.min_y ||
         b.max_y < a.min_y;
}

MapMultiPolygon to_map(const GeoMultiPolygon& source) {
  MapMultiPolygon result;
  const auto ring = [](const std::vector<LonLat>& points) {
    Ring r;
    r.reserve(points.size());
    for (const LonLat& p : points) r.push_back({p.lon_deg, p.lat_deg});
    return r;
  };
  for (const GeoPolygon& polygon : source) {
    MapPolygon p{ring(polygon.outer), {}};
    for (const auto& hole : polygon.holes) p.holes.push_back(ring(hole));
    result.push_back(std::move(p));
  }
  return result;
}

GeoMultiPolygon to_geo(const MapMultiPolygon& source) {
  GeoMultiPolygon result;
  const auto ring = [](const Ring& points) {
    std::vector<LonLat> r;
    r.reserve(points.size());
    for (const MapXY& p : points) r.push_back({p.x, p.y});
    return r;
  };
  for (const MapPolygon& polygon : source) {
    GeoPolygon p{ring(polygon.outer), {}};
    for (const Ring& hole : polygon.holes) p.holes.push_back(ring(hole));
    result.push_back(std::move(p));
  }
  return result;
}

/// Closed, without repeated points, in the wanted orientation; empty if fewer than three remain.
Ring cleaned(Ring ring, bool counter_clockwise) {
  ring.erase(std::unique(ring.begin(), ring.end()), ring.end());
  while (ring.size() > 1 && ring.front() == ring.back()) ring.pop_back();
  if (ring.size() < 3) return {};
  ring.push_back(ring.front());
  if ((twice_signed_area(ring) > 0) != counter_clockwise) std::reverse(ring.begin(), ring.end());
  return ring;
}

using RingSet = std::multiset<std::vector<GridPoint>>;

void insert_canonical(RingSet& set, std::vector<GridPoint> points) {
  std::rotate(points.begin(), std::min_element(points.begin(), points.end()), points.end());
  set.insert(std::move(points));
}

/// True if the rebuilt rings are exactly the given ones, hole by hole.
bool same_rings(const MapMultiPolygon& given, const GridRings& rebuilt, const SnapGrid& grid) {
  const auto snapped = [&](const Ring& ring) {
    std::vector<GridPoint> points;
    for (std::size_t k = 0; k + 1 < ring.size(); ++k) points.push_back(grid.snapped(ring[k]));
    points.erase(std::unique(points.begin(), points.end()), points.end());
    while (points.size() > 1 && points.front() == points.back()) points.pop_back();
    return points;
  };
  std::multiset<RingSet> before, after;
  for (const MapPolygon& polygon : given) {
    RingSet rings;
    insert_canonical(rings, snapped(polygon.outer));
    for (const Ring& hole : polygon.holes) insert_canonical(rings, snapped(hole));
    before.insert(std::move(rings));
  }
  for (std::size_t p = 0; p < rebuilt.outer.size(); ++p) {
    RingSet rings;
    insert_canonical(rings, rebuilt.outer[p].points);
    for (const GridRing& hole : rebuilt.holes[p]) insert_canonical(rings, hole.points);
    after.insert(std::move(rings));
  }
  return before == after;
}

bool inside_first(int first, int) { return first > 0; }

/// The polygon by the even-odd rule of its outer ring, minus its holes; false: too complex.
bool repair(const MapPolygon& polygon, MapMultiPolygon& repaired) {
  const MapMultiPolygon operand{polygon};
  Overlay overlay({&operand});
  overlay.add_ring(polygon.outer, 1, 0);
  for (const Ring& hole : polygon.holes) overlay.add_ring(hole, 0, 1);
  const auto result = overlay.result(
      [](int first, int second) { return first % 2 != 0 && second == 0; });
  repaired = overlay.polygons(result.rings);
  return result.converged;
}

/// Finite and in range? Otherwise the reason.
const char* refusal(const MapMultiPolygon& polygons, std::size_t& points) {
  points = 0;
  const char* reason = nullptr;
  const auto look = [&](const Ring& ring) {
    points += ring.size();
    for (const MapXY& p : ring) {
      if (!std::isfinite(p.x) || !std::isfinite(p.y)) reason = "not finite";
      else if (std::abs(p.x) > kMaxCoordinate || std::abs(p.y) > kMaxCoordinate)
        reason = reason ? reason : "coordinate out of range";
    }
  };
  for (const MapPolygon& polygon : polygons) {
    look(polygon.outer);
    for (const Ring& hole : polygon.holes) look(hole);
  }
  if (points > kMaxVertices && !reason) reason = "more than 1,000,000 vertices";
  return reason;
}

/// Rings closed and oriented, those without area dropped; true if something was dropped.
bool clean(MapMultiPolygon& polygons) {
  bool dropped = false;
  for (MapPolygon& polygon : polygons) {
    polygon.outer = cleaned(std::move(polygon.outer), true);
    const std::size_t holes = polygon.holes.size();
    for (Ring& hole : polygon.holes) hole = cleaned(std::move(hole), false);
    std::erase_if(polygon.holes, [](const Ring& hole) { return hole.empty(); });
    dropped = dropped || polygon.holes.size() != holes;
  }
  return std::erase_if(polygons, [](const MapPolygon& p) { return p.outer.empty(); }) > 0 || dropped;
}

}  // namespace

GatedPolygons gate(MapMultiPolygon polygons) {
  std::size_t points = 0;
  if (const char* reason = refusal(polygons, points)) return {Gate::rejected, {}, reason};
  if (points == 0) return {Gate::empty, {}, "empty"};
  const bool dropped = clean(polygons);
  if (polygons.empty()) return {Gate::rejected, {}, "no area"};
  Overlay whole({&polygons});
  whole.add(polygons, 1, 0);
  const auto as_given = whole.result(inside_first);
  if (!as_given.converged) return {Gate::rejected, {}, "too many crossings"};
  if (as_given.was_planar && same_rings(polygons, as_given.rings, whole.grid()))
    return {dropped ? Gate::repaired : Gate::ok, std::move(polygons), dropped ? "ring without area" : ""};
  std::vector<MapMultiPolygon> parts(polygons.size());
  for (std::size_t p = 0; p < polygons.size(); ++p)
    if (!repair(polygons[p], parts[p])) return {Gate::rejected, {}, "too many crossings"};
  MapMultiPolygon repaired = parts.size() == 1 ? std::move(parts[0]) : unite(parts);
  if (repaired.empty()) return {Gate::rejected, {}, "no area"};
  return {Gate::repaired, std::move(repaired), "self-intersection"};
}

MapMultiPolygon intersection(const MapMultiPolygon& a, const MapMultiPolygon& b) {
  if (apart(bounds(a), bounds(b))) return {};
  return overlaid(a, b, [](int first, int second) { return first > 0 && second > 0; });
}

MapMultiPolygon difference(const MapMultiPolygon& a, const MapMultiPolygon& b) {
  if (apart(bounds(a), bounds(b))) return a;
  return overlaid(a, b, [](int first, int second) { return first > 0 && second <= 0; });
}

MapMultiPolygon unite(const std::vector<MapMultiPolygon>& parts) {
  std::vector<const MapMultiPolygon*> operands;
  operands.reserve(parts.size());
  for (const MapMultiPolygon& part : parts) operands.push_back(&part);
  Overlay overlay(operands);
  for (const MapMultiPolygon& part : parts) overlay.add(part, 1, 0);
  const auto result = overlay.result(inside_first);
  if (!result.converged)
    throw Error::failed("union of " + std::to_string(parts.size()) +
                        " polygon sets: too many crossings of their edges; simplify them");
  return overlay.polygons(result.rings);
}

GeoMultiPolygon intersection(const GeoMultiPolygon& a, const GeoMultiPolygon& b) {
  return to_geo(intersection(to_map(a), to_map(b)));
}

GeoMultiPolygon unite(const std::vector<GeoMultiPolygon>& parts) {
  std::vector<MapMultiPolygon> maps;
  maps.reserve(parts.size());
  for (const GeoMultiPolygon& part : parts) maps.push_back(to_map(part));
  return to_geo(unite(maps));
}

}  // namespace tilewright::geometry
