// SPDX-License-Identifier: Apache-2.0
// Views of chosen windows, and why other tiles that touch them are none.
#pragma once

#include <span>
#include <vector>

#include "index/coverage.h"
#include "index/view_choice.h"

namespace tilewright::index {

/// A window to be filled, and ranks of the views that it has from an earlier plan, ascending.
struct WindowToSee {
  Anchor at;
  std::vector<std::size_t> staying;
};

/// One planned location a window, and the rejections of all, in the order given. A view that stays is
/// kept by every rule and wins over a duplicate. Parallel over groups of near windows.
void add_views(const CoverageSet& tiles, const ViewChooser& chooser, const PlannerConfig& config, std::span<const WindowToSee> windows, ViewPlan& plan);

}  // namespace tilewright::index
