// SPDX-License-Identifier: Apache-2.0
// Repaired masks as a layer of their own: `<layer>_repaired`, its shards and where each change comes from.
#pragma once

#include <string>
#include <vector>

#include "pipeline/scores/repair_label.h"
#include "pipeline/stages/curate_metrics.h"

namespace tilewright::pipeline {

struct RepairedItem {
  std::string location_id;
  int width = 0, height = 0;
  RepairedLabel label;
};

/// Of every item that the models answered, in order; strength of edges is the mean over the item's views.
std::vector<RepairedItem> repair_items(const LabelledViews& views, const FoldAnswers& answers, const RepairConfig& config, const LayerFacts& facts, const RunContext& context);

/// Rows of a repaired layer, to be recorded together; its shards are published.
struct RepairedLayer {
  std::string layer;                              ///< `<layer>_repaired`
  std::vector<index::MaskRow> masks;
  std::vector<index::LabelObjectRow> objects;     ///< one a proposal: object_id `<location_id>/<kind>-<n>`
  std::vector<std::string> shards;
};

/// Publishes new shards of the series; none that is recorded is touched.
RepairedLayer write_repaired(const StageInput& in, const std::string& layer, const std::vector<RepairedItem>& items);
/// In the caller's transaction: replaces all rows of the repaired layer.
void record_repaired(index::Manifest& manifest, const RepairedLayer& repaired);

}  // namespace tilewright::pipeline
