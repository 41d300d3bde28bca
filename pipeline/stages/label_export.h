// SPDX-License-Identifier: Apache-2.0
// Vectors beside the masks: outlines of roads as they were drawn, and fitted middles. Sources are never changed.
#pragma once

#include <filesystem>
#include <vector>

#include "pipeline/config/label_config.h"
#include "pipeline/stages/label_fit.h"
#include "pipeline/stages/label_objects.h"

namespace tilewright::pipeline {

/// Publishes `vectors/<layer>_buffer.geojson` and `vectors/<layer>_centre.geojson` (WGS84, one feature an object, equal
/// bytes for equal input) as the layer's `export` asks, and removes those that it does not ask for.
void export_vectors(const std::filesystem::path& workspace, const LayerConfig& config, const LabelObjects& objects, const std::vector<FittedLine>& centres);

}  // namespace tilewright::pipeline
