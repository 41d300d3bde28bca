// SPDX-License-Identifier: Apache-2.0
// Rows of a plan one by one, and what they add up to: an archive has more of them than memory
// should hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "index/tile_grids.h"

namespace tilewright::index {

// The manifest must not be written to while rows are handed out.
void each_location(const Manifest&, const std::function<void(LocationRow)>& use);  ///< location_id
void each_view(const Manifest&,
               const std::function<void(ViewRow)>& use);  ///< location_id, acquired, tile_id
/// Of one stage, ordered by subject and reason.
void each_rejection(const Manifest&, const std::string& stage,
                    const std::function<void(RejectionRow)>& use);

/// Of one source and status, by tile_id: outlines may be large.
void each_tile(const Manifest&, const std::string& source, const std::string& status,
               const std::function<void(TileRow)>& use);
/// Of one source, by tile_id; none for a file of schema version 1 that is opened to read.
void each_tile_grid(const Manifest&, const std::string& source,
                    const std::function<void(TileGridRow)>& use);
/// Tiles of a source, ordered, without their rows.
std::vector<std::string> tile_ids(const Manifest&, const std::string& source);

struct PlanCounts {
  std::int64_t locations = 0, views = 0, resampled = 0;
  std::set<std::string> tiles;  ///< that a view shows
  std::set<int> zones;          ///< EPSG of the locations
};
PlanCounts plan_counts(const Manifest&);

/// Rejections of a stage by reason.
std::map<std::string, std::int64_t> rejection_counts(const Manifest&, const std::string& stage);

}  // namespace tilewright::index
