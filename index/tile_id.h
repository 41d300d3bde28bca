// SPDX-License-Identifier: Apache-2.0
// The two parts of a tile id, `<source>-<12 hex>`. Names of sources have no dash.
#pragma once

#include <string>

namespace tilewright::index {

inline std::string source_of_tile(const std::string& tile_id) { return tile_id.substr(0, tile_id.rfind('-')); }
/// The view's name in shards and part files: the 12 hex digits.
inline std::string view_of_tile(const std::string& tile_id) { return tile_id.substr(tile_id.rfind('-') + 1); }

}  // namespace tilewright::index
