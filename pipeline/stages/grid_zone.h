// SPDX-License-Identifier: Apache-2.0
// Which CRS zone each tile belongs to and the lattice of each zone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "index/rows.h"
#include "pipeline/config/job.h"
#include "pipeline/context.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {

/// A pixel grid; tiles of one system share it.
struct TileGrid {
  geometry::Affine affine;
  std::int64_t width = 0, height = 0;
  std::shared_ptr<const geometry::Crs> crs;
  operator SourceGrid() const { return {affine, width, height, *crs}; }
};

/// A tile and its pixel grid, as its files say. Of the parts of its outline only the boxes, as two
/// corners each, and no hash: an archive has many tiles.
struct PlacedTile {
  index::TileRow row;
  TileGrid grid;
  geometry::LonLat centre;
  double resolution_m = 0;  ///< of its pixels in samples; 0 = the grid's
};

/// Indices of `tiles` by EPSG of their zone. `auto`: the tiles' own CRS if all share one projected
/// metric CRS with a code, else WGS84 UTM (UPS) of each tile's centre. Throws Error::config if
/// `grid.zone` names a CRS that is not projected in metres.
std::map<int, std::vector<std::size_t>> zones_of(const std::vector<PlacedTile>& tiles, const GridConfig& grid);

/// Lattice of a zone: the job's origin, else the frozen one, else the phase that most tiles on this
/// resolution and EPSG have, modulo `step` cells where windows lie at multiples of them. A new origin is told in `notes`; the caller freezes it.
geometry::Lattice lattice_of_zone(const index::Manifest& manifest, const GridConfig& grid, int epsg,
                                  const std::vector<PlacedTile>& tiles, const std::vector<std::size_t>& members,
                                  std::vector<std::string>& notes, int step = 1);

}  // namespace tilewright::pipeline
