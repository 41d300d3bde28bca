// SPDX-License-Identifier: Apache-2.0
// The step of every recipe.
#include "learn/train/stepper.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "geometry/error.h"
#include "learn/models/autocast.h"
#include "learn/recipes/momentum.h"
#include "learn/train/batch.h"

namespace tilewright::learn {

namespace {

/// How LibTorch says it.
constexpr std::string_view kTooFewValues = "more than 1 value per channel";

Batch rows_of(const Batch& batch, std::int64_t begin, std::int64_t end) {
  const auto cut = [&](const torch::Tensor& tensor) {
    return tensor.defined() ? tensor.slice(0, begin, end).clone() : tensor;
  };
  return {.image_nchw = cut(batch.image_nchw),
          .valid_nhw = cut(batch.valid_nhw),
          .mask_nhw = cut(batch.mask_nhw),
          .image2_nchw = cut(batch.image2_nchw),
          .label_n = cut(batch.label_n),
          .labels_nk = cut(batch.labels_nk),
          .small_rchw = {}};  // recipes with crops refuse parts
}

}  // namespace

RunLength length_of(const RunConfig& run, std::int64_t batches) {
  const auto steps = batches * run.epochs;
  return {.steps_per_epoch = batches,
          .total_steps = run.max_steps > 0 ? std::min(steps, run.max_steps) : steps};
}

Stepper::Stepper(Recipe& recipe, const RunConfig& run, RunLength length, torch::Device device)
    : recipe_(recipe),
      run_(run),
      length_(length),
      device_(device),
      optimizer_(run.optimizer, trainable_of(recipe.module())) {}

std::string Stepper::attempt(const RawBatch& raw, const StepKey& key, StepOutcome& outcome) {
  if (!raw.non_finite.empty()) return "NaN or infinite pixels";
  optimizer_.zero_grad();
  outcome.loss = accumulate(to_batch(raw, device_), key);
  if (!std::isfinite(outcome.loss)) return "the loss is " + std::to_string(outcome.loss);
  const auto& parameters = optimizer_.parameters();
  const double norm =
      run_.clip_norm > 0 ? clip_gradients(parameters, run_.clip_norm) : gradient_norm(parameters);
  if (!std::isfinite(norm)) return "the gradient norm is " + std::to_string(norm);
  const auto& decay = run_.optimizer;
  optimizer_.step(outcome.lr, cosine_between(decay.weight_decay,
                                             decay.weight_decay_end.value_or(decay.weight_decay),
                                             key.progress));
  recipe_.follow(key);
  return "";
}

torch::Tensor Stepper::loss_of(const Batch& batch, const StepKey& key) {
  const Autocast precision(run_.precision == "bfloat16", device_);
  try {
    return recipe_.loss(batch, key);
  } catch (const c10::Error& error) {
    if (std::string_view(error.what_without_backtrace()).find(kTooFewValues) ==
        std::string_view::npos)
      throw;
    throw Error::config("batch norm of model " + run_.model.name +
                        " needs two or more values a channel, but its smallest map has one pixel "
                        "an image and " +
                        std::to_string(batch.image_nchw.size(0)) +
                        " image is computed at once (batch " + std::to_string(run_.batch) +
                        ", accumulate " + std::to_string(run_.accumulate) +
                        "); use a larger batch, larger patches or model.detailed: true");
  }
}

double Stepper::accumulate(const Batch& batch, const StepKey& key) {
  const auto count = batch.image_nchw.size(0);
  const auto parts = std::min<std::int64_t>(run_.accumulate, count);
  double sum = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    const auto begin = count * part / parts, end = count * (part + 1) / parts;
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const auto loss = loss_of(parts == 1 ? batch : rows_of(batch, begin, end), key);
    const double value = loss.item<double>();
    sum += share * value;
    if (!std::isfinite(value)) return sum;
    (parts == 1 ? loss : loss * share).backward();
  }
  return sum;
}

StepOutcome Stepper::step(const RawBatch& raw, const std::vector<CorpusSample>& samples,
                          const StepKey& key) {
  StepOutcome outcome;
  outcome.lr = learning_rate(run_.optimizer.lr, run_.schedule, length_, key.step);
  const auto problem = attempt(raw, key, outcome);
  if (problem.empty()) return outcome;
  std::string names = names_of(samples, raw.samples);
  if (!raw.non_finite.empty()) {
    names = raw.non_finite.front();
    for (std::size_t i = 1; i < raw.non_finite.size(); ++i) names += ", " + raw.non_finite[i];
  }
  outcome.problem = "step " + std::to_string(key.step + 1) + " (epoch " +
                    std::to_string(key.epoch + 1) + "): " + problem + " in the samples " + names;
  if (run_.non_finite == "stop")
    throw Error::failed(outcome.problem +
                        "; look at these samples, lower optimizer.lr, or set non_finite: skip");
  optimizer_.zero_grad();
  return outcome;
}

}  // namespace tilewright::learn
