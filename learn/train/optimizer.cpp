// SPDX-License-Identifier: Apache-2.0
// AdamW and SGD with named state.
#include "learn/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

constexpr double kAdamEpsilon = 1e-8, kLarsTrust = 0.001;
constexpr std::string_view kBlocks = "blocks.";
constexpr const char* kAverage = ".ema";

/// A name within its encoder: without "encoder_N." of networks that have one a sensor.
std::string within_encoder(const std::string& name) {
  const auto dot = name.find('.');
  return name.starts_with("encoder_") && dot != std::string::npos ? name.substr(dot + 1) : name;
}

/// N of "blocks.N.attn..."; -1 for other names.
int block_of(const std::string& name) {
  return name.starts_with(kBlocks) ? std::atoi(name.c_str() + kBlocks.size()) : -1;
}

}  // namespace

struct Optimizer::Group {
  double weight_decay = 0, scale = 1;
  std::vector<std::size_t> members;  ///< indices of parameters that have a gradient
};

std::vector<double> layer_scales(const NamedTensors& parameters, double layer_decay) {
  int blocks = 0;
  for (const auto& [full, tensor] : parameters)
    blocks = std::max(blocks, block_of(within_encoder(full)) + 1);
  std::vector<double> scales;
  for (const auto& [full, tensor] : parameters) {
    const auto name = within_encoder(full);
    const bool is_embedding = name == "cls_token" || name == "pos_embed" || name == "mask_token" ||
                              name.starts_with("patch_embed.");
    const int block = block_of(name);
    const int layer = is_embedding ? 0 : block >= 0 ? block + 1 : blocks + 1;
    scales.push_back(blocks == 0 ? 1 : std::pow(layer_decay, blocks + 1 - layer));
  }
  return scales;
}

bool is_decayed(const std::string& name, const torch::Tensor& parameter) {
  return parameter.dim() > 1 && !name.ends_with(".bias");
}

Optimizer::Optimizer(const OptimizerConfig& config, NamedTensors parameters)
    : config_(config), parameters_(std::move(parameters)) {
  const bool is_adamw = config.name == "adamw";
  if (!is_adamw && config.name != "sgd" && config.name != "lars")
    throw Error::config("optimizer '" + config.name +
                        "' does not exist; there are adamw, sgd, lars");
  scales_ = layer_scales(parameters_, config.layer_decay);
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters_) {
    first_.push_back(torch::zeros_like(parameter));
    if (config.ema > 0) averages_.push_back(parameter.detach().clone());
    if (!is_adamw) continue;
    second_.push_back(torch::zeros_like(parameter));
    steps_.push_back(torch::zeros({}, parameter.options().dtype(torch::kFloat32)));
  }
}

void Optimizer::zero_grad() {
  for (auto& [name, parameter] : parameters_) parameter.mutable_grad().reset();
}

std::vector<Optimizer::Group> Optimizer::groups(double weight_decay) const {
  std::map<std::pair<bool, double>, Group, std::greater<>> groups;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& [name, parameter] = parameters_[i];
    if (!parameter.grad().defined()) continue;
    const bool decays = is_decayed(name, parameter);
    auto& group = groups[{decays, scales_[i]}];
    group.weight_decay = decays ? weight_decay : 0;
    group.scale = scales_[i];
    group.members.push_back(i);
  }
  std::vector<Group> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

void Optimizer::step(double lr, double weight_decay) {
  const torch::NoGradGuard no_grad;
  for (const auto& group : groups(weight_decay)) {
    if (config_.name == "adamw")
      step_adamw(lr * group.scale, group);
    else if (config_.name == "sgd")
      step_sgd(lr * group.scale, group);
    else
      step_lars(lr * group.scale, group);
  }
  average();
}

void Optimizer::average() {
  for (std::size_t i = 0; i < averages_.size(); ++i)
    averages_[i].mul_(config_.ema).add_(parameters_[i].second, 1 - config_.ema);
}

void Optimizer::swap_average() {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const auto weights = parameters_[i].second.clone();
    parameters_[i].second.copy_(averages_[i]);
    averages_[i].copy_(weights);
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

void Optimizer::step_lars(double lr, const Group& group) {
  for (const auto i : group.members) {
    auto& value = parameters_[i].second;
    auto gradient = value.grad();
    if (is_decayed(parameters_[i].first, value)) {
      gradient = gradient + group.weight_decay * value;
      const auto length = value.norm(2), slope = gradient.norm(2);
      const auto trust = kLarsTrust * length / slope;
      gradient =
          gradient * torch::where((length > 0) & (slope > 0), trust, torch::ones_like(trust));
    }
    first_[i].mul_(config_.momentum).add_(gradient);
    value.sub_(first_[i], lr);
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& name = parameters_[i].first;
    state.emplace_back(name + (second_.empty() ? ".momentum_buffer" : ".exp_avg"), first_[i]);
    if (!averages_.empty()) state.emplace_back(name + kAverage, averages_[i]);
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
