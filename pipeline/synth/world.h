// SPDX-License-Identifier: Apache-2.0
// What stands on the ground of a synthetic area: buildings, trees and roads, before anyone maps them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "geometry/polygon.h"
#include "pipeline/synth/region.h"

namespace tilewright::pipeline {

/// A square of whole cells on the 1 m lattice of one UTM zone.
struct Area {
  std::string name;             ///< "w" or "e"
  int epsg = 0;
  double min_x = 0, max_y = 0;  ///< upper-left corner, multiples of the cell's edge
  int size_px = 0, patch_px = 0;
  [[nodiscard]] int cells() const { return size_px / patch_px; }
  [[nodiscard]] geometry::Affine affine() const { return {1, 0, min_x, 0, -1, max_y}; }
};

/// A rectangle turned by `angle`, or an L where `notch` is not 0; metres.
struct Shape {
  geometry::MapXY centre;
  double half_length_m = 6, half_width_m = 4, angle = 0, notch_m = 0;
  /// Outline with every wall moved outwards by `grow_m` (inwards if negative).
  [[nodiscard]] geometry::MapPolygon outline(double grow_m = 0) const;
  /// Coordinates along the length and the width, from the centre.
  [[nodiscard]] geometry::MapXY local(geometry::MapXY place) const;
  [[nodiscard]] bool contains(geometry::MapXY local_place) const;
  [[nodiscard]] double radius_m() const;
};

struct Building {
  std::string id;
  Shape shape;
  int cell_x = 0, cell_y = 0;   ///< cell of its centre; row 0 is north
  double height_m = 0, ridge_m = 0;  ///< ridge_m 0: flat roof
};
struct Tree {
  geometry::MapXY centre;
  double radius_m = 0, height_m = 0;
};
struct Road {
  std::string id, road_class;
  geometry::MapLine line;
  double width_m = 0;                   ///< true
  std::optional<std::string> width;     ///< as a mapper wrote it: "7 m", 23', "5,5"
  std::optional<int> lanes;
};

struct World {
  Area area;
  std::uint64_t seed = 0;
  std::vector<Building> buildings;
  std::vector<Tree> trees;
  std::vector<Road> roads;
};

/// The two areas: 200 m or more west and east of 12 degrees east.
std::vector<Area> place_areas(const SynthOptions& options);
World make_world(const Area& area, std::uint64_t seed);
/// True if a shape here keeps `gap_m` from all buildings and roads.
bool is_free(const World& world, const Shape& shape, double gap_m);

}  // namespace tilewright::pipeline
