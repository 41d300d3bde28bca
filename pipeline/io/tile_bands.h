// SPDX-License-Identifier: Apache-2.0
// Which bands of which files make up an acquisition, and what is known of each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "pipeline/io/band_manifest.h"
#include "pipeline/io/nodata.h"
#include "pipeline/io/product_metadata.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {

/// One band of one file.
struct BandPlace {
  std::size_t raster = 0;
  int band = 0;                                      ///< 0-based in its file
  std::optional<geometry::Affine> pixel_from_pixel;  ///< from the tile's grid, if its own differs
};
struct RequiredBand {
  BandPlace place;
  TileBand band;
  NodataTest nodata;
};
struct QualityBand {
  BandPlace place;
  std::vector<int> reject_bits;
  std::vector<std::int64_t> reject_values;
};
struct TileBands {
  std::vector<RequiredBand> required;
  std::vector<QualityBand> quality;
  geometry::Crs crs;
  shard::DType dtype = shard::DType::u8;
};

/// `files` and `rasters` are parallel; `product` may be null. What is known of a band comes from the
/// file, then from the product's metadata, then from the data manifest. Throws index::ItemError for what does not fit together.
TileBands choose_bands(const SourceConfig& config, const std::optional<DataManifest>& manifest, const std::vector<TileFile>& files,
                       const std::vector<Raster>& rasters, const std::vector<std::string>& left_out, const std::vector<std::string>& names,
                       const ProductMetadata* product);

/// Does a band name of a file mean the quality band `wanted`? Equal, or ends with it (BQA, QA).
bool is_quality_name(const std::string& band, const std::string& wanted);

}  // namespace tilewright::pipeline
