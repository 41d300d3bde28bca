// SPDX-License-Identifier: Apache-2.0
// What nothing refers to any more: found, counted, removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "pipeline/config/job.h"

namespace tilewright::pipeline {

struct Garbage {
  std::string file;        ///< relative to the workspace
  std::int64_t bytes = 0;
  std::string why;         ///< what it was, or who still refers to it
};

struct GarbageReport {
  std::vector<Garbage> removed;      ///< in a dry run: would be
  std::vector<Garbage> kept;         ///< dead for the manifest, but a dataset still reads it
  std::int64_t removed_bytes = 0;
  std::int64_t dead_members = 0, dead_bytes = 0;  ///< inside shards that live: only `run --replan` frees them
};

/// Shards that no row and no dataset names, vectors that no layer exports, predictions of scenes that are gone,
/// temporaries and scratch. Removes no shard that the manifest names, and forgets the hashes of maps before it removes them; a kill leaves some of it for the next time. The
/// caller holds the workspace's lock.
GarbageReport collect_garbage(const Job& job, index::Manifest& manifest, bool dry_run);

/// Members of shards that no row names, though other members of the shard are named.
struct DeadBytes {
  std::int64_t members = 0, bytes = 0, shards = 0, shard_bytes = 0;  ///< shards: those that no row names at all
};
DeadBytes dead_bytes(const index::Manifest& manifest, const std::filesystem::path& workspace);

std::string garbage_json(const GarbageReport& report, bool dry_run);
std::string garbage_text(const GarbageReport& report, bool dry_run);  ///< for people

}  // namespace tilewright::pipeline
