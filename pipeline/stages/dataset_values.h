// SPDX-License-Identifier: Apache-2.0
// What dataset.json says of a target that is one value a location.
#pragma once

#include <string>

#include "learn/config/dataset_file.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/dataset_samples.h"

namespace tilewright::pipeline {

/// Classes with their samples in `part` ("" = all), or exact statistics of the numbers there. Classes of
/// a layer target have the names and colours of the layer (`known`) and its ids.
learn::TargetInfo value_target(const std::string& name, const TargetConfig& config, const SampleSet& set, const std::string& part,
                               std::vector<learn::ClassInfo> known);

}  // namespace tilewright::pipeline
