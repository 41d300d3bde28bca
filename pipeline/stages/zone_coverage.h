// SPDX-License-Identifier: Apache-2.0
// What the tiles of a zone cover on its lattice: the planner's input.
#pragma once

#include <tbb/task_arena.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "index/reason.h"
#include "index/view_planner.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct ZoneCoverage {
  struct Failure {
    std::size_t tile = 0;
    index::Reason reason = index::Reason::not_mappable;
    std::string detail;
  };
  std::vector<index::TileCoverage> coverages;
  std::vector<std::vector<std::size_t>> shown_by;  ///< of each coverage: the tile it is named after, then others that show the same acquisition
  std::vector<Failure> failures;                   ///< tiles that cannot be mapped to the zone
};

/// Masks of `members` (indices into `tiles`) from the manifest, as many at a time as the arena has
/// threads. Sources that show one acquisition are joined: valid where all of them are. `on_tiles` hears
/// how many more tiles are done.
ZoneCoverage cover_zone(const StageInput& in, const RunContext& context, tbb::task_arena& arena, const geometry::Lattice& lattice,
                        const std::vector<PlacedTile>& tiles, const std::vector<std::size_t>& members, const std::function<void(std::size_t)>& on_tiles);

}  // namespace tilewright::pipeline
