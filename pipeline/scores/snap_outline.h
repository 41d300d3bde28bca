// SPDX-License-Identifier: Apache-2.0
// The outline of one object moved in or out to where model and image see its edge.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

inline constexpr double kEdgeWeight = 0.5;   ///< of edges beside probability, where repairs weigh both

struct SnappedOutline {
  int grown_px = 0;                    ///< outwards; negative: inwards
  double gain = 0;                     ///< of contrast over the outline as it was
  std::vector<std::int32_t> pixels;    ///< of the object then, ascending
};

/// Of all outlines at most `reach_px` inside or outside of that of `part` (pixels of one object, ascending), the one with
/// the best contrast: mean `foreground` probability of the 2 px inside it less that of the 2 px outside, and half of the mean
/// `strength` of edges on both sides of it (empty: none). Bands of equal width, because probabilities fall off slowly: against
/// all of the inside, the best outline would lie too far out. Distances are Euclidean, between pixel centres; ties go to the least move. It grows
/// onto background only, and never shrinks below an eighth of its area.
SnappedOutline snap_outline(const LabelView& label, std::span<const std::int32_t> part, std::span<const float> foreground, std::span<const float> strength, int reach_px);

}  // namespace tilewright::pipeline
