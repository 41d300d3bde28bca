// SPDX-License-Identifier: Apache-2.0
// Faces of a planar set of edges, and the rings around those faces that an operation selects.
#pragma once

#include <vector>

#include "geometry/noding.h"

namespace tilewright::geometry {

/// Winding numbers of both operands in a face decide whether it belongs to the result.
using FaceRule = bool (*)(int first, int second);

struct GridRing {
  std::vector<GridPoint> points;  ///< not closed; starts at its smallest point
  int cycle = 0;                  ///< rings that touch each other share a cycle
};
struct GridRings {
  std::vector<GridRing> outer;               ///< counter-clockwise, sorted
  std::vector<std::vector<GridRing>> holes;  ///< clockwise, per outer ring, sorted
};

/// Simple rings around the union of all faces for which `rule` holds. `edges` come from `node`.
GridRings rings_of(const std::vector<GridEdge>& edges, FaceRule rule);

}  // namespace tilewright::geometry
