// SPDX-License-Identifier: Apache-2.0
// `views.sample`: which planned locations are kept.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "index/rows.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// Ids of the locations that `views.sample` keeps. Strata are the values of its columns together: `zone`
/// (EPSG), `view_count`, `component` (the smallest of a location's tiles) and targets that need no masks.
/// Picks of an earlier plan with the same settings (all of `grid` and `views` but the count) come first.
/// Throws as make_target does.
std::set<std::string> sampled_locations(const StageInput& in, const std::vector<index::LocationRow>& locations,
                                        const std::vector<index::ViewRow>& views);

/// Remembers the settings of the picks that are written now. Call in a transaction.
void remember_sample(const StageInput& in);

/// What a sample depends on beside the sections of the views stage: its targets and their tables.
std::string hash_sample_inputs(const StageInput& in);

}  // namespace tilewright::pipeline
