// SPDX-License-Identifier: Apache-2.0
// Wide lines as polygons, for export: what fill_line paints, up to chords of its round parts.
#pragma once

#include "geometry/rasterize.h"

namespace tilewright::geometry {

/// The outline of a wide line: joins and round ends as polygons of 4 * `quadrant` corners (>= 2) on the circle, so
/// that the area is smaller by at most 1 - sinc(pi / (4 * quadrant)) of the round parts; flat ends cut at the
/// end's normal. A line without length is a disc if both its ends are round, else empty. Throws Error::failed for a
/// singular ground scale. Cost: a union of all segments.
MapMultiPolygon buffer(const WideLine& line, int quadrant = 8);

}  // namespace tilewright::geometry
