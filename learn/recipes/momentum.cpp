// SPDX-License-Identifier: Apache-2.0
// Exponential averages of weights.
#include "learn/recipes/momentum.h"

#include <cmath>
#include <numbers>

namespace tilewright::learn {

void follow_slowly(torch::nn::Module& slow, const torch::nn::Module& fast, double stays) {
  const torch::NoGradGuard no_grad;
  const auto parameters = fast.named_parameters(), buffers = fast.named_buffers();
  for (auto& item : slow.named_parameters())
    if (const auto* target = parameters.find(item.key()))
      item.value().mul_(stays).add_(*target, 1 - stays);
  for (auto& item : slow.named_buffers())
    if (const auto* target = buffers.find(item.key())) item.value().copy_(*target);
}

double cosine_between(double first, double last, double progress) {
  return last - (last - first) * (std::cos(std::numbers::pi * progress) + 1) / 2;
}

}  // namespace tilewright::learn
