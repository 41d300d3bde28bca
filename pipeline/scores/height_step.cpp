// SPDX-License-Identifier: Apache-2.0
// Do labelled objects stand above their surroundings?
#include <algorithm>
#include <cmath>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

constexpr int kRingPx = 3;

/// nullopt for no finite value. The upper one of two middle values.
std::optional<double> median(std::vector<float> values) {
  std::erase_if(values, [](float v) { return !std::isfinite(v); });
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

}  // namespace

std::optional<double> height_step(std::span<const float> band, const LabelView& label) {
  const auto parts = geometry::mask_parts(label);
  const auto pixels = geometry::pixels_of_parts(parts);
  std::optional<double> lowest;
  for (std::size_t n = 0; n < pixels.size(); ++n) {
    if (parts.parts[n].area_px < kLeastObjectPx) continue;
    std::vector<float> inside, around;
    for (const auto i : pixels[n]) inside.push_back(band[static_cast<std::size_t>(i)]);
    for (const auto i : geometry::ring_around(label, pixels[n], kRingPx))
      if (label.pixels[static_cast<std::size_t>(i)] == 0) around.push_back(band[static_cast<std::size_t>(i)]);
    const auto high = median(std::move(inside)), low = median(std::move(around));
    if (high && low) lowest = std::min(lowest.value_or(*high - *low), *high - *low);
  }
  return lowest;
}

std::optional<double> height_step_of(const ScoreInput& in) {
  if (in.band.empty()) return std::nullopt;
  return height_step(in.band, in.label);
}

}  // namespace tilewright::pipeline
