// SPDX-License-Identifier: Apache-2.0
// Scores of the label's own probability: softmin, likelihood, confident learning.
#include <algorithm>
#include <cmath>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

constexpr double kTemperature = 0.1;
constexpr float kLeastProbability = 1e-7F;

/// Calls use(pixel, plane of its class) for pixels with a class of the model.
template <class Use>
void each_labelled(const LabelView& label, const Probabilities& model, Use use) {
  const auto planes = model.plane_of_class();
  for (std::size_t i = 0; i < label.pixels.size(); ++i)
    if (const int plane = planes[label.pixels[i]]; plane >= 0) use(i, static_cast<std::size_t>(plane));
}

}  // namespace

std::vector<int> Probabilities::plane_of_class() const {
  std::vector<int> planes(256, -1);
  for (std::size_t k = 0; k < class_ids.size(); ++k) planes[class_ids[k]] = static_cast<int>(k);
  planes[255] = -1;
  return planes;
}

std::vector<std::uint8_t> decided(const Probabilities& model) {
  const auto n = model.pixels();
  std::vector<std::uint8_t> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t best = 0;
    for (std::size_t k = 1; k < model.class_ids.size(); ++k)
      if (model.khw[k * n + i] > model.khw[best * n + i]) best = k;
    out[i] = model.class_ids[best];
  }
  return out;
}

std::vector<float> foreground(const Probabilities& model) {
  const auto n = model.pixels();
  std::vector<float> out(n, 0);
  for (std::size_t k = 0; k < model.class_ids.size(); ++k)
    if (model.class_ids[k] != 0)
      for (std::size_t i = 0; i < n; ++i) out[i] += model.khw[k * n + i];
  return out;
}

std::optional<double> softmin(const LabelView& label, const Probabilities& model) {
  const auto n = model.pixels();
  double weighted = 0, weights = 0;
  each_labelled(label, model, [&](std::size_t i, std::size_t plane) {
    const auto s = static_cast<double>(model.khw[plane * n + i]);
    const double w = std::exp((1 - s) / kTemperature);
    weighted += s * w;
    weights += w;
  });
  if (weights == 0) return std::nullopt;
  return weighted / weights;
}

std::optional<double> log_likelihood(const LabelView& label, const Probabilities& model) {
  const auto n = model.pixels();
  double sum = 0;
  std::int64_t count = 0;
  each_labelled(label, model, [&](std::size_t i, std::size_t plane) {
    sum += std::log(static_cast<double>(std::max(model.khw[plane * n + i], kLeastProbability)));
    ++count;
  });
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

void ClassConfidence::add(const LabelView& label, const Probabilities& model) {
  sum.resize(model.class_ids.size(), 0);
  count.resize(model.class_ids.size(), 0);
  const auto n = model.pixels();
  each_labelled(label, model, [&](std::size_t i, std::size_t plane) {
    sum[plane] += static_cast<double>(model.khw[plane * n + i]);
    ++count[plane];
  });
}

std::vector<double> ClassConfidence::thresholds() const {
  std::vector<double> out;
  for (std::size_t k = 0; k < sum.size(); ++k) out.push_back(count[k] > 0 ? sum[k] / static_cast<double>(count[k]) : 2);
  return out;
}

std::optional<double> confident_frac(const LabelView& label, const Probabilities& model, std::span<const double> thresholds) {
  const auto n = model.pixels(), classes = model.class_ids.size();
  std::int64_t pixels = 0, flagged = 0;
  each_labelled(label, model, [&](std::size_t i, std::size_t own) {
    ++pixels;
    std::size_t best = 0;
    bool is_confident = false;
    for (std::size_t k = 0; k < classes; ++k) {
      const float p = model.khw[k * n + i];
      if (p > model.khw[best * n + i]) best = k;
      is_confident = is_confident || (k != own && static_cast<double>(p) >= thresholds[k]);
    }
    flagged += is_confident && best != own;
  });
  if (pixels == 0) return std::nullopt;
  return 1 - static_cast<double>(flagged) / static_cast<double>(pixels);
}

std::optional<double> softmin_of(const ScoreInput& in) { return softmin(in.label, *in.model); }
std::optional<double> log_likelihood_of(const ScoreInput& in) { return log_likelihood(in.label, *in.model); }
std::optional<double> confident_of(const ScoreInput& in) { return confident_frac(in.label, *in.model, in.facts.thresholds); }

}  // namespace tilewright::pipeline
