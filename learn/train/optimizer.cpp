// SPDX-License-Identifier: Apache-2.0
// AdamW and SGD with named state.
#include "learn/train/optimizer.h"

#include <algorithm>
#include <cmath>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

constexpr double kAdamEpsilon = 1e-8;

}  // namespace

struct Optimizer::Group {
  double weight_decay = 0;
  std::vector<std::size_t> members;  ///< indices of parameters that have a gradient
};

bool is_decayed(const std::string& name, const torch::Tensor& parameter) {
  return parameter.dim() > 1 && !name.ends_with(".bias");
}

Optimizer::Optimizer(const OptimizerConfig& config, NamedTensors parameters)
    : config_(config), parameters_(std::move(parameters)) {
  const bool is_adamw = config.name == "adamw";
  if (!is_adamw && config.name != "sgd")
    throw Error::config("optimizer '" + config.name + "' does not exist; there are adamw, sgd");
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters_) {
    first_.push_back(torch::zeros_like(parameter));
    if (!is_adamw) continue;
    second_.push_back(torch::zeros_like(parameter));
    steps_.push_back(torch::zeros({}, parameter.options().dtype(torch::kFloat32)));
  }
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

std::vector<Optimizer::Group> Optimizer::groups() const {
  std::vector<Group> groups(2);
  groups[0].weight_decay = config_.weight_decay;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, parameter] = parameters_[i];
    if (parameter.grad().defined())
      groups[is_decayed(name, parameter) ? 0 : 1].members.push_back(i);
  }
  return groups;
}

void Optimizer::step(double lr) {
  const torch::NoGradGuard no_grad;
  for (const auto& group : groups()) {
    if (group.members.empty()) continue;
    if (config_.name == "adamw")
      step_adamw(lr, group);
    else
      step_sgd(lr, group);
  }
}

void Optimizer::step_adamw(double lr, const Group& group) {
  std::vector<torch::Tensor> values, gradients, first, second, steps;
  for (const auto i : group.members) {
    values.push_back(parameters_[i].second);
    gradients.push_back(parameters_[i].second.grad());
    first.push_back(first_[i]);
    second.push_back(second_[i]);
    steps.push_back(steps_[i]);
    steps_[i].add_(1);
  }
  at::_fused_adamw_(values, gradients, first, second, {}, steps, lr, config_.beta1, config_.beta2,
                    group.weight_decay, kAdamEpsilon,
                    /*amsgrad=*/false, /*maximize=*/false);
}

void Optimizer::step_sgd(double lr, const Group& group) {
  for (const auto i : group.members) {
    auto& value = parameters_[i].second;
    value.mul_(1 - lr * group.weight_decay);
    first_[i].mul_(config_.momentum).add_(value.grad());
    value.sub_(first_[i], lr);
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& name = parameters_[i].first;
    state.emplace_back(name + (second_.empty() ? ".momentum_buffer" : ".exp_avg"), first_[i]);
    if (second_.empty()) continue;
    state.emplace_back(name + ".exp_avg_sq", second_[i]);
    state.emplace_back(name + ".step", steps_[i]);
  }
  return state;
}

void Optimizer::load_state(const TensorMap& values, const std::string& what) {
  const torch::NoGradGuard no_grad;
  const auto own = state();
  if (values.size() != own.size())
    throw Error::failed("the optimizer state of " + what + " has " + std::to_string(values.size()) +
                        " tensors, this run has " + std::to_string(own.size()) +
                        "; resume needs the same model, protocol and optimizer");
  for (const auto& [name, tensor] : own) {
    const auto found = values.find(name);
    if (found == values.end() || found->second.sizes() != tensor.sizes())
      throw Error::failed(
          "the optimizer state of " + what + " lacks '" + name +
          "' in this run's shape; resume needs the same model, protocol and optimizer");
  }
  for (const auto& [name, tensor] : own) torch::Tensor(tensor).copy_(values.at(name));
}

double gradient_norm(const NamedTensors& parameters) {
  std::vector<torch::Tensor> norms;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) norms.push_back(parameter.grad().norm(2).to(torch::kFloat64));
  return norms.empty() ? 0 : torch::stack(norms).norm(2).item<double>();
}

double clip_gradients(const NamedTensors& parameters, double max_norm) {
  const double norm = gradient_norm(parameters);
  if (!(norm > max_norm)) return norm;
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters)
    if (parameter.grad().defined()) parameter.grad().mul_(max_norm / norm);
  return norm;
}

}  // namespace tilewright::learn
