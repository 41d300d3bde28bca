// SPDX-License-Identifier: Apache-2.0
// Where the first weights of a run lie.
#pragma once

#include <optional>
#include <string>

#include "learn/config/run_config.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// A run folder or a file; neither for a run from random weights.
struct StartPlace {
  std::optional<std::string> folder, file;
};

/// Of `init`, else of the encoder of the model.
StartPlace start_of(const StageInput& in, const learn::RunConfig& run);

}  // namespace tilewright::pipeline
