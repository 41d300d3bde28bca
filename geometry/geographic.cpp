// SPDX-License-Identifier: Apache-2.0
// Polygons between projections and degrees: densified, unwrapped, split at 180 degrees.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <numbers>
#include <utility>

#include "geometry/crs.h"

namespace tilewright::geometry {
namespace {

constexpr int kMaxDepth = 14;              // at most 16,384 pieces an edge
constexpr double kMaxStepDeg = 30;         // so that geodesic edges know which way they run
constexpr double kAreaTolerance = 6e-7;    // leaves room below the promised 1e-6
constexpr double kEarthRadiusM = 6371008.8;

struct Unit3 {
  double x, y, z;
};
Unit3 on_sphere(MapXY degrees) {
  const double lon = degrees.x * std::numbers::pi / 180, lat = degrees.y * std::numbers::pi / 180;
  return {std::cos(lat) * std::cos(lon), std::cos(lat) * std::sin(lon), std::sin(lat)};
}
double metres_between(const Unit3& a, const Unit3& b) {
  return kEarthRadiusM * std::hypot(a.x - b.x, a.y - b.y, a.z - b.z);
}
/// How far `p` lies from `q`, across the direction from a to b.
double metres_across(const Unit3& p, const Unit3& q, const Unit3& a, const Unit3& b) {
  const Unit3 d{p.x - q.x, p.y - q.y, p.z - q.z}, u{b.x - a.x, b.y - a.y, b.z - a.z};
  const double length = std::hypot(u.x, u.y, u.z);
  const double along = length > 0 ? (d.x * u.x + d.y * u.y + d.z * u.z) / length : 0;
  const double square = d.x * d.x + d.y * d.y + d.z * d.z - along * along;
  return kEarthRadiusM * std::sqrt(std::max(square, 0.0));
}
Unit3 middle(const Unit3& a, const Unit3& b) {
  const Unit3 m{a.x + b.x, a.y + b.y, a.z + b.z};
  const double length = std::hypot(m.x, m.y, m.z);
  if (length < 1e-12) return a;
  return {m.x / length, m.y / length, m.z / length};
}

/// A ring whose longitudes run on without jumps.
struct Unwrapped {
  std::vector<MapXY> points;  ///< closed in latitude; the last longitude may differ by 360
  bool mappable = true;
};

/// Follows one ring through a transform and adds points where an edge is curved in degrees.
class Densifier {
 public:
  Densifier(const Transform& degrees_from_map, bool geographic_source, double sagitta_m)
      : transform_(degrees_from_map), geographic_(geographic_source), sagitta_m_(sagitta_m) {}

  Unwrapped ring(const std::vector<MapXY>& source) {
    result_ = {};
    const auto from = source.empty() ? std::nullopt : transform_(source[0]);
    if (!from) return {{}, false};
    result_.points.push_back({continued(source[0], from->x, from->x), from->y});
    for (std::size_t k = 0; k + 1 < source.size() && result_.mappable; ++k) {
      const auto to = transform_(source[k + 1]);
      if (!to) return {{}, false};
      edge(source[k], result_.points.back(), source[k + 1], *to, 0);
      append(source[k + 1], *to);
    }
    return std::move(result_);
  }

 private:
  /// The longitude nearest to what precedes it; sources in degrees keep their own turn.
  [[nodiscard]] double continued(MapXY source, double lon, double previous) const {
    const double near = geographic_ ? source.x : previous;
    return lon + 360 * std::round((near - lon) / 360);
  }
  void append(MapXY source, MapXY degrees) {
    degrees.x = continued(source, degrees.x, result_.points.back().x);
    result_.points.push_back(degrees);
  }

  void edge(MapXY a, MapXY a_deg, MapXY b, MapXY b_deg, int depth) {
    if (depth >= kMaxDepth) return;
    const MapXY m{(a.x + b.x) / 2, (a.y + b.y) / 2};
    const auto m_mapped = transform_(m);
    if (!m_mapped) {
      result_.mappable = false;
      return;
    }
    const MapXY m_deg{continued(m, m_mapped->x, a_deg.x), m_mapped->y};
    b_deg.x = continued(b, b_deg.x, m_deg.x);
    if (!is_curved(a_deg, m_deg, b_deg, depth)) return;
    edge(a, a_deg, m, m_deg, depth + 1);
    append(m, m_deg);
    edge(m, result_.points.back(), b, b_deg, depth + 1);
  }

