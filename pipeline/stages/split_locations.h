// SPDX-License-Identifier: Apache-2.0
// The manifest's locations as splits and audits see them.
#pragma once

#include <vector>

#include "index/manifest.h"
#include "index/split.h"
#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// All locations in order of id, with the tiles of their views and the components of those.
std::vector<index::SplitLocation> split_locations_of(const index::Manifest& manifest);

/// The job's split as the index computes it; folds as curate wants them for model_iou, else none.
index::SplitConfig split_config_of(const Job& job);

}  // namespace tilewright::pipeline
