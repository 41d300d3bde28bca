// SPDX-License-Identifier: Apache-2.0
// Closed-form parameters and inputs, with which our networks and reference code must agree.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::learn::testing {

inline std::uint32_t fnv1a(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  return hash;
}

/// u in [0, 1) of element `k` of the tensor whose name has the hash `h`.
inline double golden_unit(std::uint32_t h, std::uint64_t k) {
  std::uint32_t x = h + static_cast<std::uint32_t>(k) * 0x9E3779B9U;
  x ^= x >> 16;
  x *= 0x85EBCA6BU;
  x ^= x >> 13;
  x *= 0xC2B2AE35U;
  x ^= x >> 16;
  return x / 4294967296.0;
}

/// Sets every element to offset + scale * (2u - 1).
inline void golden_assign(torch::Tensor tensor, const std::string& name, double offset,
                          double scale) {
  const auto h = fnv1a(name);
  auto* value = tensor.data_ptr<float>();
  for (std::int64_t k = 0; k < tensor.numel(); ++k)
    value[k] = static_cast<float>(offset +
                                  scale * (2 * golden_unit(h, static_cast<std::uint64_t>(k)) - 1));
}

inline torch::Tensor golden_input(const std::string& name, std::vector<std::int64_t> shape,
                                  double low = -1, double high = 1) {
  auto tensor = torch::empty(shape);
  golden_assign(tensor, name, (low + high) / 2, (high - low) / 2);
  return tensor;
}

/// All parameters but the fixed positions; batch norm buffers are 0 and 1 from the start.
inline void golden_fill(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (auto& item : module.named_parameters()) {
    const auto& name = item.key();
    auto tensor = item.value();
    if (name == "pos_embed" || name == "decoder_pos_embed") continue;
    if (tensor.dim() >= 2)
      golden_assign(tensor, name, 0,
                    std::sqrt(3.0 / static_cast<double>(tensor.numel() / tensor.size(0))));
    else
      golden_assign(tensor, name, name.ends_with("weight") ? 1 : 0, 0.1);
  }
}

/// 1e-4 relative, as the reference values are float32 themselves.
inline void expect_golden(double found, double wanted, const char* what) {
  EXPECT_NEAR(found, wanted, 1e-4 * std::abs(wanted) + 2e-6) << what;
}

inline double mean_of(const torch::Tensor& tensor) {
  return tensor.to(torch::kFloat64).mean().item<double>();
}
/// Divided by n.
inline double std_of(const torch::Tensor& tensor) {
  return tensor.to(torch::kFloat64).std(/*unbiased=*/false).item<double>();
}
inline double at(const torch::Tensor& tensor, std::int64_t k) {
  return tensor.flatten()[k].item<double>();
}

}  // namespace tilewright::learn::testing
