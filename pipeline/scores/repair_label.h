// SPDX-License-Identifier: Apache-2.0
// What a label should look like, as far as models and edges show it: shift, snap, add, remove, pixels.
#pragma once

#include <string_view>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

enum class RepairKind { shift, snap, add, remove, pixels };
std::string_view name(RepairKind kind);

/// One object that was proposed otherwise than it is. `evidence`: of shift and snap, how much better its place or outline is than
/// before (contrast of probability and edges); of add and remove, the mean probability of its class; of pixels, the
/// confidence asked for.
struct RepairProposal {
  RepairKind kind = RepairKind::shift;
  std::uint8_t value = 0;            ///< class; 0 for pixels
  int col = 0, row = 0;              ///< its first pixel, where it was (shift, snap, remove) or is now (add)
  std::int64_t area_px = 0;
  geometry::PixelShift shift;
  int grown_px = 0;                  ///< of snap: outwards, negative inwards
  double evidence = 0;
};

struct RepairedLabel {
  std::vector<std::uint8_t> pixels;
  std::vector<RepairProposal> proposals;
};

/// In this order: objects move, first all together, then each tied to its neighbours; outlines go in or out to where
/// model and image see them; objects whose class has a mean
/// probability below .2 go; predicted objects of which less than a tenth is labelled come; single pixels follow.
/// Ignored pixels stay. `strength`: gradient / scale, at most 1, of the image; empty: models alone decide.
RepairedLabel repair_label(const LabelView& label, const Probabilities& model, std::span<const float> strength, const RepairConfig& config, int reach_px);

}  // namespace tilewright::pipeline
