// SPDX-License-Identifier: Apache-2.0
// A finished run, ready to predict: its record, its network, its weights.
#pragma once

#include <memory>

#include "learn/config/dataset_file.h"
#include "learn/recipes/recipe.h"
#include "learn/train/run_record.h"

namespace tilewright::learn {

struct LoadedRun {
  RunRecord record;
  std::unique_ptr<Recipe> recipe;  ///< on the device, in evaluation mode
  torch::Device device;
  std::string weights_sha256;
};

/// The weights of `run_folder`/weights.safetensors. `dataset` must be the one of the run, else
/// Error::config. Prepares device and threads of the process (`device` auto, cpu or cuda).
LoadedRun load_run(const std::filesystem::path& run_folder, const DatasetFile& dataset,
                   const std::string& device, int threads);

}  // namespace tilewright::learn
