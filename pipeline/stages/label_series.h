// SPDX-License-Identifier: Apache-2.0
// Writes the masks of one layer as a series of shards, in parallel and in order.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "index/rows.h"
#include "pipeline/context.h"
#include "pipeline/stages/label_kinds.h"
#include "pipeline/stages/stage.h"
#include "pipeline/config/valid_period.h"

namespace tilewright::pipeline {

struct WrittenSeries {
  std::string layer;                 ///< the series' name
  std::vector<index::MaskRow> rows;  ///< of the windows that were drawn: by shard, window, period
  std::vector<std::string> shards;
};

/// Draws the array of a window in a period (index into the layer's periods). Runs in several threads.
using DrawMask = std::function<DrawnArray(std::size_t window, std::size_t period)>;

struct SeriesName {
  std::string name;     ///< `<layer>` or `<layer>_<kind>`
  shard::DType dtype;
};

/// Windows whose masks go together.
struct MaskGroup {
  std::optional<std::string> home;   ///< shard that they lay in and come back to; none: new shards
  std::vector<std::size_t> windows;  ///< of the ground, in order
};

/// Windows without a mask of the series; empty if there is nothing to draw.
std::vector<MaskGroup> windows_to_draw(const StageInput& in, const std::string& layer, const LabelGround& ground);

/// Publishes `<series>-NNNNNN.tar`; the rows are the caller's to record. Of a layer with several
/// periods, masks that are ignored everywhere are left out: that survey says nothing there.
WrittenSeries write_masks(const StageInput& in, const RunContext& context, const SeriesName& name, const LabelGround& ground,
                          const std::vector<MaskGroup>& groups, const std::vector<ValidPeriod>& periods, const DrawMask& draw);

/// Where masks of the layer lie or come back to, each once and in order.
std::vector<std::string> recorded_mask_shards(const index::Manifest& manifest, const std::string& layer);

}  // namespace tilewright::pipeline
