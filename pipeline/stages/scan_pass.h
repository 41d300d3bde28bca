// SPDX-License-Identifier: Apache-2.0
// One pass over the pixels of a tile: what is valid, what is cloudy, and what makes it equal to another.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "geometry/bitmask.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {

struct TilePixels {
  geometry::Bitmask valid;                 ///< in all bands that have data somewhere in the tile
  std::optional<geometry::Bitmask> cloud;  ///< nullopt without quality data
  std::vector<bool> band_has_data;         ///< parallel to the reader's bands
  std::string fingerprint;                 ///< of CRS, affine, shape, pixels and validity
};

/// Decodes every block once, in stretches of rows that fit `memory_bytes`; the result does not depend
/// on it. Throws index::ItemError.
TilePixels look_at_all_pixels(const TileReader& reader, std::size_t memory_bytes);

/// SHA-256 over what the fingerprint is of, to tell tiles with equal fingerprints apart.
std::string exact_content(const TileReader& reader, std::size_t memory_bytes);

}  // namespace tilewright::pipeline
