// SPDX-License-Identifier: Apache-2.0
// Bounds, areas, containment and hulls of plain rings; geodesic measures on WGS84.
#include "geometry/polygon.h"

#include <geodesic.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace tilewright::geometry {
namespace {

constexpr double kWgs84A = 6378137.0, kWgs84F = 1 / 298.257223563;
constexpr double kEarthAreaM2 = 510065621724088.5, kRadian = std::numbers::pi / 180;

void extend(Box& box, double x, double y) {
  if (box.empty()) {
    box = {x, y, x, y};
    return;
  }
  box.min_x = std::min(box.min_x, x);
  box.min_y = std::min(box.min_y, y);
  box.max_x = std::max(box.max_x, x);
  box.max_y = std::max(box.max_y, y);
}

double ring_area(const std::vector<MapXY>& ring) {
  double sum = 0;
  for (std::size_t k = 1; k + 1 < ring.size(); ++k)
    sum += (ring[k].x - ring[0].x) * (ring[k + 1].y - ring[0].y) -
           (ring[k].y - ring[0].y) * (ring[k + 1].x - ring[0].x);
  return std::abs(sum) / 2;
}

/// Geodesic area modulo the area of the Earth, then the turn that the plane of degrees tells.
double ring_area_m2(const geod_geodesic& ellipsoid, const std::vector<LonLat>& ring) {
  geod_polygon polygon;
  geod_polygon_init(&polygon, 0);
  double estimate = 0;  // on a sphere of one unit of radius
  for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
    geod_polygon_addpoint(&ellipsoid, &polygon, ring[k].lat_deg, ring[k].lon_deg);
    estimate -= (ring[k + 1].lon_deg - ring[k].lon_deg) * kRadian *
                (std::sin(ring[k].lat_deg * kRadian) + std::sin(ring[k + 1].lat_deg * kRadian)) / 2;
  }
  double area = 0;
  geod_polygon_compute(&ellipsoid, &polygon, 0, 1, &area, nullptr);
  estimate *= kEarthAreaM2 / (4 * std::numbers::pi);
  return std::abs(area + kEarthAreaM2 * std::round((estimate - area) / kEarthAreaM2));
}

double turn(MapXY a, MapXY b, MapXY c) {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

bool crosses(const std::vector<MapXY>& ring, MapXY p) {
  bool inside = false;
  for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
    const MapXY low = ring[k].y <= ring[k + 1].y ? ring[k] : ring[k + 1];
    const MapXY high = ring[k].y <= ring[k + 1].y ? ring[k + 1] : ring[k];
    if (low.y <= p.y && p.y < high.y && turn(low, high, p) < 0) inside = !inside;
  }
  return inside;
}

}  // namespace

Box bounds(const MapMultiPolygon& polygons) {
  Box box;
  for (const MapPolygon& polygon : polygons)
    for (const MapXY& p : polygon.outer) extend(box, p.x, p.y);
  return box;
}

Box bounds(const MapLine& line) {
  Box box;
  for (const MapXY& p : line) extend(box, p.x, p.y);
  return box;
}

Box bounds(const GeoMultiPolygon& polygons) {
  Box box;
  for (const GeoPolygon& polygon : polygons)
    for (const LonLat& p : polygon.outer) extend(box, p.lon_deg, p.lat_deg);
  return box;
}

MapMultiPolygon map_from_pixel(const Affine& affine, const PixelMultiPolygon& polygons) {
  const bool flips = affine.a * affine.e - affine.b * affine.d > 0;
  const auto ring = [&](const std::vector<PixelXY>& pixels) {
    std::vector<MapXY> points;
    points.reserve(pixels.size());
    for (const PixelXY& p : pixels) points.push_back(affine.map_from_pixel(p));
    if (flips) std::reverse(points.begin(), points.end());
    return points;
  };
  MapMultiPolygon result;
  result.reserve(polygons.size());
  for (const auto& polygon : polygons) {
    MapPolygon p{ring(polygon.outer), {}};
    for (const auto& hole : polygon.holes) p.holes.push_back(ring(hole));
    result.push_back(std::move(p));
  }
  return result;
}

MapMultiPolygon convex_hull(const std::vector<MapXY>& points) {
  std::vector<MapXY> sorted = points;
  std::sort(sorted.begin(), sorted.end(),
            [](MapXY a, MapXY b) { return a.x != b.x ? a.x < b.x : a.y < b.y; });
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (sorted.size() < 3) return {};
  std::vector<MapXY> hull;
  const auto add = [&](MapXY p, std::size_t floor) {
    while (hull.size() >= floor + 2 && turn(hull[hull.size() - 2], hull.back(), p) <= 0)
      hull.pop_back();
    hull.push_back(p);
  };
  for (const MapXY& p : sorted) add(p, 0);
  const std::size_t lower = hull.size() - 1;
  for (auto it = sorted.rbegin() + 1; it != sorted.rend(); ++it) add(*it, lower);
  if (hull.size() < 4) return {};
  return {MapPolygon{std::move(hull), {}}};
}

double planar_area(const MapMultiPolygon& polygons) {
  double sum = 0;
  for (const MapPolygon& polygon : polygons) {
    sum += ring_area(polygon.outer);
    for (const auto& hole : polygon.holes) sum -= ring_area(hole);
  }
  return sum;
}

bool contains(const MapMultiPolygon& polygons, MapXY point) {
  bool inside = false;
  for (const MapPolygon& polygon : polygons) {
    inside ^= crosses(polygon.outer, point);
    for (const auto& hole : polygon.holes) inside ^= crosses(hole, point);
  }
  return inside;
}

double geodesic_area_m2(const GeoMultiPolygon& polygons) {
  geod_geodesic ellipsoid;
  geod_init(&ellipsoid, kWgs84A, kWgs84F);
  double sum = 0;
  for (const GeoPolygon& polygon : polygons) {
    sum += ring_area_m2(ellipsoid, polygon.outer);
    for (const auto& hole : polygon.holes) sum -= ring_area_m2(ellipsoid, hole);
  }
  return std::max(sum, 0.0);
}

double geodesic_distance_m(LonLat a, LonLat b) {
  geod_geodesic ellipsoid;
  geod_init(&ellipsoid, kWgs84A, kWgs84F);
  double metres = 0;
  geod_inverse(&ellipsoid, a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg, &metres, nullptr, nullptr);
  return metres;
}

}  // namespace tilewright::geometry
