// SPDX-License-Identifier: Apache-2.0
// Why a tile, location, view, object or stage is as it is: rows, rejections and key parts.
#pragma once

#include <string>

#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {

/// `item`: a stage, tile_id, location_id, location_id/tile_id, layer/object_id or object_id, a
/// file's path ("root:relative" or its end), or the subject of a rejection. `json`: one document,
/// else text for people. Throws Error::config with the nearest name if nothing is known of it.
std::string explain_item(const StageInput& in, const std::string& item, bool json);

}  // namespace tilewright::pipeline
