// SPDX-License-Identifier: Apache-2.0
// The first directory of a plain TIFF or BigTIFF, read in a few bounded reads: GDAL needs a hundred
// times as long. Whatever is unusual is left to GDAL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "index/shard/npy.h"
#include "pipeline/io/header_bytes.h"

namespace tilewright::pipeline {

struct TiffText {
  std::uint16_t tag = 0;
  std::string text;
};

/// What RasterInfo needs of the first directory. Masks, alpha bands, palettes that stand for colours
/// of three bands, odd types and anything else that GDAL turns into something else are not here.
struct TiffHeader {
  std::int64_t width = 0, height = 0, block_width = 0, block_height = 0;
  int bands = 1;
  shard::DType dtype = shard::DType::u8;
  bool is_interleaved = true;             ///< the bands of a pixel lie side by side
  std::optional<double> nodata;
  std::optional<geometry::Affine> affine; ///< of the upper-left corner, as pixel-is-point is resolved
  std::string geo_keys;                   ///< bytes of the three key tags in the file's order, "" if none
  std::optional<bool> is_point;           ///< nullopt: the keys say nothing
  std::vector<TiffText> texts;            ///< document name, software, date ...
  std::string gdal_metadata;              ///< XML
  std::optional<bool> is_sparse;          ///< some block has no bytes; nullopt: the list is too long
};

/// nullopt: not a plain TIFF, ask GDAL. Never reads more than HeaderBytes allows, never throws for
/// what the bytes say.
std::optional<TiffHeader> read_tiff_header(HeaderBytes& file);
std::optional<TiffHeader> read_tiff_header(const FileBytes& file);

}  // namespace tilewright::pipeline
