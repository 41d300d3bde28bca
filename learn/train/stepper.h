// SPDX-License-Identifier: Apache-2.0
// One optimizer step: forward, loss, backward, checks, update.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "learn/data/loader.h"
#include "learn/recipes/recipe.h"
#include "learn/train/optimizer.h"
#include "learn/train/schedule.h"

namespace tilewright::learn {

struct StepOutcome {
  double loss = 0, lr = 0;
  std::string problem;  ///< why the step changed nothing (policy skip); empty if it did
};

/// Steps of a run: min(epochs x batches, max_steps).
RunLength length_of(const RunConfig& run, std::int64_t batches);

class Stepper {
 public:
  /// The module of `recipe` must lie on `device` already.
  Stepper(Recipe& recipe, const RunConfig& run, RunLength length, torch::Device device);
  /// NaN or infinity in pixels, loss or gradient: with `non_finite: stop` Error::failed that names
  /// the samples, with `skip` the weights stay and the outcome says why.
  StepOutcome step(const RawBatch& raw, const std::vector<CorpusSample>& samples,
                   const StepKey& key);
  [[nodiscard]] Optimizer& optimizer() { return optimizer_; }

 private:
  /// Runs the step; returns what was not finite, or "".
  std::string attempt(const RawBatch& raw, const StepKey& key, StepOutcome& outcome);
  /// In the precision of the run.
  torch::Tensor loss_of(const Batch& batch, const StepKey& key);
  /// Adds the gradient of the batch, computed in `accumulate` parts; the mean loss.
  double accumulate(const Batch& batch, const StepKey& key);
  Recipe& recipe_;
  const RunConfig& run_;
  RunLength length_;
  torch::Device device_;
  Optimizer optimizer_;
};

}  // namespace tilewright::learn
