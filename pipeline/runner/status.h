// SPDX-License-Identifier: Apache-2.0
// Which stages of a job are up to date, which are not and why, and what the workspace holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "index/manifest.h"
#include "pipeline/runner/stage_key.h"

namespace tilewright::pipeline {

enum class StageState { not_wanted, up_to_date, stale, never_run };
std::string_view text_of(StageState state);

struct StageStatus {
  std::string stage;
  StageState state = StageState::never_run;
  std::vector<std::string> why;              ///< what changed, or what is missing
  std::optional<index::StageRunRow> last;    ///< the run that the manifest remembers
  StageKey key;                              ///< as of now
};

/// One stage as of now: needed stages are taken from the manifest as they are. Throws
/// Error::config for a missing root or an empty glob.
StageStatus status_of(const StageRow& row, const StageInput& in, std::int64_t limit);

/// All stages in order; a stage after a stale one that it needs is stale too. Inputs that cannot
/// be found make a stage stale with the reason, not an error.
std::vector<StageStatus> status_of_all(const StageInput& in, std::int64_t limit);

/// A stage_run whose row was kept, but whose result no longer counts: the next run does it again.
void mark_stale(index::Manifest& manifest, const std::string& stage);

/// Counts of the manifest and bytes on disk by folder: "tiles", "tiles quarantined", "locations", ...
struct WorkspaceCounts {
  std::vector<std::pair<std::string, std::int64_t>> counts;
  std::vector<std::pair<std::string, std::int64_t>> bytes;
};
WorkspaceCounts workspace_counts(const index::Manifest& manifest, const std::filesystem::path& workspace);

/// Quarantined tiles that a rejection row ties to one of `stages`; without a row they are scan's.
std::int64_t quarantined_tiles(const index::Manifest& manifest, const std::vector<std::string>& stages);

std::string bytes_text(std::int64_t bytes);  ///< "1.5 GiB"

}  // namespace tilewright::pipeline
