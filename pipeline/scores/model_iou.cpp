// SPDX-License-Identifier: Apache-2.0
// IoU of a label with what a model that never saw it decides.
#include <array>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"
#include "pipeline/scores/score_kernels.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;

/// Mean over the classes but 0 that one side has.
template <class Counts>
std::optional<double> mean_iou(const Counts& both, const Counts& either) {
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

}  // namespace

std::optional<double> label_iou(std::span<const std::uint8_t> predicted, std::span<const std::uint8_t> label) {
  std::array<std::int64_t, 256> both{}, either{};
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] == kIgnore) continue;
    ++either[label[i]];
    if (predicted[i] == label[i]) ++both[label[i]];
    else ++either[predicted[i]];
  }
  return mean_iou(both, either);
}

std::optional<double> model_iou_of(const ScoreInput& in) {
  const auto& ids = in.model->class_ids;
  std::array<ClassPixelCount, 256> planes{};
  // A class that the model does not know, or a label of another size, is counted pixel by pixel.
  if (ids.empty() || in.model->pixels() != in.label.pixels.size() || score_kernels().overlaps(labelled_planes(in.label, *in.model), planes.data()) > 0)
    return label_iou(decided(*in.model), in.label.pixels);
  std::array<std::int64_t, 256> both{}, either{};
  for (std::size_t k = 0; k < ids.size(); ++k) both[ids[k]] = planes[k].both, either[ids[k]] = planes[k].either;
  return mean_iou(both, either);
}

/// Where one of the two sources is unknown they neither agree nor disagree.
std::optional<double> label_agreement_of(const ScoreInput& in) {
  std::vector<std::uint8_t> known(in.label.pixels.begin(), in.label.pixels.end());
  for (std::size_t i = 0; i < known.size(); ++i)
    if (in.other[i] == kIgnore) known[i] = kIgnore;
  return label_iou(in.other, known);
}

}  // namespace tilewright::pipeline
