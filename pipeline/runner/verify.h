// SPDX-License-Identifier: Apache-2.0
// Rehashes a workspace and compares it with what the manifest says; caches are ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/context.h"

namespace tilewright::pipeline {

/// One thing that is not as the manifest, an index or a checkpoint says.
struct Damage {
  std::string file;    ///< relative to the workspace
  std::string object;  ///< member, table, sample; "" for the whole file
  std::string found;   ///< what is wrong, with both values where there are two
};

struct VerifyReport {
  std::int64_t files = 0, members = 0, bytes = 0;  ///< looked at
  std::vector<Damage> damages;                     ///< in order of file and object
  std::string tree_hash;                           ///< "" if the manifest cannot be read
  [[nodiscard]] bool is_sound() const { return damages.empty(); }
};

/// Looks at every byte: the manifest (integrity, references), every member that a view or mask row
/// names, every shard against its .idx, dataset.json and part files, weights and checkpoints of
/// runs, every map of predict and every vector file of label. Returns what it found; the caller ends with exit code 1 if the report is not sound. Throws
/// Error::config where there is no manifest.
VerifyReport verify_workspace(const std::filesystem::path& workspace, const RunContext& context);

std::string verify_json(const VerifyReport& report);  ///< one document, with tree_hash
std::string verify_text(const VerifyReport& report);  ///< for people, ends with a newline

/// SHA-256 over (path, length, SHA-256) of every file below shards/ in order of path, over the hashes of
/// the runs' weights, and over the canonical dump of the manifest (with the hashes of maps): equal for equal histories, whatever threads, memory or kills.
std::string tree_hash(const std::filesystem::path& workspace);

}  // namespace tilewright::pipeline
