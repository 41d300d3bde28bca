// SPDX-License-Identifier: Apache-2.0
// From the globs of a source to acquisitions: which files belong together, and their hashes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "index/reason.h"
#include "pipeline/io/file_glob.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {

/// One acquisition to be: its files in band order, quality files of their own last.
struct Acquisition {
  std::string source, key;                ///< key: "<root>:<capture or relative path>"
  std::string tile_id;
  std::vector<TileFile> files;
  std::optional<index::ItemError> problem;  ///< found while grouping: the tile is quarantined
};

struct SourceInputs {
  std::vector<Acquisition> acquisitions;  ///< by key, bytewise
  std::vector<index::RejectionRow> ungrouped;
  std::set<std::string> known;            ///< tile ids before a limit cuts the list; filled by scan
  std::int64_t file_count = 0;            ///< distinct files, ungrouped too
};

/// Throws Error::config for a missing root, an empty glob and links that leave a root.
SourceInputs find_inputs(const Job& job, const std::string& source);

struct FileHash {
  std::string sha256;
  std::int64_t bytes = 0;
};

/// Content hashes by path; known stat tuples save reading (and are written where the manifest can
/// be written). Threads as `threads`, 0 = all.
std::map<std::string, FileHash> hash_files(const Job& job, index::Manifest& manifest, const std::vector<std::string>& paths, int threads);

/// Those of `paths` whose content is not the one that was hashed last, told by the stat tuple first.
std::vector<std::string> changed_files(const Job& job, const index::Manifest& manifest, const std::vector<std::string>& paths);

/// All paths that the inputs name, sorted, once each.
std::vector<std::string> paths_of(const SourceInputs& inputs);

}  // namespace tilewright::pipeline
