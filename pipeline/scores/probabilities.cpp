// SPDX-License-Identifier: Apache-2.0
// Scores of the label's own probability: softmin, likelihood, confident learning.
#include <algorithm>
#include <cmath>
#include <limits>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"
#include "pipeline/scores/score_kernels.h"

namespace tilewright::pipeline {
namespace {

constexpr float kTemperature = 0.1F;

/// p >= t for doubles is p >= this for floats.
float least_at_least(double t) {
  const auto near = static_cast<float>(t);
  return static_cast<double>(near) < t ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}

/// Calls use(pixel, plane of its class) for pixels with a class of the model.
template <class Use>
void each_labelled(const LabelView& label, const Probabilities& model, Use use) {
  const auto planes = model.plane_of_class();
  for (std::size_t i = 0; i < label.pixels.size(); ++i)
    if (const int plane = planes[label.pixels[i]]; plane >= 0) use(i, static_cast<std::size_t>(plane));
}

}  // namespace

LabelledPlanes labelled_planes(const LabelView& label, const Probabilities& model) {
  return {model.khw.data(), model.class_ids.data(), model.class_ids.size(), label.pixels.data(), model.class_ids.empty() ? 0 : label.pixels.size()};
}

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
  const auto sums = score_kernels().softmin(labelled_planes(label, model), kTemperature);
  if (sums.weights == 0) return std::nullopt;
  return sums.weighted / sums.weights;
}

std::optional<double> log_likelihood(const LabelView& label, const Probabilities& model) {
  const auto logs = score_kernels().log_sum(labelled_planes(label, model));
  if (logs.pixels == 0) return std::nullopt;
  return logs.sum / static_cast<double>(logs.pixels);
}

void ClassConfidence::add(const LabelView& label, const Probabilities& model) {
  const auto classes = model.class_ids.size(), n = model.pixels();
  sum.resize(classes, 0), count.resize(classes, 0), sum_everywhere.resize(classes, 0);
  each_labelled(label, model, [&](std::size_t i, std::size_t plane) {
    sum[plane] += static_cast<double>(model.khw[plane * n + i]);
    ++count[plane];
    for (std::size_t k = 0; k < classes; ++k) sum_everywhere[k] += static_cast<double>(model.khw[k * n + i]);
  });
}

void ClassConfidence::add(const ClassConfidence& other) {
  const auto classes = std::max(sum.size(), other.sum.size());
  sum.resize(classes, 0), count.resize(classes, 0), sum_everywhere.resize(classes, 0);
  for (std::size_t k = 0; k < other.sum.size(); ++k) {
    sum[k] += other.sum[k];
    count[k] += other.count[k];
    sum_everywhere[k] += other.sum_everywhere[k];
  }
}

std::vector<double> ClassConfidence::thresholds() const {
  std::vector<double> out;
  for (std::size_t k = 0; k < sum.size(); ++k) out.push_back(count[k] > 0 ? sum[k] / static_cast<double>(count[k]) : 2);
  return out;
}

std::optional<double> confident_frac(const LabelView& label, const Probabilities& model, std::span<const double> thresholds) {
  std::vector<float> limits;
  for (const double t : thresholds) limits.push_back(least_at_least(t));
  const auto found = score_kernels().flagged(labelled_planes(label, model), limits.data());
  if (found.pixels == 0) return std::nullopt;
  return 1 - static_cast<double>(found.flagged) / static_cast<double>(found.pixels);
}

std::optional<double> softmin_of(const ScoreInput& in) { return softmin(in.label, *in.model); }
std::optional<double> log_likelihood_of(const ScoreInput& in) { return log_likelihood(in.label, *in.model); }
std::optional<double> confident_of(const ScoreInput& in) { return confident_frac(in.label, *in.model, in.facts.thresholds); }

}  // namespace tilewright::pipeline
