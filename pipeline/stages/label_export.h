// SPDX-License-Identifier: Apache-2.0
// Vectors beside the masks: outlines of roads as they were drawn, and fitted middles. Sources are never changed.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pipeline/config/label_config.h"
#include "pipeline/stages/label_fit.h"
#include "pipeline/stages/label_objects.h"

namespace tilewright::pipeline {

/// Facts of the manifest: kVectorFact + name of a file in vectors/ -> its bytes and SHA-256, as JSON.
inline constexpr const char* kVectorFact = "vectors/";
using VectorFacts = std::map<std::string, std::string>;  ///< by name of the file

inline constexpr std::array kExports{"buffer", "centre"};                     ///< values of the key `export`
std::string vector_file(const std::string& layer, const std::string& what);  ///< `<layer>_<what>.geojson`

/// Publishes `vectors/<layer>_buffer.geojson` and `vectors/<layer>_centre.geojson` (WGS84, one feature an object, equal
/// bytes for equal input) as the layer's `export` asks, and removes those that it does not ask for. Returns what the
/// manifest is to keep of them.
VectorFacts export_vectors(const std::filesystem::path& workspace, const LayerConfig& config, const LabelObjects& objects, const std::vector<FittedLine>& centres);

}  // namespace tilewright::pipeline
