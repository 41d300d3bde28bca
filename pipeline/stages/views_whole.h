// SPDX-License-Identifier: Apache-2.0
// Placement `whole`: each pre-cut chip is one location on its own pixel grid.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "index/rows.h"
#include "index/view_planner.h"
#include "pipeline/stages/grid_zone.h"

namespace tilewright::pipeline {

struct WholePlan {
  std::vector<index::LocationRow> locations;     ///< by location_id
  std::vector<index::ViewRow> views;             ///< by location, then (acquired, tile_id); none resampled
  /// One a tile that is not seen: its subject is `location/tile`, or `tile` where there is no location;
  /// and `location` where a period or a partner is missing.
  std::vector<index::RejectionRow> rejections;
  std::int64_t crs_count = 0;                    ///< different CRSs of the locations
  std::int64_t candidates = 0;                   ///< chips with at least one usable view
};

/// Tiles on one grid are views of one location. A chip is seen if all of its pixels are valid and
/// at most `max_cloud_frac` of them are cloudy; which of these are kept, and what min_views counts,
/// is as everywhere (index::ViewChooser). No pixel is read: scan has counted them. Throws
/// Error::failed for a chip whose outline has no longitude and latitude. Tiles of the views that a
/// location keeps from an earlier plan.
using StayingTiles = std::function<std::vector<std::string>(const std::string& location_id)>;

WholePlan plan_whole(const std::vector<PlacedTile>& tiles, const index::PlannerConfig& config,
                     const StayingTiles& staying);

}  // namespace tilewright::pipeline
