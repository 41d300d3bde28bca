// SPDX-License-Identifier: Apache-2.0
// Out-of-fold predictions for curation: what the learning program is asked, and the IoU of its answers.
#pragma once

#include <optional>
#include <string>

#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct FoldScores {
  MetricValues iou;                  ///< mean over the views of a location
  std::int64_t samples = 0;
  std::int64_t empty_locations = 0;  ///< nothing labelled and nothing predicted: no score
};

/// Trains `config.folds` small UNets on all locations of train, val and test that have a mask of `layer` and a view of
/// `source`; a location's fold is that of its block of the split, so that a model never saw the neighbourhood it judges.
/// Pixels are scaled as the job's dataset of this source and layer says; without one, floats of one band (elevation)
/// per sample, other sources by their statistics.
FoldScores score_by_folds(const StageInput& in, const CurateConfig& config, const std::string& layer, const std::string& source,
                          const RunContext& context);

/// `normalize` of the job's first dataset that has just this source and this target.
std::optional<std::string> curate_normalize(const Job& job, const std::string& layer, const std::string& source);

}  // namespace tilewright::pipeline
