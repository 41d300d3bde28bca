// SPDX-License-Identifier: Apache-2.0
// From raw buffers of the loader to the tensors of a recipe.
#pragma once

#include <torch/torch.h>

#include "learn/data/loader.h"
#include "learn/recipes/recipe.h"

namespace tilewright::learn {

/// Copies into aligned tensors on `device`. Call it in the training thread only.
Batch to_batch(const RawBatch& raw, torch::Device device);

/// The loader that fits what `recipe` wants: order by run.seed, augmentations for train only, an
/// incomplete last batch where the recipe can use it.
LoaderConfig loader_config(const RunConfig& run, const std::vector<InputInfo>& inputs,
                           const std::string& views, Delivery delivery, std::int64_t samples,
                           bool is_training);

/// Sample names of a batch, for error texts: "a, b, c and 5 more".
std::string names_of(const std::vector<CorpusSample>& samples,
                     const std::vector<std::int64_t>& numbers);

}  // namespace tilewright::learn
