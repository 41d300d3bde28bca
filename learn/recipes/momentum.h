// SPDX-License-Identifier: Apache-2.0
// Networks that follow another one slowly.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

/// slow = stays * slow + (1 - stays) * fast for parameters; buffers are copied. Only names that
/// both have.
void follow_slowly(torch::nn::Module& slow, const torch::nn::Module& fast, double stays);

/// From `first` to `last` by half a cosine over `progress` in [0, 1].
double cosine_between(double first, double last, double progress);

}  // namespace tilewright::learn
