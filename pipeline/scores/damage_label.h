// SPDX-License-Identifier: Apache-2.0
// Label noise with a ledger, put into a clean mask: what curation is measured by.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

enum class LabelDamage { drop, shift, rotate, dilate, erode, add, swap, truncate };
std::string_view name(LabelDamage damage);
std::vector<std::string> damage_names();

/// An object of some label, to be added to another.
struct Donor {
  std::uint8_t value = 0;
  std::vector<std::pair<int, int>> pixels;   ///< column and row from its centre
};
std::vector<Donor> donors_of(const LabelView& label);

struct DamagedMask {
  std::vector<std::uint8_t> pixels;
  std::int64_t objects = 0;         ///< that were damaged
  geometry::PixelShift shift;       ///< of shift
  double amount = 0;                ///< drop: share asked for; rotate: degrees; dilate, erode: pixels; truncate: pixels at the edge
};

/// One kind of damage to the objects (parts) of a label; SCIENCE 3.2. Equal seeds give equal damage.
/// drop: each object with p in .3 to .9, at least one. shift: all by one vector of 20 to 50 % of the mean object's
/// extent, at least 2 px. rotate: each about its centre by 20 to 70 degrees. dilate, erode: 2 to 4 px, no object is
/// eroded away. add: two to four `donors` on free background. swap: the class of each object with p .5 to the next one
/// of `classes`. truncate: objects that reach into a strip at two edges end there.
/// Ignored pixels stay.
DamagedMask damage_label(const LabelView& label, LabelDamage damage, const std::vector<Donor>& donors, const std::vector<std::uint8_t>& classes, std::uint64_t seed);

}  // namespace tilewright::pipeline
