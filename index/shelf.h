// SPDX-License-Identifier: Apache-2.0
// Shelf packing of one component, and the fill of what it leaves.
#pragma once

#include <vector>

#include "index/best_phase.h"

namespace tilewright::index {

struct Packing {
  std::vector<Anchor> anchors;         ///< in no particular order
  std::int64_t candidate_windows = 0;  ///< anchors with at least one view
};

/// Windows of several views first: strips of rows and strips of columns, at whatever distance of at
/// least patch_px is best, each strip exact; free ground is filled from the north; the better of the
/// two is kept, rows if they are equal. Then windows of one view in the same way on what is left, if
/// min_views allows them. No further window fits anywhere.
Packing shelf_packing(const Ground& ground, const Component& component);

}  // namespace tilewright::index
