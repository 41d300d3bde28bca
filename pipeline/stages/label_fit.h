// SPDX-License-Identifier: Apache-2.0
// Widths of line objects fitted to a raster of elevation or to an image: `width.fit` of a layer.
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "geometry/polygon.h"
#include "pipeline/config/label_config.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/stages/label_objects.h"

namespace tilewright::pipeline {

/// Where a raster shows the middle of a line's road.
struct FittedLine {
  std::size_t feature = 0;            ///< index into LabelObjects::rows
  std::vector<geometry::LonLat> centre;
  double contrast = 0;                ///< natural log; the larger the surer
};

/// Replaces the widths of lines that the raster shows (rule `fitted`, with sigma and offset in the
/// rows); where it shows too little the width of the rule stays, with the rule's own sigma. Lines
/// are not moved: their middles are the result, in order of the features. Throws Error::failed for a raster
/// without the band or without a place.
std::vector<FittedLine> fit_widths(LabelObjects& objects, const std::filesystem::path& raster, const WidthConfig& config, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
