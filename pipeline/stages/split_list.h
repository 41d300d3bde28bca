// SPDX-License-Identifier: Apache-2.0
// Split lists of others: tables, vector files, folders by part, and our own workspaces.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "index/split_audit.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

struct SplitList {
  std::string kind;                          ///< "table", "tables", "vector", "folder" or "workspace"
  std::vector<index::AuditedSample> samples;
  std::vector<std::string> notes;            ///< what could not be used of it, with counts
};

/// `place` is
/// - a CSV with a column for the part (split, part, subset, set) and any of: a file (file, path, image,
///   filename), a name (id, name, sample, location_id), a scene (scene, scene_id, acquisition, product, tile_id), a location
///   (location, place), lon and lat (or longitude and latitude). Files are looked for beside the table;
/// - a folder with tables named after parts (train.csv, test_files.csv), or with subfolders train, val, test of rasters;
/// - a vector file: polygons or points with the same fields;
/// - a workspace with a split.
/// Rasters give ground (the box of their corners), the hash of their bytes and a thumbnail of their first band; views those of their pixels. `scene_pattern`: a
/// regular expression; its first group in a sample's name is its scene. Part names of other tools are
/// understood (training, valid, validation, dev, testing). Throws Error::config for a place that is none of these, a table without a part, and a list without train.
SplitList read_split_list(const std::filesystem::path& place, const std::string& scene_pattern, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
