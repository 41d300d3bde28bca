// SPDX-License-Identifier: Apache-2.0
// The value of every lattice phase in one pass over the coverage, and the windows of one phase.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/depth_rows.h"
#include "index/occupied.h"

namespace tilewright::index {

struct Phase {
  std::int64_t col = 0, row = 0;        ///< modulo patch_px; row counts to the south
  std::int64_t candidate_windows = 0;   ///< anchors with at least one view, at any phase
};

/// What the planner works on.
struct Ground {
  const CoverageSet& tiles;
  const ViewChooser& chooser;
  const PlannerConfig& config;
  const std::vector<Component>& components;
  const Occupied& taken;
};

/// The phase with the most windows of several views, then the most views in them, then the most
/// windows of one view; ties to the smaller (row, column).
Phase best_phase(const Ground& ground);

/// Anchors of the phase with at least min_views views, outside `taken`; in no particular order.
std::vector<Anchor> anchors_on_phase(const Ground& ground, const Phase& phase);

}  // namespace tilewright::index
