// SPDX-License-Identifier: Apache-2.0
// AdamW and SGD whose whole state has names, so that a checkpoint forgets nothing.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "learn/config/run_config.h"
#include "learn/models/named_tensors.h"

namespace tilewright::learn {

/// Decoupled weight decay, not on tensors of one dimension nor on names that end in ".bias".
/// adamw: Loshchilov & Hutter 2019, eps 1e-8, equal to torch.optim.AdamW. sgd: heavy ball as in
/// torch.optim.SGD, but with the decoupled decay. lars: heavy ball whose step of each decayed
/// tensor has the length 0.001 |w| / |g + decay w| (You et al. 2017, as MoCo v3 uses it).
class Optimizer {
 public:
  /// `parameters` are shared with the module: step() changes them in place. They must lie on their
  /// device already. Throws Error::config for an unknown name.
  Optimizer(const OptimizerConfig& config, NamedTensors parameters);

  void zero_grad();
  /// One update from the gradients; parameters without a gradient stay. `lr` from learning_rate().
  void step(double lr) { step(lr, config_.weight_decay); }
  void step(double lr, double weight_decay);
  /// True if an average of the weights is kept (config ema).
  [[nodiscard]] bool has_average() const { return !averages_.empty(); }
  /// Weights and their average change places; twice is as before.
  void swap_average();

  [[nodiscard]] const NamedTensors& parameters() const { return parameters_; }
  /// Names as in torch: "<parameter>.exp_avg", ".exp_avg_sq", ".step" or ".momentum_buffer";
  /// the average of a parameter is "<parameter>.ema".
  [[nodiscard]] NamedTensors state() const;
  /// Throws Error::failed if names or shapes differ from state().
  void load_state(const TensorMap& state, const std::string& what);
  [[nodiscard]] const OptimizerConfig& config() const { return config_; }

 private:
  struct Group;  ///< parameters that share a weight decay and a factor of the learning rate
  void step_adamw(double lr, const Group& group);
  void step_sgd(double lr, const Group& group);
  void step_lars(double lr, const Group& group);
  [[nodiscard]] std::vector<Group> groups(double weight_decay) const;
  void average();

  OptimizerConfig config_;
  NamedTensors parameters_;
  std::vector<torch::Tensor> first_, second_,
      steps_;                            ///< parallel to parameters_; sgd and lars: first_ only
  std::vector<torch::Tensor> averages_;  ///< parallel to parameters_; empty without ema
  std::vector<double> scales_;           ///< parallel to parameters_
};

/// Factors of the learning rate with layer decay d over a ViT of L blocks: head 1, block i
/// d^(L - i), embeddings d^(L + 1), in each encoder of several sensors alike; all 1 for other
/// networks (MAE's fine-tuning).
std::vector<double> layer_scales(const NamedTensors& parameters, double layer_decay);
bool is_decayed(const std::string& name, const torch::Tensor& parameter);
/// Euclidean norm of all gradients together; not finite if any gradient is not.
double gradient_norm(const NamedTensors& parameters);
/// Scales all gradients so that their norm is at most `max_norm`; returns the norm before.
double clip_gradients(const NamedTensors& parameters, double max_norm);

}  // namespace tilewright::learn
