// SPDX-License-Identifier: Apache-2.0
// Data manifests: what is known of a sensor's bands, nodata and quality data, one YAML a source.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learn/config/dataset_file.h"
#include "pipeline/config/source_config.h"

namespace tilewright::pipeline {

struct DataManifest {
  std::string name;
  std::optional<double> nodata;
  std::vector<learn::BandInfo> bands;
  std::vector<QualityConfig> quality;  ///< used where the job says nothing and the band is there
};

/// Where the program's own data files may lie: beside the program, where the variable says, in the source tree.
std::vector<std::filesystem::path> data_manifest_folders();

/// Where the manifest `name` is. Throws Error::config that lists what there is.
std::filesystem::path find_data_manifest(const std::string& name);

/// Looks in `<program>/../share/tilewright/data-manifests`, then the folder that the variable
/// TILEWRIGHT_DATA_MANIFESTS names, then the source tree. Throws Error::config that lists what there
/// is, or names what is wrong in the file.
DataManifest load_data_manifest(const std::string& name);

/// What the manifest says of a band: by name, else by order if the number of bands is equal.
const learn::BandInfo* find_band(const DataManifest& manifest, const std::string& name, std::size_t index, std::size_t count);

}  // namespace tilewright::pipeline
