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

namespace tilewright::pipeline {

struct WrittenSeries {
  std::vector<index::MaskRow> rows;  ///< one a window, in order
  std::int64_t shards = 0, bytes = 0;
};

/// Publishes `<layer>-NNNNNN.tar`; the rows are the caller's to record. `draw` runs in several
/// threads, once a window.
WrittenSeries write_masks(const StageInput& in, const RunContext& context, const std::string& layer,
                          const LabelGround& ground, const std::function<LocationMask(std::size_t)>& draw);

/// Removes shards of the layer that an earlier or killed run left behind.
void remove_series(const StageInput& in, const std::string& layer);

}  // namespace tilewright::pipeline
