// SPDX-License-Identifier: Apache-2.0
// Small text files that lie beside a raster: found by name, read with a cap, parsed by us.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::pipeline {

/// The whole file. Throws index::ItemError(refused_path, unreadable, too_large).
std::string read_side_car(const std::filesystem::path& file, std::size_t most_bytes);

/// The six numbers of a world file beside `raster` (`x.tfw`, `x.tifw`, `x.wld`, upper case too).
struct WorldFile {
  std::filesystem::path file;
  geometry::Affine affine;  ///< from the upper-left corner; the file gives the pixel's centre
};
/// nullopt if there is none. Throws index::ItemError(bad_georeference) if it is not six numbers.
std::optional<WorldFile> find_world_file(const std::filesystem::path& raster);
/// The affine that the text of a world file stands for, nullopt if it is not six numbers.
std::optional<geometry::Affine> parse_world_file(const std::string& text);

/// What `<raster>.aux.xml` may tell us; statistics and anything else in it is not looked at.
struct AuxXml {
  struct Band {
    std::string description;
    std::optional<double> nodata;
    std::map<std::string, std::string> metadata;
  };
  std::filesystem::path file;
  std::string crs_text;
  std::optional<geometry::Affine> affine;
  std::map<std::string, std::string> metadata;
  std::map<int, Band> bands;  ///< by 0-based band
};
/// nullopt if there is none. Throws index::ItemError(unreadable) for what is no such document.
std::optional<AuxXml> find_aux_xml(const std::filesystem::path& raster);
AuxXml parse_aux_xml(const std::string& text, const std::string& what);

}  // namespace tilewright::pipeline
