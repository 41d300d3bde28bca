// SPDX-License-Identifier: Apache-2.0
// The value of every lattice phase in one pass over the coverage of all tiles.
#pragma once

#include <cstdint>
#include <span>

#include "index/coverage.h"

namespace tilewright::index {

struct Phase {
  std::int64_t col = 0, row = 0;        ///< modulo patch_px; row counts to the south
  std::int64_t candidate_windows = 0;   ///< anchors with at least one view, at any phase
};

/// The phase with the most windows of several views, then the most views in them, then the most
/// windows of one view; ties to the smaller (row, column).
Phase best_phase(const CoverageSet& tiles, const PlannerConfig& config, std::span<const geometry::LatticeWindow> taken);

/// True if the window anchored at (col, row) shares a pixel with a taken one.
bool is_taken(std::span<const geometry::LatticeWindow> taken, std::int64_t col, std::int64_t row, int size_px);

}  // namespace tilewright::index
