// SPDX-License-Identifier: Apache-2.0
// How much of a label belongs to objects that the window or the extent cuts.
#include "pipeline/scores/label_scores.h"
#include "pipeline/scores/rows.h"

namespace tilewright::pipeline {

std::optional<double> clipped_frac(const LabelView& label) {
  std::int64_t area = 0, clipped = 0;
  for (const auto& part : geometry::mask_parts(label).parts) {
    area += part.area_px;
    if (part.is_cut) clipped += part.area_px;
  }
  if (area == 0) return std::nullopt;
  return static_cast<double>(clipped) / static_cast<double>(area);
}

std::optional<double> clipped_frac_of(const ScoreInput& in) { return clipped_frac(in.label); }

}  // namespace tilewright::pipeline
