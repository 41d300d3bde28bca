// SPDX-License-Identifier: Apache-2.0
// The outline of a tile's valid pixels, in degrees.
#pragma once

#include <string>

#include "geometry/bitmask.h"
#include "geometry/crs.h"
#include "geometry/grid.h"

namespace tilewright::pipeline {

struct Footprint {
  geometry::GeoMultiPolygon polygons;
  /// No point of the outline's inside lies further than this from a valid pixel, in pixels; 0: the
  /// outline runs along the pixels' edges.
  double reach_px = 0;
};

/// Staircases are drawn as lines within one pixel, where that leaves the area right to 5e-7 and halves
/// the corners. An outline of more than 200,000 corners is drawn with pixels 2, 4, ... times as large, each set if
/// at least half of it is valid at each step, so at least one pixel of it is. Throws
/// index::ItemError(not_mappable).
Footprint footprint_of(const geometry::Bitmask& valid, const geometry::Affine& affine, const geometry::Crs& crs);

}  // namespace tilewright::pipeline
