// SPDX-License-Identifier: Apache-2.0
// Set operations on the runs of one row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geometry/run_mask.h"

namespace tilewright::geometry {

/// Sorted runs that do not touch each other, as RunMask has them.
using Runs = std::vector<RunMask::Run>;

Runs united(std::span<const RunMask::Run> a, std::span<const RunMask::Run> b);
/// a without b.
Runs without(std::span<const RunMask::Run> a, std::span<const RunMask::Run> b);
/// Moved to the east by `by`, cut to [begin, end).
Runs moved(std::span<const RunMask::Run> runs, std::int64_t by, std::int64_t begin, std::int64_t end);
/// Pixels of the runs inside [begin, end).
std::int64_t overlap_px(std::span<const RunMask::Run> runs, std::int64_t begin, std::int64_t end);

}  // namespace tilewright::geometry
