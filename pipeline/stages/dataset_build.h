// SPDX-License-Identifier: Apache-2.0
// The parts of a dataset.json that samples decide: shared by the dataset stage and the folds of curation.
#pragma once

#include <functional>
#include <string>

#include "learn/config/dataset_file.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/dataset_samples.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// Input `number` of `config` with its bands and their statistics over the samples of `part` ("" = all).
/// `each` is called once a member read and may throw to stop. Throws Error::config for unknown bands.
learn::InputInfo dataset_input(const StageInput& in, const DatasetConfig& config, int number, const SampleSet& set,
                               const std::string& part, const std::function<void()>& each);

/// Classes of the layer's config and of the masks; pixels are those of `part` ("" = all).
learn::TargetInfo dataset_target(const StageInput& in, const DatasetConfig& config, const SampleSet& set, const std::string& part);

}  // namespace tilewright::pipeline
