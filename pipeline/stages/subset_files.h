// SPDX-License-Identifier: Apache-2.0
// Subsets as files for other tools: a GeoPackage layer and a split list each, and what they share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "index/manifest.h"

namespace tilewright::pipeline {

/// `location_id,split,lon,lat` of the members, with the part (train, val, test, guard; train without a split): what
/// `tilewright audit` and spreadsheets read. lon and lat are the middle of the window.
std::string split_list_csv(const index::Manifest& manifest, const std::vector<std::string>& members);

/// `a,b,both,only_a,only_b` of each pair of subsets, then what changed between a and b, location by location.
std::string comparison_csv(const index::Manifest& manifest, const std::vector<std::string>& names);
std::string differences_csv(const index::Manifest& manifest, const std::string& a, const std::string& b);

/// Writes `<name>.gpkg` (layer <name>: windows with location_id, split and the scores of `layer`) and `<name>.csv` of
/// each subset, and `compared.csv` for two or more; returns the files. Throws Error::config for a subset that the
/// manifest does not have, and for a file that is there unless `overwrite`.
std::vector<std::filesystem::path> export_subsets(const index::Manifest& manifest, const std::string& layer, const std::vector<std::string>& names, const std::filesystem::path& dir, bool overwrite);

}  // namespace tilewright::pipeline
