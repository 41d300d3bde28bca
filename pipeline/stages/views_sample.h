// SPDX-License-Identifier: Apache-2.0
// `views.sample`: which planned locations are kept.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "pipeline/stages/label_targets.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// A planned location as its strata see it.
struct SampleCandidate {
  TargetPlace place;
  geometry::LonLat centre;
  int epsg = 0, view_count = 0;
};
/// True if strata ask which tiles a location shows.
bool needs_tiles(const Job& job);

/// Ids of the locations that `views.sample` keeps. Strata are the values of its columns together: `zone`
/// (EPSG), `view_count`, `component` (the smallest of a location's tiles) and targets that need no masks.
/// Picks of an earlier plan with the same settings (all of `grid` and `views` but the count) come first.
/// Throws as make_target does.
std::set<std::string> sampled_locations(const StageInput& in, const std::vector<SampleCandidate>& candidates);

/// Remembers the settings of the picks that are written now. Call in a transaction.
void remember_sample(const StageInput& in);

/// What a sample depends on beside the sections of the views stage: its targets and their tables.
std::string hash_sample_inputs(const StageInput& in);

}  // namespace tilewright::pipeline
