// SPDX-License-Identifier: Apache-2.0
// Windows that are cloudier than the limit.
#pragma once

#include <cstdint>

#include "geometry/run_mask.h"

namespace tilewright::index {

/// Anchors on rows [row, row_end) of `cloud` whose size x size window has a larger cloudy share than
/// `max_frac`; size - 1 columns less than `cloud`. An empty mask if there is none. O(1) a pixel.
geometry::RunMask too_cloudy_anchors(const geometry::RunMask& cloud, std::int64_t row, std::int64_t row_end, int size_px, double max_frac);

}  // namespace tilewright::index
