// SPDX-License-Identifier: Apache-2.0
// Ground of lattice windows and whole chips in metres.
#include "pipeline/stages/split_plane.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "geometry/error.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

std::optional<geometry::Box> projected_box(const geometry::GeoMultiPolygon& geom, const geometry::Crs& crs) {
  const geometry::Transform plane_from_degrees(geometry::wgs84(), crs);
  geometry::MapLine points;
  for (const auto& polygon : geom)
    for (const auto& point : polygon.outer) {
      const auto moved = plane_from_degrees({point.lon_deg, point.lat_deg});
      if (!moved) return std::nullopt;
      points.push_back(*moved);
    }
  return geometry::bounds(points);
}

}  // namespace

geometry::LonLat centre_of(const geometry::GeoMultiPolygon& geom) {
  auto box = geometry::bounds(geom);
  if (box.max_x - box.min_x > 180) {
    double west = 180, east = 180;
    for (const auto& polygon : geom)
      for (const auto& point : polygon.outer) {
        const double lon = point.lon_deg < 0 ? point.lon_deg + 360 : point.lon_deg;
        west = std::min(west, lon);
        east = std::max(east, lon);
      }
    box.min_x = west;
    box.max_x = east;
  }
  return {std::remainder((box.min_x + box.max_x) / 2, 360.0), (box.min_y + box.max_y) / 2};
}

const geometry::Crs& SplitPlanes::crs(int epsg) {
  const auto known = crs_.find(epsg);
  return known != crs_.end() ? known->second : crs_.emplace(epsg, geometry::Crs::from_epsg(epsg)).first->second;
}

SplitPlanes::Place SplitPlanes::place_of(const index::LocationRow& row) {
  if (!is_whole(row.location_id)) {
    const double size_m = row.size_px * row.res_m;
    return {row.epsg, {row.ulx, row.uly - size_m, row.ulx + size_m, row.uly}};
  }
  const int epsg = row.epsg != 0 && crs(row.epsg).is_metric() ? row.epsg : geometry::utm_epsg(centre_of(row.geom));
  const auto box = projected_box(row.geom, crs(epsg));
  if (!box) throw Error::failed("location " + row.location_id + " cannot be mapped to EPSG:" + std::to_string(epsg) + ", so no block of it can be found; correct the CRS of its file");
  return {epsg, *box};
}

}  // namespace tilewright::pipeline
