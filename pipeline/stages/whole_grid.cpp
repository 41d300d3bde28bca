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

SourceGrid WholeGrids::of(const index::LocationRow& location, const index::TileRow& tile) {
  if (location.epsg != 0) {
    auto known = crs_.find(location.epsg);
    if (known == crs_.end()) known = crs_.emplace(location.epsg, geometry::Crs::from_epsg(location.epsg)).first;
    const SourceGrid by_rows{{.a = tile.res_x, .b = 0, .c = location.ulx, .d = 0, .e = -tile.res_y, .f = location.uly},
                             tile.width_px, tile.height_px, known->second};
    if (whole_location_id(by_rows) == location.location_id) return by_rows;
  }
  try {
    auto by_file = grid_of(open_tile(job_, manifest_, tile));
    if (whole_location_id(by_file) == location.location_id) return by_file;
  } catch (const index::ItemError& error) {
    throw Error::failed("cannot read the pixel grid of location " + location.location_id + " from " + tile.path + ": " + error.what() +
                        "; bring the file back, or run: tilewright run JOB --from scan");
  }
  throw Error::failed(tile.path + " no longer has the pixel grid of location " + location.location_id +
                      "; it has changed since: run: tilewright run JOB --from scan");
}

}  // namespace tilewright::pipeline
