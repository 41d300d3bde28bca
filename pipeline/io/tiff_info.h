// SPDX-License-Identifier: Apache-2.0
// RasterInfo of a plain GeoTIFF without opening it with GDAL.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "pipeline/io/raster.h"
#include "pipeline/io/tiff_header.h"

namespace tilewright::pipeline {

struct PlainTiff {
  RasterInfo info;                 ///< equal to what GDAL gives, without side-cars
  std::optional<bool> is_sparse;   ///< nullopt: not known
};
/// nullopt: something is unusual, or the policy's budget is exceeded: GDAL decides. `file` has
/// passed check_path. Safe to call from several threads.
std::optional<PlainTiff> read_plain_tiff(const std::filesystem::path& file, const OpenPolicy& policy);

/// CRS of a header, remembered by the bytes of its keys: GDAL reads each kind once. Not known() for
/// no keys; nullptr: GDAL cannot read it.
std::shared_ptr<const geometry::Crs> system_of_keys(const std::string& keys, const std::filesystem::path& file, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
