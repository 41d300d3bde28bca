// SPDX-License-Identifier: Apache-2.0
// Names and grids of pre-cut chips.
#include "pipeline/stages/whole_grid.h"

#include <array>
#include <cstdio>

#include "geometry/error.h"
#include "index/shard/sha256.h"

namespace tilewright::pipeline {
namespace {

std::string digits(double value) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.12g", value == 0 ? 0.0 : value);  // no minus zero
  return text.data();
}

}  // namespace

std::string whole_location_id(const SourceGrid& grid) {
  const auto& a = grid.affine;
  std::string text = grid.crs.epsg() != 0 ? "EPSG:" + std::to_string(grid.crs.epsg()) : grid.crs.wkt();
  char between = '\n';
  for (const double value : {a.a, a.b, a.c, a.d, a.e, a.f}) {
    text += between + digits(value);
    between = ' ';
  }
  text += "\n" + std::to_string(grid.width) + " " + std::to_string(grid.height);
  return "w_" + shard::sha256_hex(text).substr(0, 12);
}

bool is_whole(const std::string& location_id) { return location_id.starts_with("w_"); }

SourceGrid WholeGrids::of(const std::string& location_id, const std::string& tile_id) {
  const auto row = index::tile_grid(manifest_, tile_id);
  if (!row) throw Error::failed("the manifest has no pixel grid of tile " + tile_id + ", which location " + location_id + " shows; run: tilewright scan JOB --force scan");
  return grid_of(*row, crs_);
}

}  // namespace tilewright::pipeline
