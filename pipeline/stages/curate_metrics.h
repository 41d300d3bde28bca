// SPDX-License-Identifier: Apache-2.0
// All scores of a layer, location by location, in parallel.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/scores/score.h"
#include "pipeline/stages/curate_folds.h"
#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/curate_views.h"

namespace tilewright::pipeline {

using Metrics = std::map<std::string, MetricValues>;

/// Rows of the score table that the job asks for; those that need a model, or those that need none.
std::vector<const ScoreRow*> wanted_scores(const CurateConfig& config, bool with_model);

/// Percentiles of the gradient of each item's views: what the layer's edge scale is made of. Reads all pixels.
std::vector<std::vector<double>> edge_percentiles(const LabelledViews& views, const std::vector<std::size_t>& items, const RunContext& context);

/// Scores of `items` (numbers into views.items()) that need no model.
Metrics score_without_model(const LabelledViews& views, const std::vector<const ScoreRow*>& scores, const LayerFacts& facts, const std::vector<std::size_t>& items,
                            const RunContext& context);

/// Fills facts.thresholds from all items and scores them by the models.
Metrics score_by_model(const LabelledViews& views, const FoldAnswers& answers, const std::vector<const ScoreRow*>& scores, LayerFacts& facts, const RunContext& context);

/// Calls use(number of item, label, probabilities) in parallel for items that a model answered.
void each_answered(const LabelledViews& views, const FoldAnswers& answers, const RunContext& context,
                   const std::function<void(std::size_t, const LabelView&, const Probabilities&)>& use);

}  // namespace tilewright::pipeline
