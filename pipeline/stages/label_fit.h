// SPDX-License-Identifier: Apache-2.0
// Widths of line objects fitted to a raster of elevation: `width.fit` of a layer.
#pragma once

#include <filesystem>

#include "pipeline/io/open_policy.h"
#include "pipeline/stages/label_objects.h"

namespace tilewright::pipeline {

/// Replaces the widths of lines that the raster shows (rule `fitted`, with sigma and offset in the
/// rows); where it shows too little the width of the rule stays, with the rule's own sigma. Lines
/// are not moved. Throws Error::failed for a raster with several bands or without a place.
void fit_widths(LabelObjects& objects, const std::filesystem::path& raster,
                const OpenPolicy& policy);

}  // namespace tilewright::pipeline
