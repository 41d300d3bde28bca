// SPDX-License-Identifier: Apache-2.0
// Coordinate reference systems and transforms between them: the only place that talks to PROJ.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "geometry/polygon.h"

namespace tilewright::geometry {

/// A CRS as a value: WKT plus what we need to know of it. Axis order is always x/east/longitude
/// first, whatever the authority says. Never resolves URLs or files.
class Crs {
 public:
  Crs() = default;  ///< no CRS
  static Crs from_epsg(int epsg);                 ///< throws Error::failed for an unknown code
  static Crs from_text(const std::string& text);  ///< "EPSG:n", WKT1, WKT2 or a PROJ string
  [[nodiscard]] bool known() const { return !wkt_.empty(); }
  [[nodiscard]] int epsg() const { return epsg_; }  ///< 0: no EPSG code found
  [[nodiscard]] const std::string& wkt() const { return wkt_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool is_geographic() const { return geographic_; }
  [[nodiscard]] bool is_metric() const { return !geographic_ && metres_per_unit_ == 1.0; }
  [[nodiscard]] double metres_per_unit() const { return metres_per_unit_; }  ///< 0 if geographic
  [[nodiscard]] bool same_as(const Crs& other) const;

 private:
  std::string wkt_, name_;
  int epsg_ = 0;
  bool geographic_ = false;
  double metres_per_unit_ = 0;
};

/// target_from_source for points. Not thread-safe: make one per thread. Identity is free.
class Transform {
 public:
  Transform(const Crs& source, const Crs& target);  ///< throws Error::failed if there is none
  Transform(Transform&&) noexcept;
  Transform& operator=(Transform&&) noexcept;
  ~Transform();
  [[nodiscard]] std::optional<MapXY> operator()(MapXY p) const;  ///< nullopt: point not mappable
  /// `count` points in place; points that fail become NaN. Bitwise equal to the single-point call.
  void in_place(MapXY* points, std::size_t count) const;
  [[nodiscard]] bool is_identity() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Crs wgs84();  ///< EPSG:4326, longitude first
/// EPSG of the WGS84 UTM zone of a place (tie to the lower zone), UPS 32661/32761 beyond 84 N/80 S.
int utm_epsg(LonLat place);

/// `polygons` in degrees: edges densified until the geodesic area is right to 1e-6, split at
/// +-180 degrees, poles enclosed where the outline runs around one. nullopt: not mappable.
std::optional<GeoMultiPolygon> geographic(const MapMultiPolygon& polygons, const Crs& crs);
std::optional<LonLat> geographic(MapXY point, const Crs& crs);
/// Densified and transformed to another projected CRS, nullopt if a point cannot be mapped.
std::optional<MapMultiPolygon> projected(const MapMultiPolygon& polygons, const Crs& from,
                                         const Crs& to, double densify_m);
std::optional<MapLine> projected(const MapLine& line, const Crs& from, const Crs& to,
                                 double densify_m);

/// Ground metres per map unit at a place: linear part of (east, north) from (x, y).
struct GroundScale {
  double east_x = 1, east_y = 0, north_x = 0, north_y = 1;
  [[nodiscard]] MapXY metres(MapXY delta) const {
    return {east_x * delta.x + east_y * delta.y, north_x * delta.x + north_y * delta.y};
  }
};
GroundScale ground_scale(MapXY place, const Crs& crs);

}  // namespace tilewright::geometry
