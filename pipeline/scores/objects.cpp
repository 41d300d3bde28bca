// SPDX-License-Identifier: Apache-2.0
// Objects that the model sees and the label lacks, and the other way round.
#include <algorithm>

#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint8_t kIgnore = 255;
constexpr double kSeen = 0.5, kUnseen = 0.2, kCovered = 0.1;

double mean_probability(const Probabilities& model, int plane, std::span<const std::int32_t> pixels) {
  double sum = 0;
  for (const auto i : pixels) sum += static_cast<double>(model.khw[static_cast<std::size_t>(plane) * model.pixels() + static_cast<std::size_t>(i)]);
  return sum / static_cast<double>(pixels.size());
}

bool is_all_ignored(const LabelView& label) {
  return std::all_of(label.pixels.begin(), label.pixels.end(), [](auto value) { return value == kIgnore; });
}

}  // namespace

std::vector<PredictedObject> predicted_objects(const LabelView& label, const Probabilities& model) {
  const auto classes = decided(model);
  const auto planes = model.plane_of_class();
  const auto parts = geometry::mask_parts({label.width, label.height, classes});
  auto pixels = geometry::pixels_of_parts(parts);
  std::vector<PredictedObject> out;
  for (std::size_t n = 0; n < parts.parts.size(); ++n) {
    const auto& part = parts.parts[n];
    if (part.area_px < kLeastObjectPx) continue;
    std::int64_t known = 0, labelled = 0;
    for (const auto i : pixels[n]) {
      const auto value = label.pixels[static_cast<std::size_t>(i)];
      known += value != kIgnore;
      labelled += value != kIgnore && value != 0;
    }
    const double mean_p = mean_probability(model, planes[part.value], pixels[n]);
    if (mean_p <= kSeen || 2 * known < part.area_px) continue;
    out.push_back({part, std::move(pixels[n]), mean_p, static_cast<double>(labelled) / static_cast<double>(known)});
  }
  return out;
}

std::optional<double> missing_objects(const LabelView& label, const Probabilities& model) {
  if (is_all_ignored(label)) return std::nullopt;
  const auto objects = predicted_objects(label, model);
  return static_cast<double>(std::count_if(objects.begin(), objects.end(), [](const auto& object) { return object.labelled_frac < kCovered; }));
}

std::optional<double> false_objects(const LabelView& label, const Probabilities& model) {
  const auto parts = geometry::mask_parts(label);
  if (parts.parts.empty()) return std::nullopt;
  const auto pixels = geometry::pixels_of_parts(parts);
  const auto planes = model.plane_of_class();
  int count = 0;
  for (std::size_t n = 0; n < pixels.size(); ++n)
    if (const int plane = planes[parts.parts[n].value]; plane >= 0) count += mean_probability(model, plane, pixels[n]) < kUnseen;
  return count;
}

std::optional<double> completeness(const LabelView& label, const Probabilities& model) {
  double area = 0, labelled = 0;
  for (const auto& object : predicted_objects(label, model)) {
    area += static_cast<double>(object.part.area_px);
    labelled += object.labelled_frac * static_cast<double>(object.part.area_px);
  }
  if (area == 0) return std::nullopt;
  return labelled / area;
}

std::optional<double> missing_objects_of(const ScoreInput& in) { return missing_objects(in.label, *in.model); }
std::optional<double> false_objects_of(const ScoreInput& in) { return false_objects(in.label, *in.model); }
std::optional<double> completeness_of(const ScoreInput& in) { return completeness(in.label, *in.model); }

}  // namespace tilewright::pipeline
