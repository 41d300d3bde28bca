// SPDX-License-Identifier: Apache-2.0
// Pixel grids and masks of tiles in the manifest: what later stages ask instead of opening rasters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "geometry/run_mask.h"
#include "index/manifest.h"

namespace tilewright::index {

/// Pixel grid of an ok tile as its files say, in rasterio's order: x = a col + b row + c,
/// y = d col + e row + f.
struct TileGridRow {
  std::string tile_id;
  geometry::Affine affine;
  std::string crs_wkt;
  std::int64_t width_px = 0, height_px = 0;
  bool operator==(const TileGridRow&) const = default;
};
/// Validity and clouds of a tile on its grid, as RunMask::encoded writes them.
struct EncodedMasks {
  std::vector<std::byte> valid;
  std::optional<std::vector<std::byte>> cloud;  ///< nullopt without quality data
};
struct TileMasks {
  geometry::RunMask valid;
  std::optional<geometry::RunMask> cloud;
};

/// Call inside a transaction. clear_stage("scan") removes all rows.
void insert(Manifest&, const TileGridRow&, const EncodedMasks&);
/// Without masks, by tile_id; empty for a file of schema version 1 that is opened to read.
std::vector<TileGridRow> tile_grids(const Manifest&, const std::string& source = "");
std::optional<TileGridRow> tile_grid(const Manifest&, const std::string& tile_id);
/// Throws Error::failed where the tile has none or they are damaged.
TileMasks tile_masks(const Manifest&, const std::string& tile_id);

}  // namespace tilewright::index
