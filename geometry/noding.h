// SPDX-License-Identifier: Apache-2.0
// Line segments on an integer grid, cut wherever they meet: the robust base of all overlays.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::geometry {

/// A point of the snapping grid; coordinates lie within [0, 2^47), so that predicates are exact.
struct GridPoint {
  std::int64_t x = 0, y = 0;
  auto operator<=>(const GridPoint&) const = default;
};

/// An undirected edge a < b that carries, for each of two operands, by how much the winding number
/// is larger on its left (looking from a to b) than on its right.
struct GridEdge {
  GridPoint a, b;
  int first = 0, second = 0;
};

/// Power-of-two grid over the bounding box of what is overlaid: 2^46 cells along the longer side.
/// Grid points that stand for an input vertex map back to exactly that vertex.
class SnapGrid {
 public:
  /// `points`: every vertex of every operand, finite. Throws nothing.
  explicit SnapGrid(std::vector<MapXY> points);
  [[nodiscard]] GridPoint snapped(MapXY p) const;
  [[nodiscard]] MapXY original(GridPoint p) const;

 private:
  struct Known {
    GridPoint at;
    MapXY point;
  };
  MapXY origin_;
  double scale_ = 1;
  std::vector<Known> known_;
};

/// Sign of the cross product (b - a) x (c - a): > 0 if c lies to the left of a -> b. Exact.
int orientation(GridPoint a, GridPoint b, GridPoint c);
/// Edge from -> to with winding weights as seen in that direction, stored the right way round.
GridEdge directed(GridPoint from, GridPoint to, int first, int second);

struct Noded {
  std::vector<GridEdge> edges;  ///< sorted, distinct, meeting at end points only
  bool was_planar = true;       ///< nothing had to be cut or merged
  bool converged = true;        ///< false: too complex, `edges` is of no use
};
/// Cuts edges at their intersections (rounded to the grid, repeated until nothing crosses), merges
/// equal ones and drops those without weight. Cost about n log n for polygon outlines.
Noded node(std::vector<GridEdge> edges);

}  // namespace tilewright::geometry
