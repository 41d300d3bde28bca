// SPDX-License-Identifier: Apache-2.0
// Fewer corners for outlines of pixels: staircases become the lines they stand for.
#pragma once

#include "geometry/polygon.h"

namespace tilewright::pipeline {

/// Rings with fewer corners. The old and the new outline lie within `reach_px` of each other
/// everywhere, so no point inside is further from a valid pixel; all areas together change by at most
/// `area_px2`. Rings keep their first corner, but may touch or cross each other where they lie nearer
/// than twice the reach: the caller checks. O(corners x 4096) at worst, O(corners) for lines.
geometry::PixelMultiPolygon simplified(const geometry::PixelMultiPolygon& outline, double reach_px, double area_px2);

}  // namespace tilewright::pipeline
