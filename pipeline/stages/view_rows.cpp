// SPDX-License-Identifier: Apache-2.0
// Corners, offsets and shifts of what the planner chose.
#include "pipeline/stages/view_rows.h"

#include <cmath>

#include "geometry/error.h"
#include "pipeline/stages/source_lattice.h"

namespace tilewright::pipeline {
namespace {

constexpr double kSameResolution = 1e-6;  ///< relative

/// col_off, row_off and the shift to the nearest source pixel corner (CONTRACTS 3).
void place_in_source(index::ViewRow& view, const geometry::Lattice& lattice, const geometry::LatticeWindow& window,
                     const SourceGrid& source, const geometry::Transform& source_from_zone) {
  if (const auto cell = cell_if_copied(lattice, source)) {
    view.col_off = static_cast<double>(window.i - cell->i);
    view.row_off = static_cast<double>(cell->j - window.j);
    view.shift_px = view.shift_x_px = view.shift_y_px = 0.0;
    return;
  }
  view.resampled = true;
  const auto corner = source_from_zone(geometry::upper_left(lattice, window));
  const auto inverse = geometry::inverse(source.affine);
  if (!corner || !inverse) return;  // every pixel centre has a place, the corner may have none
  const auto at = geometry::pixel_from_map(*inverse, *corner);
  view.col_off = at.col;
  view.row_off = at.row;
  const auto& a = source.affine;
  const bool same_pixels = source.crs.epsg() == lattice.epsg && a.is_north_up() && std::abs(a.a / lattice.resolution_m - 1) < kSameResolution &&
                           std::abs(-a.e / lattice.resolution_m - 1) < kSameResolution;
  if (!same_pixels) return;
  view.shift_x_px = std::round(at.col) - at.col;
  view.shift_y_px = at.row - std::round(at.row);
  view.shift_px = std::hypot(*view.shift_x_px, *view.shift_y_px);
}

}  // namespace

index::LocationRow location_row(const geometry::Lattice& lattice, const geometry::Crs& crs, const geometry::LatticeWindow& window, int view_count) {
  const auto corner = geometry::upper_left(lattice, window);
  const double size_m = window.size_px * lattice.resolution_m;
  const double east = corner.x + size_m, south = corner.y - size_m;
  const geometry::MapMultiPolygon square = {
      {{{corner.x, south}, {east, south}, {east, corner.y}, {corner.x, corner.y}, {corner.x, south}}, {}}};
  index::LocationRow row;
  row.location_id = geometry::location_id(lattice, window);
  auto geom = geometry::geographic(square, crs);
  if (!geom) throw Error::failed("location " + row.location_id + " cannot be mapped to longitude and latitude; set grid.zone to a CRS that fits its place");
  row.geom = std::move(*geom);
  row.epsg = lattice.epsg;
  row.ulx = corner.x;
  row.uly = corner.y;
  row.res_m = lattice.resolution_m;
  row.size_px = window.size_px;
  row.view_count = view_count;
  return row;
}

index::ViewRow view_row(const Job& job, const geometry::Lattice& lattice, const geometry::LatticeWindow& window, const PlacedTile& tile,
                        const geometry::Transform& source_from_zone, std::optional<double> cloud_frac) {
  index::ViewRow view;
  view.location_id = geometry::location_id(lattice, window);
  view.tile_id = tile.row.tile_id;
  view.acquired = tile.row.acquired;
  view.cloud_frac = cloud_frac;
  const auto ratio = pixel_ratio(job, tile.row.source);
  place_in_source(view, lattice_of_source(lattice, ratio), window_of_source(window, ratio), tile.grid, source_from_zone);
  return view;
}

index::LocationRow chip_location_row(const std::string& id, const PlacedTile& tile, int view_count) {
  const SourceGrid& grid = tile.grid;
  const auto w = static_cast<double>(grid.width), h = static_cast<double>(grid.height);
  const auto outline = geometry::map_from_pixel(grid.affine, {{{{0, h}, {w, h}, {w, 0}, {0, 0}, {0, h}}, {}}});
  index::LocationRow row;
  row.location_id = id;
  auto geom = geometry::geographic(outline, grid.crs);
  if (!geom)
    throw Error::failed("location " + id + " of " + tile.row.path + " cannot be mapped to longitude and latitude; correct the file's CRS, or leave it out of `files`");
  row.geom = std::move(*geom);
  row.epsg = grid.crs.epsg();
  row.ulx = grid.affine.c;
  row.uly = grid.affine.f;
  row.res_m = std::hypot(grid.affine.a, grid.affine.d);
  row.size_px = static_cast<int>(grid.width);
  row.view_count = view_count;
  return row;
}

index::ViewRow chip_view_row(const std::string& id, const index::TileRow& tile) {
  index::ViewRow view;
  view.location_id = id;
  view.tile_id = tile.tile_id;
  view.acquired = tile.acquired;
  view.cloud_frac = tile.cloud_frac;
  view.shift_px = view.shift_x_px = view.shift_y_px = 0.0;
  return view;
}

}  // namespace tilewright::pipeline
