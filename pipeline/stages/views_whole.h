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
  /// Of each location, by location_id: the tiles that are its views, by (acquired, tile_id). None is resampled.
  std::vector<std::vector<std::size_t>> locations;
  /// One a tile that is not seen: its subject is `location/tile`, or `tile` where there is no location;
  /// and `location` where a period or a partner is missing.
  std::vector<index::RejectionRow> rejections;
  std::int64_t crs_count = 0;                    ///< different CRSs of the locations
  std::int64_t candidates = 0;                   ///< chips with at least one usable view
};

/// Tiles of the views that a location keeps from an earlier plan.
using StayingTiles = std::function<std::vector<std::string>(const std::string& location_id)>;

/// Tiles on one grid are views of one location. A chip is seen if all of its pixels are valid and
/// at most `max_cloud_frac` of them are cloudy; which of these are kept, and what min_views counts,
/// is as everywhere (index::ViewChooser). No pixel is read: scan has counted them.
WholePlan plan_whole(const std::vector<PlacedTile>& tiles, const index::PlannerConfig& config,
                     const StayingTiles& staying);

}  // namespace tilewright::pipeline
