// SPDX-License-Identifier: Apache-2.0
// IoU of a label with what a model that never saw it decides.
#include <array>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;

}  // namespace

std::optional<double> label_iou(std::span<const std::uint8_t> predicted, std::span<const std::uint8_t> label) {
  std::array<std::int64_t, 256> both{}, either{};
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] == kIgnore) continue;
    ++either[label[i]];
    if (predicted[i] == label[i]) ++both[label[i]];
    else ++either[predicted[i]];
  }
  double sum = 0;
  int classes = 0;
  for (std::size_t c = 1; c < kIgnore; ++c)
    if (either[c] > 0) {
      sum += static_cast<double>(both[c]) / static_cast<double>(either[c]);
      ++classes;
    }
  if (classes == 0) return std::nullopt;
  return sum / classes;
}

std::optional<double> model_iou_of(const ScoreInput& in) { return label_iou(decided(*in.model), in.label.pixels); }

std::optional<double> label_agreement_of(const ScoreInput& in) { return label_iou(in.other, in.label.pixels); }

}  // namespace tilewright::pipeline
