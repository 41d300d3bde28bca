// SPDX-License-Identifier: Apache-2.0
// Boxes of edges, closed: equal sides touch.
#pragma once

#include <algorithm>

#include "geometry/grid.h"

namespace tilewright::geometry {

inline bool apart(const Box& a, const Box& b) { return a.max_x < b.min_x || b.max_x < a.min_x || a.max_y < b.min_y || b.max_y < a.min_y; }

inline Box box_of(LonLat p, LonLat q) {
  return {std::min(p.lon_deg, q.lon_deg), std::min(p.lat_deg, q.lat_deg), std::max(p.lon_deg, q.lon_deg), std::max(p.lat_deg, q.lat_deg)};
}
inline Box around(const Box& a, const Box& b) {
  return {std::min(a.min_x, b.min_x), std::min(a.min_y, b.min_y), std::max(a.max_x, b.max_x), std::max(a.max_y, b.max_y)};
}

}  // namespace tilewright::geometry
