// SPDX-License-Identifier: Apache-2.0
// Labels of chosen tiles as vectors that people correct by hand, for instance in QGIS, and what was
// given out.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "geometry/polygon.h"
#include "index/manifest.h"
#include "pipeline/config/job.h"
#include "pipeline/review/pixels.h"

namespace tilewright::pipeline {

/// Class of objects that say "not known": 255 in the mask.
inline constexpr int kNotKnown = 255;

/// Which tiles are given out: all that every given choice holds for.
struct TileChoice {
  std::string layer;
  std::string verdict;               ///< "" = any, else open, accept, reject or skip
  std::vector<std::string> subsets;  ///< in one of them; empty = any
  bool overwrite = false;
};

/// One connected object of a tile's label.
struct TileObject {
  std::string id;  ///< `<location_id>/<n>`: n-th part of its mask, in order of the first pixel
  int object_class = 0;              ///< 1..254, or kNotKnown
  std::vector<std::int32_t> pixels;  ///< of the window, ascending
};
/// Every part of equal class over 4 neighbours, those of 255 included.
std::vector<TileObject> objects_of(const ClassPixels& mask, const std::string& location_id);
/// Their outlines on pixel corners, in map units of the location's zone: drawn by the pixel-centre
/// rule they give the same pixels.
geometry::MapMultiPolygon outline_of(const std::vector<std::int32_t>& pixels,
                                     const ClassPixels& shape, const geometry::Affine& affine);
geometry::Affine affine_of(const index::LocationRow& location);

/// A tile as it was given out.
struct GivenTile {
  std::string location_id, label_sha256;
};
/// What `export.json` of an export says.
struct LabelExport {
  std::string layer;
  int epsg = 0;
  std::vector<GivenTile> tiles;
};
/// Throws Error::config where the folder holds no export of labels.
LabelExport read_label_export(const std::filesystem::path& dir);

/// Writes `labels.gpkg` (layers `objects`: class, object, location_id; `tiles`: the windows),
/// `images/<location_id>.tif` and `export.json`; returns the files. Throws Error::config for a
/// choice without tiles, tiles of several zones, and files that are there unless `overwrite`.
std::vector<std::filesystem::path> export_labels(const Job& job, const index::Manifest& manifest,
                                                 const TileChoice& choice,
                                                 const std::filesystem::path& dir);

}  // namespace tilewright::pipeline
