// SPDX-License-Identifier: Apache-2.0
// Which footprints overlap, by how much ground, and what hangs together.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/polygon.h"
#include "index/rows.h"
#include "index/self_join.h"

namespace tilewright::index {

struct Footprint {
  std::string tile_id;
  geometry::GeoMultiPolygon geom;
  Timestamp acquired;
};

struct OverlapGraph {
  std::vector<OverlapRow> edges;          ///< ordered by (tile_a, tile_b), tile_a < tile_b
  std::vector<int> component_of;          ///< per footprint of the input, 1-based
  std::int64_t candidate_pairs = 0;       ///< box hits that were tested exactly
};

/// R-tree self-join, then exact intersections on the ellipsoid; edges below 1e-9 of the smaller
/// area are none. Same bytes for any `threads` and input order. Antimeridian: geometries are split
/// at 180 degrees on input and parts are boxed one by one.
OverlapGraph build_overlap_graph(std::span<const Footprint> footprints, int threads);

/// Days between two timestamps, nullopt if one is missing.
std::optional<double> days_apart(const Timestamp& a, const Timestamp& b);

}  // namespace tilewright::index
