// SPDX-License-Identifier: Apache-2.0
// The area between a geodesic edge and a parallel, on WGS84: what polygon areas are summed from.
#pragma once

#include "geometry/grid.h"

namespace tilewright::geometry {

/// A parallel from a fixed set, every quarter of a degree: areas are counted from there, so that
/// those of small polygons keep their digits.
struct Parallel {
  int number = 0;  ///< latitude * 4 + 360
};
Parallel parallel_near(double lat_deg);

/// Square metres between the geodesic from `p` to `q` and `base`, positive to the north of `base`
/// and eastward. Longitudes run on (no jump between p and q); |q.lon - p.lon| < 180.
///
/// Series about the straight line in degrees: exact integral below the line, then the bulge of the
/// geodesic to leading order. Where the next order might exceed `tolerance_m2`, PROJ's geodesic
/// (Karney 2013, eq. 59) is asked instead, which takes a microsecond or two instead of ten nanoseconds.
double area_below_edge_m2(LonLat p, LonLat q, Parallel base, double tolerance_m2);

/// Square metres a radian of longitude between two parallels (positive if `to` lies north).
double area_between_m2(Parallel from, Parallel to);

}  // namespace tilewright::geometry