  /// True if a straight line in degrees, or a geodesic, misses the true middle by too much.
  [[nodiscard]] bool is_curved(MapXY a, MapXY m, MapXY b, int depth) const {
    if (std::abs(b.x - a.x) > kMaxStepDeg) return true;
    const Unit3 pa = on_sphere(a), pm = on_sphere(m), pb = on_sphere(b);
    const double straight =
        metres_across(on_sphere({(a.x + b.x) / 2, (a.y + b.y) / 2}), pm, pa, pb);
    const double geodesic = metres_across(middle(pa, pb), pm, pa, pb);
    if (std::max(straight, geodesic) > sagitta_m_) return true;
    return depth == 0 && metres_between(pa, pb) > 50'000;  // an S-shape has its middle on the line
  }

  const Transform& transform_;
  bool geographic_;
  double sagitta_m_;
  Unwrapped result_;
};

/// Sum of edge errors (2/3 length x sagitta) stays below tolerance x area with this sagitta.
double allowed_sagitta_m(const MapPolygon& polygon, const Crs& crs) {
  double perimeter = 0;
  const auto add = [&](const std::vector<MapXY>& ring) {
    for (std::size_t k = 0; k + 1 < ring.size(); ++k)
      perimeter += std::hypot(ring[k + 1].x - ring[k].x, ring[k + 1].y - ring[k].y);
  };
  add(polygon.outer);
  for (const auto& hole : polygon.holes) add(hole);
  const double metres = crs.is_geographic() ? 111'000 * 0.5 : std::max(crs.metres_per_unit(), 1e-9);
  const double mean_width = planar_area({polygon}) / std::max(perimeter, 1e-300) * metres;
  return std::max(1.5 * kAreaTolerance * mean_width, 1e-7);
}

/// Moved by whole turns; points on the cut lie on it exactly.
std::vector<MapXY> moved(std::vector<MapXY> ring, double lon) {
  for (MapXY& p : ring) {
    p.x += lon;
    if (std::abs(std::abs(p.x) - 180) < 1e-9) p.x = std::copysign(180, p.x);
  }
  return ring;
}

/// A ring around a pole is led along the pole, so that it encloses it in the plane of degrees.
void close_over_pole(std::vector<MapXY>& ring) {
  const double turn = ring.back().x - ring.front().x;
  if (std::abs(turn) < 180) {
    ring.back() = ring.front();
    return;
  }
  double sum = 0;
  for (const MapXY& p : ring) sum += p.y;
  const double pole = sum >= 0 ? 90 : -90;
  const MapXY first = ring.front(), last = ring.back();
  ring.push_back({last.x, pole});
  const int steps = static_cast<int>(std::ceil(std::abs(turn) / kMaxStepDeg));
  for (int k = 1; k < steps; ++k) ring.push_back({last.x + (first.x - last.x) * k / steps, pole});
  ring.push_back({first.x, pole});
  ring.push_back(first);
}

/// One ring as polygons within -180..180; parts beyond are cut off and moved by whole turns.
MapMultiPolygon wrapped(std::vector<MapXY> ring) {
  close_over_pole(ring);
  GatedPolygons gated = gate({MapPolygon{std::move(ring), {}}});
  const Box box = bounds(gated.polygons);
  if (box.empty() || (box.min_x >= -180 && box.max_x <= 180)) return std::move(gated.polygons);
  std::vector<MapMultiPolygon> parts;
  const int first = static_cast<int>(std::floor((box.min_x + 180) / 360));
  const int last = static_cast<int>(std::ceil((box.max_x - 180) / 360));
  for (int k = first; k <= last; ++k) {
    const double west = -180 + 360.0 * k, east = 180 + 360.0 * k;
    const MapMultiPolygon turn{MapPolygon{
        {{west, -100}, {east, -100}, {east, 100}, {west, 100}, {west, -100}}, {}}};
    MapMultiPolygon part = intersection(gated.polygons, turn);
    for (MapPolygon& polygon : part) {
      polygon.outer = moved(std::move(polygon.outer), -360.0 * k);
      for (auto& hole : polygon.holes) hole = moved(std::move(hole), -360.0 * k);
    }
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return parts.size() == 1 ? std::move(parts[0]) : unite(parts);
}

bool needs_wrapping(const std::vector<MapXY>& ring) {
  if (std::abs(ring.back().x - ring.front().x) > 180) return true;
  return std::any_of(ring.begin(), ring.end(),
                     [](const MapXY& p) { return p.x < -180 || p.x > 180; });
}

std::vector<LonLat> to_degrees(const std::vector<MapXY>& ring) {
  std::vector<LonLat> points;
  points.reserve(ring.size());
  for (const MapXY& p : ring) points.push_back({p.x, p.y});
  points.back() = points.front();
  return points;
}

double signed_area(const std::vector<LonLat>& ring) {
  double sum = 0;
  for (std::size_t k = 1; k + 1 < ring.size(); ++k)
    sum += (ring[k].lon_deg - ring[0].lon_deg) * (ring[k + 1].lat_deg - ring[0].lat_deg) -
           (ring[k].lat_deg - ring[0].lat_deg) * (ring[k + 1].lon_deg - ring[0].lon_deg);
  return sum;
}
std::vector<LonLat> oriented(std::vector<LonLat> ring, bool counter_clockwise) {
  if ((signed_area(ring) > 0) != counter_clockwise) std::reverse(ring.begin(), ring.end());
  return ring;
}

GeoMultiPolygon geo_from_map(const MapMultiPolygon& polygons) {
  GeoMultiPolygon result;
  for (const MapPolygon& polygon : polygons) {
    GeoPolygon p{oriented(to_degrees(polygon.outer), true), {}};
    for (const auto& hole : polygon.holes) p.holes.push_back(oriented(to_degrees(hole), false));
    result.push_back(std::move(p));
  }
  return result;
}

/// One polygon, its rings unwrapped: split only where it must be.
MapMultiPolygon split_at_180(std::vector<std::vector<MapXY>> rings) {
  if (std::none_of(rings.begin(), rings.end(), needs_wrapping)) {
    MapPolygon polygon{std::move(rings[0]), {}};
    polygon.holes.assign(std::make_move_iterator(rings.begin() + 1),
                         std::make_move_iterator(rings.end()));
    return {std::move(polygon)};
  }
  MapMultiPolygon result = wrapped(std::move(rings[0]));
  for (std::size_t k = 1; k < rings.size(); ++k)
    result = difference(result, wrapped(std::move(rings[k])));
  return result;
}

double metres_a_unit(const Crs& crs) {
  return crs.is_geographic() ? 111'320 : std::max(crs.metres_per_unit(), 1e-9);
}

std::vector<MapXY> densified(const std::vector<MapXY>& ring, double step) {
  std::vector<MapXY> points;
  for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
    const MapXY a = ring[k], b = ring[k + 1];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    const double wanted = step > 0 ? std::ceil(length / step) : 1;
    const int pieces = static_cast<int>(std::clamp(wanted, 1.0, 100'000.0));
    points.push_back(a);
    for (int i = 1; i < pieces; ++i)
      points.push_back({a.x + (b.x - a.x) * i / pieces, a.y + (b.y - a.y) * i / pieces});
  }
  if (!ring.empty()) points.push_back(ring.back());
  return points;
}

}  // namespace

std::optional<GeoMultiPolygon> geographic(const MapMultiPolygon& polygons, const Crs& crs) {
  const Transform degrees_from_map(crs, wgs84());
  MapMultiPolygon all;
  for (const MapPolygon& polygon : polygons) {
    Densifier densifier(degrees_from_map, crs.is_geographic(), allowed_sagitta_m(polygon, crs));
    std::vector<std::vector<MapXY>> rings;
    const auto add = [&](const std::vector<MapXY>& ring) {
      Unwrapped unwrapped = densifier.ring(ring);
      if (unwrapped.mappable) rings.push_back(std::move(unwrapped.points));
      return unwrapped.mappable;
    };
    if (!add(polygon.outer)) return std::nullopt;
    for (const auto& hole : polygon.holes)
      if (!add(hole)) return std::nullopt;
    MapMultiPolygon split = split_at_180(std::move(rings));
    std::move(split.begin(), split.end(), std::back_inserter(all));
  }
  return geo_from_map(all);
}

std::optional<MapLine> projected(const MapLine& line, const Crs& from, const Crs& to,
                                 double densify_m) {
  const Transform target_from_source(from, to);
  if (target_from_source.is_identity()) return line;
  MapLine points = densified(line, densify_m / metres_a_unit(from));
  target_from_source.in_place(points.data(), points.size());
  for (const MapXY& p : points)
    if (!std::isfinite(p.x)) return std::nullopt;
  return points;
}

std::optional<MapMultiPolygon> projected(const MapMultiPolygon& polygons, const Crs& from,
                                         const Crs& to, double densify_m) {
  const Transform target_from_source(from, to);
  if (target_from_source.is_identity()) return polygons;
  const double unit_m = metres_a_unit(from);
  bool mappable = true;
  const auto ring = [&](const std::vector<MapXY>& source) {
    std::vector<MapXY> points = densified(source, densify_m / unit_m);
    target_from_source.in_place(points.data(), points.size());
    for (const MapXY& p : points) mappable = mappable && std::isfinite(p.x);
    return points;
  };
  MapMultiPolygon result;
  for (const MapPolygon& polygon : polygons) {
    MapPolygon p{ring(polygon.outer), {}};
    for (const auto& hole : polygon.holes) p.holes.push_back(ring(hole));
    if (!mappable) return std::nullopt;
    result.push_back(std::move(p));
  }
  return result;
}

}  // namespace tilewright::geometry
