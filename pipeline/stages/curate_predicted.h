// SPDX-License-Identifier: Apache-2.0
// What the out-of-fold models decided, kept as masks for people to look at: `<layer>_predicted`.
#pragma once

#include <string>
#include <vector>

#include "pipeline/stages/curate_metrics.h"

namespace tilewright::pipeline {

/// Rows of a predicted layer, to be recorded together; its shards are published.
struct PredictedLayer {
  std::string layer;
  std::vector<index::MaskRow> masks;
  std::vector<std::string> shards;
};

std::string predicted_layer(const std::string& layer);
/// True for the layers that curate makes from models' answers, of the layers that the job curates.
bool is_predicted_layer(const Job& job, const std::string& layer);

/// Most probable class of each pixel for every item that the models answered; 255 is never written.
/// Publishes new shards of the series; none that is recorded is touched.
PredictedLayer write_predicted(const StageInput& in, const std::string& layer,
                               const LabelledViews& views, const FoldAnswers& answers,
                               const RunContext& context);
/// In the caller's transaction: replaces all rows of the layer.
void record_predicted(index::Manifest& manifest, const PredictedLayer& predicted);

}  // namespace tilewright::pipeline
