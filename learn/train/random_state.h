// SPDX-License-Identifier: Apache-2.0
// Randomness of a training step as a pure function of its place in the run.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace tilewright::learn {

/// Where in the run we are: what randomness of a step may depend on.
struct StepKey {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0, step = 0;
  double progress = 0;  ///< share of the run's steps before this one, [0, 1]
};

/// float32 on the CPU, uniform in [0, 1), from `key` and `purpose` (one constant a use) only: equal
/// on every platform and after a resume. Built on learn/data/counter_random.h.
torch::Tensor uniform_noise(std::vector<std::int64_t> shape, const StepKey& key,
                            std::uint64_t purpose);

/// Bytes of LibTorch's global CPU generator (dropout would draw from it), for checkpoints.
torch::Tensor global_generator_state();
void set_global_generator_state(const torch::Tensor& state);

}  // namespace tilewright::learn
