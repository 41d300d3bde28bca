// SPDX-License-Identifier: Apache-2.0
// State dicts of modules: collecting, freezing, assigning.
#include "learn/models/named_tensors.h"

#include <algorithm>
#include <sstream>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

std::string shape_text(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

/// Empty, or one clause a tensor that does not fit.
std::string misfits(const NamedTensors& wanted, const TensorMap& values) {
  std::string text;
  for (const auto& [name, tensor] : wanted) {
    const auto found = values.find(name);
    if (found == values.end())
      text += "; '" + name + "' is missing";
    else if (found->second.sizes() != tensor.sizes())
      text +=
          "; '" + name + "' is " + shape_text(found->second) + ", expected " + shape_text(tensor);
  }
  for (const auto& [name, tensor] : values)
    if (std::none_of(wanted.begin(), wanted.end(),
                     [&](const auto& entry) { return entry.first == name; }))
      text += "; '" + name + "' is not part of this model";
  return text;
}

}  // namespace

NamedTensors state_of(const torch::nn::Module& module) {
  NamedTensors state;
  for (const auto& item : module.named_parameters()) state.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers()) state.emplace_back(item.key(), item.value());
  std::sort(state.begin(), state.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return state;
}

NamedTensors trainable_of(const torch::nn::Module& module) {
  NamedTensors trainable;
  for (const auto& item : module.named_parameters())
    if (item.value().requires_grad()) trainable.emplace_back(item.key(), item.value());
  return trainable;
}

std::int64_t parameter_count(const torch::nn::Module& module, bool trainable_only) {
  std::int64_t count = 0;
  for (const auto& parameter : module.parameters())
    if (parameter.requires_grad() || !trainable_only) count += parameter.numel();
  return count;
}

bool lies_below(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const std::string& prefix) {
    return name == prefix || name.starts_with(prefix + ".");
  });
}

void freeze(torch::nn::Module& module, const std::vector<std::string>& prefixes) {
  for (auto& item : module.named_parameters())
    if (lies_below(item.key(), prefixes)) item.value().set_requires_grad(false);
}

void set_training(torch::nn::Module& module, bool is_training,
                  const std::vector<std::string>& frozen) {
  module.train(is_training);
  for (const auto& item : module.named_modules("", /*include_self=*/false))
    if (lies_below(item.key(), frozen)) item.value()->eval();
}

void assign_state(torch::nn::Module& module, const TensorMap& values, const std::string& what) {
  const auto wanted = state_of(module);
  if (const auto text = misfits(wanted, values); !text.empty())
    throw Error::failed("the weights of " + what + " do not fit this model" + text +
                        "; use the model and bands that they were trained with");
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : wanted) torch::Tensor(tensor).copy_(values.at(name));
}

}  // namespace tilewright::learn
