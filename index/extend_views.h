// SPDX-License-Identifier: Apache-2.0
// A plan that grows: more views for windows that are there, and the ground that is left for new ones.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "index/view_planner.h"

namespace tilewright::index {

/// A window of an earlier plan and the views that stay, as indices into the coverages.
struct KeptWindow {
  geometry::LatticeWindow window;
  std::vector<std::size_t> tiles;
};

/// One location a window, in the order given, each with the views that stay and the usable ones that
/// are new to it, by (acquired, tile_id). A view that stays wins over a duplicate and over max_views;
/// min_views is not asked: a location may come back with less `counted`, even without views. Rejections as plan_views.
ViewPlan extend_views(std::span<const TileCoverage> coverages, const PlannerConfig& config, std::span<const KeptWindow> windows);

/// Clears the pixels that no new window may use: those of `taken` windows (of any size), and in the
/// other tiles those that no tile of `is_new` (one flag a coverage) shows. What is left of the valid
/// pixels makes plan_views choose windows in free ground where a new tile is.
void confine_to_free_ground(std::span<TileCoverage> coverages, const std::vector<bool>& is_new,
                            std::span<const geometry::LatticeWindow> taken);

}  // namespace tilewright::index
