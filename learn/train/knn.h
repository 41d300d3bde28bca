// SPDX-License-Identifier: Apache-2.0
// Classes of images by their nearest neighbours in train: what features are worth without training.
#pragma once

#include <torch/torch.h>

#include "learn/data/corpus.h"
#include "learn/recipes/recipe.h"
#include "learn/train/learn_context.h"

namespace tilewright::learn {

struct KnnSettings {
  int neighbours = 20;
  double temperature = 0.07;
};

/// Votes of the nearest by cosine, each with exp(similarity / temperature); ties to the lower
/// class. \param known_md [M, D] with classes known_m, \param asked_nd [N, D]. \return [N] int64.
/// Source: Wu et al. 2018 as DINO evaluates with it.
torch::Tensor knn_classes(const torch::Tensor& known_md, const torch::Tensor& known_m,
                          const torch::Tensor& asked_nd, int classes, const KnnSettings& = {});

/// Features of every sample of a part in its order, [N, D] float32 on the CPU. The recipe is left
/// in evaluation mode.
torch::Tensor features_of_part(Recipe& recipe, const RunConfig& run,
                               const std::vector<InputInfo>& inputs, const Corpus& corpus,
                               const std::string& part, torch::Device device,
                               const LearnContext& context);

}  // namespace tilewright::learn
