// SPDX-License-Identifier: Apache-2.0
// Tensors under the names of the reference state dicts, and which of them learn.
#pragma once

#include <torch/torch.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::learn {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;
using TensorMap = std::map<std::string, torch::Tensor>;

/// Parameters and buffers of `module`, sorted by name; the tensors are shared with the module.
NamedTensors state_of(const torch::nn::Module& module);
/// Parameters that learn, in order of registration.
NamedTensors trainable_of(const torch::nn::Module& module);
/// Numbers in all parameters, also those that do not learn; buffers are not parameters.
std::int64_t parameter_count(const torch::nn::Module& module, bool trainable_only = false);

/// True if `name` is, or lies below, one of `prefixes` ("inc", "blocks", "cls_token").
bool lies_below(const std::string& name, const std::vector<std::string>& prefixes);
/// Parameters below `prefixes` no longer learn.
void freeze(torch::nn::Module& module, const std::vector<std::string>& prefixes);
/// Training or evaluation mode; modules below `frozen` always stay in evaluation mode, so that
/// their batch norms keep their statistics.
void set_training(torch::nn::Module& module, bool is_training,
                  const std::vector<std::string>& frozen = {});
/// Copies values into the module's tensors. Throws Error::failed that names every tensor which is
/// missing, unknown or of another shape; then nothing is copied.
void assign_state(torch::nn::Module& module, const TensorMap& values, const std::string& what);

}  // namespace tilewright::learn
