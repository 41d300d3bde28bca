// SPDX-License-Identifier: Apache-2.0
// Which bands a source has, and which tiles have them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/stages/scan_tile.h"

namespace tilewright::pipeline {

/// What the tiles of a source have to agree on, to lie in one array.
struct Kind {
  std::vector<std::string> names;
  shard::DType dtype = shard::DType::u8;
  auto operator<=>(const Kind&) const = default;
};
/// nullopt: no tile can be used.
std::optional<Kind> agreed_kind(const std::vector<ScannedTile>& tiles);
/// Quarantines tiles whose bands are not those of the source.
void require_kind(std::vector<ScannedTile>& tiles, const Kind& kind);
/// Nodata differs between files, wavelengths hardly: the first tile with the agreed names speaks.
std::vector<TileBand> describe_bands(const std::vector<ScannedTile>& tiles, const Kind& kind);

/// Were its pixels read?
bool was_looked_at(const ScannedTile& tile);
/// Bands without a valid pixel in any tile. None if no band has any.
std::vector<std::string> empty_bands(const std::vector<ScannedTile>& tiles);
/// Bands that some tile's file marks as bad. None if that would be all.
std::vector<std::string> bad_bands(const std::vector<ScannedTile>& tiles, const Kind& kind);
/// Validity was found over the bands that have data in the tile: it is that of the source's bands
/// where no other band than `empty` has none, and a tile with one is no tile of this source.
void settle_bands(ScannedTile& tile, const std::vector<std::string>& empty);
/// The pixel grid is that of the first band: without it, that of another file.
bool is_other_grid(const std::vector<ScannedTile>& tiles, const Kind& kind, const std::vector<std::string>& bad,
                   const std::vector<std::string>& left_out);

bool holds(const std::vector<std::string>& list, const std::string& name);

}  // namespace tilewright::pipeline
