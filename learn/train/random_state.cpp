// SPDX-License-Identifier: Apache-2.0
// Noise tensors from counters, and the global generator's bytes.
#include "learn/train/random_state.h"

#include <ATen/CPUGeneratorImpl.h>

#include "learn/data/counter_random.h"

namespace tilewright::learn {

torch::Tensor uniform_noise(std::vector<std::int64_t> shape, const StepKey& key,
                            std::uint64_t purpose) {
  CounterRandom random{key.seed, static_cast<std::uint64_t>(key.epoch),
                       static_cast<std::uint64_t>(key.step), purpose};
  auto noise = torch::empty(shape, torch::kFloat32);
  auto* value = noise.data_ptr<float>();
  // 24 bits: every float is exact and below 1.
  for (std::int64_t i = 0; i < noise.numel(); ++i)
    value[i] = static_cast<float>(random.next() >> 40) * 0x1p-24F;
  return noise;
}

torch::Tensor global_generator_state() { return at::detail::getDefaultCPUGenerator().get_state(); }

void set_global_generator_state(const torch::Tensor& state) {
  auto generator = at::detail::getDefaultCPUGenerator();
  generator.set_state(state);
}

}  // namespace tilewright::learn
