// SPDX-License-Identifier: Apache-2.0
// How far a label lies beside the edges, or beside what the model sees.
#include <algorithm>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

std::vector<std::int32_t> labelled_pixels(const LabelView& label) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < label.pixels.size(); ++i)
    if (label.pixels[i] != 0 && label.pixels[i] != 255) out.push_back(static_cast<std::int32_t>(i));
  return out;
}

std::optional<double> length_of(const std::optional<geometry::PixelShift>& shift) {
  if (!shift) return std::nullopt;
  return shift->length();
}

}  // namespace

std::optional<geometry::PixelShift> shift_to_edges(std::span<const float> gradient, const LabelView& label, double scale, int reach_px) {
  const auto boundary = boundary_pixels(label);
  if (boundary.empty() || scale <= 0) return std::nullopt;
  std::vector<float> strength(gradient.size());
  std::transform(gradient.begin(), gradient.end(), strength.begin(), [&](float g) { return std::min(1.0F, g / static_cast<float>(scale)); });
  return geometry::contrast_by_shift(boundary, {}, {label.width, label.height, strength}, reach_px).best();
}

std::optional<geometry::PixelShift> shift_to_model(const LabelView& label, const Probabilities& model, int reach_px) {
  const auto pixels = labelled_pixels(label);
  if (pixels.empty()) return std::nullopt;
  const auto p = foreground(model);
  return geometry::soft_iou_by_shift(pixels, {label.width, label.height, p}, reach_px).best();
}

std::optional<double> shift_edges_of(const ScoreInput& in) {
  if (in.gradient.empty()) return std::nullopt;
  return length_of(shift_to_edges(in.gradient, in.label, in.facts.edge_scale, in.facts.reach_px));
}

std::optional<double> shift_model_of(const ScoreInput& in) { return length_of(shift_to_model(in.label, *in.model, in.facts.reach_px)); }

}  // namespace tilewright::pipeline
