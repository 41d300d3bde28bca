// SPDX-License-Identifier: Apache-2.0
// The shard files of one series: numbers that are given once, and files that a kill left behind.
#pragma once

#include <string>
#include <vector>

#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// First number that no shard of the series ever had; a dead shard keeps its number until the series
/// starts over.
int next_shard_number(const index::Manifest& manifest, const std::string& series, const std::vector<std::string>& named);

/// Remembers that the shard `path` is recorded; belongs into the transaction that records it.
void take_shard_number(index::Manifest& manifest, const std::string& series, const std::string& path);

/// Removes files of the series that were published but not recorded before a kill: no row names them
/// and their number is not given yet. What rows named once stays until `gc`.
void remove_unrecorded(const StageInput& in, const std::string& series, const std::vector<std::string>& named);

}  // namespace tilewright::pipeline
