// SPDX-License-Identifier: Apache-2.0
// One value a location: from file names, tables and masks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "index/rows.h"
#include "pipeline/context.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct TargetRows {
  std::vector<index::TargetRow> rows;            ///< by target, location_id, valid_from
  std::vector<index::RejectionRow> rejections;   ///< subject `target/location_id`, or `target/key` of a table's row
  std::vector<std::pair<std::string, std::int64_t>> counts;  ///< <target>.with_value, and <target>.<reason> of its rejections
};

/// A location and the tiles that it shows.
struct TargetPlace {
  std::string location_id;
  std::vector<std::string> tile_ids;
};

/// Every location has a value of each target or a rejection that says why not; every row of a table is
/// used or rejected. `masks`: what this run of the stage has published.
/// Throws Error::config for a table that cannot be used, Error::failed if no location has a value.
TargetRows make_targets(const StageInput& in, const RunContext& context, const std::vector<index::MaskRow>& masks);

/// One target of names, tables or fields at places that need not be in the manifest yet.
TargetRows make_target(const StageInput& in, const std::string& name, const std::vector<TargetPlace>& places);

}  // namespace tilewright::pipeline
