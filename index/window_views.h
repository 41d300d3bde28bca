// SPDX-License-Identifier: Apache-2.0
// Views of chosen windows, and why other tiles that touch them are none.
#pragma once

#include <span>
#include <vector>

#include "index/coverage.h"
#include "index/view_choice.h"

namespace tilewright::index {

/// One planned location an anchor, and the rejections of all, in order of the anchors, which are
/// sorted by (column, row from the south). Parallel over groups of near anchors.
void add_views(const CoverageSet& tiles, const ViewChooser& chooser, const PlannerConfig& config, std::span<const Anchor> anchors, ViewPlan& plan);

}  // namespace tilewright::index
