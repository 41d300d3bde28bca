// SPDX-License-Identifier: Apache-2.0
// Weights of another run or of a file that a run starts from, and the statistics that go with them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "learn/config/request.h"
#include "learn/recipes/recipe.h"
#include "learn/train/learn_context.h"
#include "learn/train/run_record.h"
#include "learn/train/safetensors.h"

namespace tilewright::learn {

struct StartWeights {
  std::string what;  ///< for messages: "run pretrain" or the file
  std::string sha256;
  SafetensorsFile file;
  std::optional<RunRecord> record;  ///< of a run
  std::vector<InputInfo> inputs;    ///< that it was trained on; empty where nothing says so
};

/// nullopt if the request names none. Of weights of several sensors, a run on one encoder gets that
/// of the sensor that it names or whose source or bands `own` has. Throws Error::config if the file
/// is not there, or no single sensor fits.
std::optional<StartWeights> read_start(const TrainRequest& request,
                                       const std::vector<InputInfo>& own);

/// The model as the encoder's run has it: patch, width, depth and heads of a ViT, width of a UNet.
ModelConfig with_encoder_shape(ModelConfig model, const std::optional<StartWeights>& start,
                               const DatasetFile& dataset);

/// `inputs` with the statistics and normalization of the start's run, band by band of equal name.
/// Bands that the run did not have keep their own.
std::vector<InputInfo> inputs_of_start(std::vector<InputInfo> inputs,
                                       const std::optional<StartWeights>& start);

/// Copies the weights that fit and says what was taken and what was not.
void load_start(Recipe& recipe, const StartWeights& start, const std::vector<InputInfo>& inputs,
                const LearnContext& context);

}  // namespace tilewright::learn
