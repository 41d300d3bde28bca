// SPDX-License-Identifier: Apache-2.0
// Labels that people corrected by hand, read back: checked against what was given out, compared
// object by object, kept as the next version of the layer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/review/label_tiles.h"

namespace tilewright::pipeline {

/// What became of one object; in pixels of the grid.
struct ObjectChange {
  enum class Kind { added, removed, moved_or_reshaped, reclassified };
  Kind kind = Kind::added;
  std::string location_id,
      object;  ///< of the label that was given out; added: the feature `fid <n>`
  int class_before = 0, class_after = 0;
  std::int64_t pixels_before = 0, pixels_after = 0, pixels_shared = 0;
};
std::string_view name(ObjectChange::Kind kind);

struct CorrectionReport {
  std::string layer, version;  ///< buildings, buildings_v2
  std::int64_t tiles = 0, tiles_changed = 0, objects = 0;
  std::vector<ObjectChange> changes;  ///< by location, in the order of the objects
  std::vector<std::filesystem::path> files;
  std::string job_lines;  ///< the layer for the job file
};

/// Reads `dir`/labels.gpkg and writes `<workspace>/corrections/<layer>_v<n>.gpkg` (layers `objects`
/// and `known`: where the tiles are labelled) and `<layer>_v<n>_changes.csv`. Later objects are
/// drawn over earlier ones. Nothing in the manifest changes: the new version is a layer that the
/// job names. Throws Error::config, and writes nothing, where `dir` is not what was given out: a
/// tile is gone, moved or new, a label changed since, a layer, CRS, geometry or class that does not
/// fit.
CorrectionReport import_labels(const Job& job, const index::Manifest& manifest,
                               const std::filesystem::path& dir);

}  // namespace tilewright::pipeline
