// SPDX-License-Identifier: Apache-2.0
// Writes the masks of one layer as a series of shards, in parallel and in order.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "index/rows.h"
#include "pipeline/context.h"
#include "pipeline/stages/label_masks.h"
#include "pipeline/stages/stage.h"
#include "pipeline/config/valid_period.h"

namespace tilewright::pipeline {

struct WrittenSeries {
  std::vector<index::MaskRow> rows;  ///< by window, then period
  std::int64_t shards = 0, bytes = 0;
};

/// Draws the mask of a window in a period (index into the layer's periods). Runs in several threads.
using DrawMask = std::function<LocationMask(std::size_t window, std::size_t period)>;

/// Publishes `<layer>-NNNNNN.tar`; the rows are the caller's to record. Of a layer with several
/// periods, masks that are ignored everywhere are left out: that survey says nothing there.
WrittenSeries write_masks(const StageInput& in, const RunContext& context, const std::string& layer, const LabelGround& ground,
                          const std::vector<ValidPeriod>& periods, const DrawMask& draw);

/// Removes shards of the layer that an earlier or killed run left behind.
void remove_series(const StageInput& in, const std::string& layer);

}  // namespace tilewright::pipeline
