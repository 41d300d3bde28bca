// SPDX-License-Identifier: Apache-2.0
// What a product's own metadata file says: Landsat MTL, Sentinel-2 MTD_MSIL*.xml, EnMAP METADATA.XML.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "learn/config/dataset_file.h"

namespace tilewright::pipeline {

struct ProductMetadata {
  std::filesystem::path file;
  std::string kind;                        ///< landsat | sentinel2 | enmap
  std::optional<std::string> acquired;     ///< `YYYY-MM-DDThh:mm:ss.000Z`, with time of day
  std::optional<double> cloud_frac;        ///< of the whole scene, [0, 1]
  std::string version;                     ///< of the processing; later = newer
  std::vector<learn::BandInfo> bands;      ///< in the product's order, names as below
};

/// The metadata file of the product that `raster` belongs to, found by name: `<prefix>_MTL.txt|.json`
/// beside it (prefix: a part of its name up to a `_`, or its folder's name), MTD_MSIL*.xml beside it
/// or at the top of its .SAFE folder, `<prefix>-METADATA.XML` beside it. Looks no higher than `root`.
std::optional<std::filesystem::path> find_product_metadata(const std::filesystem::path& raster, const std::filesystem::path& root);

/// Throws index::ItemError(unreadable, too_large) for a file that is not what its name says.
ProductMetadata read_product_metadata(const std::filesystem::path& file);

/// What the product says of a band. `name` is matched as people write it (B2, B02, SR_B2, B02_10m);
/// a hyperspectral band by its place where the numbers of bands are equal. nullptr: nothing.
const learn::BandInfo* find_product_band(const ProductMetadata& product, const std::string& name, std::size_t index, std::size_t count);

// Of text, for tests.
ProductMetadata parse_landsat_mtl(const std::string& text, const std::string& what);
ProductMetadata parse_sentinel2_xml(const std::string& text, const std::string& what);
ProductMetadata parse_enmap_xml(const std::string& text, const std::string& what);

}  // namespace tilewright::pipeline
