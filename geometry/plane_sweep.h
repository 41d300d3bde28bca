// SPDX-License-Identifier: Apache-2.0
// Do edges meet at their ends only? A line sweeps over them and compares neighbours.
#pragma once

#include <vector>

#include "geometry/noding.h"

namespace tilewright::geometry {

/// `edges`: distinct, none without length. True if no two share a point that is not an end of both.
/// Exact. Cost n log n whatever their shape: stars and combs of a million corners, which fill every
/// cell of a grid, take seconds. Source: Shamos and Hoey 1976; differs: ends may be shared.
bool meet_at_ends_only(const std::vector<GridEdge>& edges);

}  // namespace tilewright::geometry
