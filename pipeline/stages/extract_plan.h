// SPDX-License-Identifier: Apache-2.0
// Where each view of a source will lie: members, shards and names, before any pixel is read.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "index/shard/shard_writer.h"
#include "pipeline/stages/extract_tile.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

struct PlannedShard {
  std::string path;                            ///< relative to the workspace: "shards/naip-000003.tar"
  std::vector<shard::MemberSpec> members;      ///< views of a location, then its json, by location_id
};

/// A member that is a view, for the manifest.
struct PlannedView {
  std::string location_id, tile_id;
  std::size_t shard = 0, member = 0;           ///< index into shards, and into their members
};

struct SeriesPlan {
  std::string source;
  std::vector<PlannedShard> shards;
  std::vector<PlannedView> views;              ///< in member order
  /// Windows of each tile, tiles in order of their first member: shards are completed early.
  std::vector<std::pair<std::string, std::vector<WindowToCut>>> tiles;
};

/// All views of `source` without a place: those that lay in a shard come back there, the others go
/// into new shards, whose numbers go on after all that were given. Throws
/// Error::failed where rows contradict each other (a view of an unknown tile or location).
SeriesPlan plan_series(const StageInput& in, const std::string& source);

/// Where views of `source` lie or come back to, relative to the workspace, each once and in order.
std::vector<std::string> recorded_shards(const StageInput& in, const std::string& source);

}  // namespace tilewright::pipeline
