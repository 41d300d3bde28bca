// SPDX-License-Identifier: Apache-2.0
// Which acquisitions of a source are the same, and which one is kept.
#pragma once

#include <vector>

#include "pipeline/stages/scan_tile.h"

namespace tilewright::pipeline {

/// Marks tiles of one source: equal content; or time of day known on both, at most 60 s apart, and
/// footprint IoU >= 0.9. Kept: larger valid area, then newer processing version, then smaller
/// tile_id. The result does not depend on the order of `tiles`.
void mark_duplicates(std::vector<ScannedTile>& tiles);

}  // namespace tilewright::pipeline
