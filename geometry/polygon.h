// SPDX-License-Identifier: Apache-2.0
// Polygons as plain rings, one type per kind of coordinate so that they cannot be mixed up.
#pragma once

#include <vector>

#include "geometry/grid.h"

namespace tilewright::geometry {

/// Rings are closed (first point == last). After `gate` the outer ring is counter-clockwise in
/// (x east, y north), holes clockwise, and the polygon is simple.
template <class Point>
struct PolygonOf {
  std::vector<Point> outer;
  std::vector<std::vector<Point>> holes;
  bool operator==(const PolygonOf&) const = default;
};
template <class Point>
using MultiPolygonOf = std::vector<PolygonOf<Point>>;

using PixelMultiPolygon = MultiPolygonOf<PixelXY>;
using MapPolygon = PolygonOf<MapXY>;
using MapMultiPolygon = MultiPolygonOf<MapXY>;
using GeoPolygon = PolygonOf<LonLat>;
using GeoMultiPolygon = MultiPolygonOf<LonLat>;
using MapLine = std::vector<MapXY>;

Box bounds(const MapMultiPolygon& polygons);
Box bounds(const MapLine& line);
/// Longitude as x, latitude as y. A geometry split at 180 degrees spans -180..180.
Box bounds(const GeoMultiPolygon& polygons);

MapMultiPolygon map_from_pixel(const Affine& affine, const PixelMultiPolygon& polygons);

/// What the gate did with foreign geometry (RELIABILITY F13): nothing invalid goes further.
enum class Gate { ok, repaired, empty, rejected };
struct GatedPolygons {
  Gate outcome = Gate::ok;
  MapMultiPolygon polygons;  ///< empty unless ok or repaired
  const char* reason = "";   ///< for repaired and rejected: "not finite", "self-intersection", ...
};
/// finite -> vertex cap (1e6) -> close and orient -> valid or repaired by even-odd rebuild.
GatedPolygons gate(MapMultiPolygon polygons);

MapMultiPolygon intersection(const MapMultiPolygon& a, const MapMultiPolygon& b);
MapMultiPolygon unite(const std::vector<MapMultiPolygon>& parts);
MapMultiPolygon difference(const MapMultiPolygon& a, const MapMultiPolygon& b);
MapMultiPolygon convex_hull(const std::vector<MapXY>& points);
double planar_area(const MapMultiPolygon& polygons);
bool contains(const MapMultiPolygon& polygons, MapXY point);

/// Intersection in the plane of degrees; both sides are densified footprints, so that the error
/// against the ellipsoid stays below 1e-6 of the area.
GeoMultiPolygon intersection(const GeoMultiPolygon& a, const GeoMultiPolygon& b);
GeoMultiPolygon unite(const std::vector<GeoMultiPolygon>& parts);

/// Area on the WGS84 ellipsoid (geodesic edges), always >= 0, in square metres.
double geodesic_area_m2(const GeoMultiPolygon& polygons);
double geodesic_distance_m(LonLat a, LonLat b);

/// Outline of set pixels in pixel corners: exact, rectilinear, 4-connected, holes kept, collinear
/// corners dropped. Σ area == mask.count().
class Bitmask;
PixelMultiPolygon outline(const Bitmask& mask);

}  // namespace tilewright::geometry
