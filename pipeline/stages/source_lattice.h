// SPDX-License-Identifier: Apache-2.0
// Sources with a pixel size of their own: their lattice in a zone, and windows that fit all of them.
#pragma once

#include <string>
#include <vector>

#include "geometry/grid.h"
#include "index/view_planner.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {

/// Either `coarse` cells of the grid are one pixel of a source along an axis, or `fine` pixels one cell.
struct PixelRatio {
  int coarse = 1, fine = 1;
  [[nodiscard]] bool is_one() const { return coarse == 1 && fine == 1; }
};
/// Throws Error::config where neither size is a whole multiple of the other.
PixelRatio pixel_ratio(const Job& job, const std::string& source);

/// Corners of windows lie at multiples of so many cells, so that they are pixel corners in each of the
/// sources of views: the least common multiple of their `coarse`. 1 where all have the grid's pixels.
int anchor_step(const Job& job);

/// The lattice of a source's pixels: same origin, its own resolution.
geometry::Lattice lattice_of_source(const geometry::Lattice& zone, PixelRatio ratio);
/// A window of the zone, whose corner is a multiple of anchor_step, on the source's lattice.
geometry::LatticeWindow window_of_source(const geometry::LatticeWindow& window, PixelRatio ratio);

/// Masks of a source's lattice on that of the zone: a cell is valid if all pixels under it are, and
/// cloudy if one is.
LatticeMasks masks_on_zone(LatticeMasks masks, PixelRatio ratio);

/// Leaves in `coverage` what is valid in both, and adds the other's clouds where it has none of its own.
void keep_common(index::TileCoverage& coverage, const index::TileCoverage& other);

/// Tiles of the same acquisition in other sources: what stands behind the source in the tile id is equal.
std::string acquisition_key(const Job& job, const index::TileRow& tile);  ///< "" where the source stands alone

}  // namespace tilewright::pipeline
