// SPDX-License-Identifier: Apache-2.0
// The plane in which blocks and distances of a location are measured.
#pragma once

#include <map>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/rows.h"

namespace tilewright::pipeline {

/// Windows of a lattice lie in the plane of their zone. Whole chips lie in that of their own CRS if
/// it is metric and has a code, else in WGS84 UTM (UPS) of their centre. Not shared between threads.
class SplitPlanes {
 public:
  struct Place {
    int epsg = 0;
    geometry::Box box;  ///< of the location's ground, metres
  };
  /// Throws Error::failed for a location that cannot be mapped to its plane.
  [[nodiscard]] Place place_of(const index::LocationRow& location);

 private:
  [[nodiscard]] const geometry::Crs& crs(int epsg);
  std::map<int, geometry::Crs> crs_;
};

/// Middle of the box of an outline in degrees; one that is split at 180 degrees is joined first.
geometry::LonLat centre_of(const geometry::GeoMultiPolygon& geom);

}  // namespace tilewright::pipeline
