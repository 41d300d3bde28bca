// SPDX-License-Identifier: Apache-2.0
// The masks of a synthetic archive as the planner takes them, without files.
#pragma once

#include <map>
#include <vector>

#include "index/view_planner.h"
#include "pipeline/synth/archive.h"

namespace tilewright::pipeline {

/// Coverages by zone; copies are left out, as scan leaves them out.
inline std::map<int, std::vector<index::TileCoverage>> archive_masks(const std::vector<ArchiveTile>& tiles) {
  std::map<int, std::vector<index::TileCoverage>> zones;
  for (const auto& tile : tiles) {
    if (tile.copy_of) continue;
    index::TileCoverage coverage;
    coverage.tile_id = tile.name;
    coverage.source = "archive";
    const auto& n = tile.name;  // a000012_20240307T102315_32
    coverage.acquired = n.substr(8, 4) + "-" + n.substr(12, 2) + "-" + n.substr(14, 2) + "T" + n.substr(17, 2) + ":" + n.substr(19, 2) + ":" + n.substr(21, 2) + ".000Z";
    coverage.time_known = true;
    coverage.i = static_cast<std::int64_t>(tile.affine.c / tile.affine.a);
    coverage.j = static_cast<std::int64_t>(tile.affine.f / tile.affine.a);
    coverage.valid = geometry::RunMask::from(valid_pixels(tile));
    if (!tile.clouds.empty()) coverage.cloud = geometry::RunMask::from(cloudy_pixels(tile));
    zones[tile.epsg].push_back(std::move(coverage));
  }
  return zones;
}

struct ArchivePlan {
  std::int64_t locations = 0, several = 0, views_of_several = 0;
};
inline ArchivePlan plan_zones(const std::map<int, std::vector<index::TileCoverage>>& zones, const index::PlannerConfig& config) {
  ArchivePlan total;
  for (const auto& [epsg, coverages] : zones)
    for (const auto& location : index::plan_views(coverages, config).locations) {
      ++total.locations;
      if (location.views.size() < 2) continue;
      ++total.several;
      total.views_of_several += static_cast<std::int64_t>(location.views.size());
    }
  return total;
}

}  // namespace tilewright::pipeline
