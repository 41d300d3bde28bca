// SPDX-License-Identifier: Apache-2.0
// Parts of blocks that hold each class in the wanted shares.
#pragma once

#include <span>
#include <vector>

#include "index/split.h"

namespace tilewright::index {

/// Iterative stratification (Sechidis, Tsoumakas, Vlahavas: On the stratification of multi-label data,
/// ECML 2011) with blocks as units: from the class in fewest blocks on, each block that shows it goes
/// to the part that lacks most of it, then of locations. `classes`: what each location shows, any
/// numbers, parallel to `locations`. Ties are broken by the blocks' hashes, so the order of locations
/// does not matter. Blocks without a class fill what is left. Parts of fraction 0 get none.
BlockParts stratified_blocks(std::span<const SplitLocation> locations, std::span<const std::vector<int>> classes, const SplitConfig& config);

}  // namespace tilewright::index
