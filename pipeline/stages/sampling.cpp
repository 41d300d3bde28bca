// SPDX-License-Identifier: Apache-2.0
// Points, copies and masks of sources on the lattice.
#include "pipeline/stages/sampling.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

constexpr double kCopied_px = 0.01;        ///< CONTRACTS 3: nearer than this is on the lattice
constexpr double kEdge_px = 1e-6;          ///< points this near to a pixel's edge count for both
constexpr double kFar_px = 16;             ///< beyond a source's edges no kernel reaches it
constexpr double kMostCells = 4e9;         ///< of one tile's box on the lattice

/// Shortest text that reads back to the same number.
std::string text_of(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string origin_key(int epsg, double resolution_m) { return "lattice_origin/" + std::to_string(epsg) + "/" + text_of(resolution_m); }

/// Box of the tile on the lattice, in whole cells with one to spare.
geometry::Window cells_around(const SourceGrid& tile, const geometry::Lattice& lattice) {
  const auto w = static_cast<double>(tile.width), h = static_cast<double>(tile.height);
  geometry::MapPolygon outline;
  for (const geometry::PixelXY corner : {geometry::PixelXY{0, 0}, {w, 0}, {w, h}, {0, h}, {0, 0}})
    outline.outer.push_back(tile.affine.map_from_pixel(corner));
  const auto box = geometry::bounds(geometry::MapMultiPolygon{outline});
  const double step = std::max(box.max_x - box.min_x, box.max_y - box.min_y) / 64;
  const auto zone = geometry::Crs::from_epsg(lattice.epsg);
  const auto moved = tile.crs.same_as(zone) ? std::optional(geometry::MapMultiPolygon{outline})
                                              : geometry::projected({outline}, tile.crs, zone, step);
  if (!moved) throw index::ItemError(index::Reason::not_mappable, "its outline cannot be mapped to EPSG:" + std::to_string(lattice.epsg));
  const auto bounds = geometry::bounds(*moved);
  const auto inverse = geometry::inverse(geometry::lattice_affine(lattice));
  const auto low = geometry::pixel_from_map(*inverse, {bounds.min_x, bounds.max_y});
  const auto high = geometry::pixel_from_map(*inverse, {bounds.max_x, bounds.min_y});
  const double width = std::ceil(high.col) - std::floor(low.col) + 2, height = std::ceil(high.row) - std::floor(low.row) + 2;
  if (!(width * height < kMostCells))
    throw index::ItemError(index::Reason::too_large, "it covers " + text_of(width) + " x " + text_of(height) + " cells of the grid; use a larger grid.resolution_m");
  return {static_cast<std::int64_t>(std::floor(low.col)) - 1, static_cast<std::int64_t>(std::floor(low.row)) - 1,
          static_cast<std::int64_t>(width), static_cast<std::int64_t>(height)};
}

bool all_set(const geometry::Bitmask& mask, geometry::PixelSpan cols, geometry::PixelSpan rows) {
  if (cols.low < 0 || rows.low < 0 || cols.high > mask.width() || rows.high > mask.height()) return false;
  for (auto row = rows.low; row < rows.high; ++row)
    for (auto col = cols.low; col < cols.high; ++col)
      if (!mask.get(col, row)) return false;
  return true;
}

/// The places of one output pixel: its centre, or its corners.
struct Reach {
  geometry::PixelXY low, high;
  void take(const geometry::PixelXY& p) {
    low = {std::min(low.col, p.col), std::min(low.row, p.row)};
    high = {std::max(high.col, p.col), std::max(high.row, p.row)};
  }
  [[nodiscard]] bool is_inside(const geometry::Bitmask& mask) const {  // false for NaN
    return low.col >= 0 && low.row >= 0 && high.col <= static_cast<double>(mask.width()) && high.row <= static_cast<double>(mask.height());
  }
};

Reach reach_of(std::span<const geometry::PixelXY> places, std::size_t width, std::size_t col, std::size_t row, geometry::Resampling kernel) {
  if (!geometry::samples_corners(kernel)) return {places[row * width + col], places[row * width + col]};
  const std::size_t at = row * (width + 1) + col;
  Reach reach{places[at], places[at]};
  for (const auto corner : {at + 1, at + width + 1, at + width + 2}) {
    if (std::isnan(places[corner].col)) return {places[corner], places[corner]};
    reach.take(places[corner]);
  }
  return reach;
}

std::optional<geometry::Bitmask> bits_of(const std::optional<geometry::RunMask>& mask) {
  return mask ? std::optional(mask->bits()) : std::nullopt;
}

/// Pixels of a source of this size that a kernel touches at places within the box.
geometry::Window touched_window(geometry::Resampling kernel, const geometry::PlaceBox& box, std::int64_t width, std::int64_t height) {
  const auto side = [&](double low, double high, std::int64_t size) {  // far places must not overflow
    const auto most = static_cast<double>(size) + kFar_px;
    return geometry::touched_pixels(kernel, std::clamp(low, -kFar_px, most), std::clamp(high, -kFar_px, most));
  };
  const auto cols = side(box.low.col, box.high.col, width), rows = side(box.low.row, box.high.row, height);
  return geometry::intersection({cols.low, rows.low, cols.high - cols.low, rows.high - rows.low}, {0, 0, width, height});
}

LatticeMasks resampled_masks(const SourceGrid& tile, const index::TileMasks& of_tile, const geometry::Lattice& lattice, geometry::Resampling kernel) {
  const auto cells = cells_around(tile, lattice);
  const auto source = of_tile.valid.bits();
  const auto source_cloud = bits_of(of_tile.cloud);
  LatticeMasks masks{.i = cells.col, .j = -cells.row, .valid = {cells.width, cells.height}, .cloud = {}, .copied = false};
  if (source_cloud) masks.cloud.emplace(cells.width, cells.height);
  const auto from_grid = source_from_grid(geometry::lattice_affine(lattice), geometry::Crs::from_epsg(lattice.epsg), tile);
  constexpr std::int64_t kRows = 32;  // rows of one cell of the transform: each is placed once
  for (std::int64_t top = 0, rows = 0; top < cells.height; top += rows) {
    rows = std::min(kRows - (((cells.row + top) % kRows) + kRows) % kRows, cells.height - top);
    const auto places = sample_places(from_grid, {cells.col, cells.row + top, cells.width, rows}, kernel);
    for (std::int64_t row = top; row < top + rows; ++row) {
      for (std::int64_t col = 0; col < cells.width; ++col) {
        const auto reach = reach_of(places, static_cast<std::size_t>(cells.width), static_cast<std::size_t>(col), static_cast<std::size_t>(row - top), kernel);
        if (!reach.is_inside(source) || !all_set(source, geometry::touched_pixels(kernel, reach.low.col, reach.high.col),
                                                 geometry::touched_pixels(kernel, reach.low.row, reach.high.row)))
          continue;
        masks.valid.set(col, row, true);
        const auto middle = [](double a, double b) { return static_cast<std::int64_t>(0.5 * (a + b)); };
        if (source_cloud && source_cloud->get(middle(reach.low.col, reach.high.col), middle(reach.low.row, reach.high.row))) masks.cloud->set(col, row, true);
      }
    }
  }
  return masks;
}

}  // namespace

std::optional<geometry::MapXY> frozen_origin(const index::Manifest& manifest, int epsg, double resolution_m) {
  const auto text = index::meta(manifest, origin_key(epsg, resolution_m));
  if (!text) return std::nullopt;
  geometry::MapXY origin;
  const char* end = text->data() + text->size();
  const auto first = std::from_chars(text->data(), end, origin.x);
  if (first.ec == std::errc() && first.ptr != end && std::from_chars(first.ptr + 1, end, origin.y).ec == std::errc()) return origin;
  throw Error::failed("the manifest's " + origin_key(epsg, resolution_m) + " is \"" + *text + "\", not two numbers; the manifest is damaged");
}

void freeze_origin(index::Manifest& manifest, const geometry::Lattice& lattice) {
  index::set_meta(manifest, origin_key(lattice.epsg, lattice.resolution_m), text_of(lattice.origin.x) + " " + text_of(lattice.origin.y));
}

geometry::Lattice lattice_of(const index::LocationRow& location) {
  const auto key = geometry::parse_location_id(location.location_id);
  const double i = key ? static_cast<double>(key->window.i) : 0, j = key ? static_cast<double>(key->window.j) : 0;
  return {location.epsg, location.res_m, {location.ulx - i * location.res_m, location.uly - j * location.res_m}};
}

geometry::Lattice lattice_of(const index::Manifest& manifest, const index::LocationRow& location) {
  auto lattice = lattice_of(location);
  if (const auto origin = frozen_origin(manifest, location.epsg, location.res_m)) lattice.origin = *origin;
  return lattice;
}

SourceGrid grid_of(const TileReader& tile) { return {tile.affine(), tile.width(), tile.height(), tile.crs()}; }

SourceGrid grid_of(const index::TileGridRow& row, std::map<std::string, geometry::Crs>& known) {
  auto crs = known.find(row.crs_wkt);
  if (crs == known.end()) crs = known.emplace(row.crs_wkt, geometry::Crs::from_text(row.crs_wkt)).first;
  return {row.affine, row.width_px, row.height_px, crs->second};
}

std::optional<LatticeCell> cell_if_copied(const geometry::Lattice& lattice, const SourceGrid& source) {
  if (source.crs.epsg() == 0 || source.crs.epsg() != lattice.epsg) return std::nullopt;
  const auto inverse = geometry::inverse(geometry::lattice_affine(lattice));
  const auto place = [&](double col, double row) { return geometry::pixel_from_map(*inverse, source.affine.map_from_pixel({col, row})); };
  const auto corner = place(0, 0);
  const double first_col = std::round(corner.col), first_row = std::round(corner.row);
  if (!(std::abs(first_col) < 1e15 && std::abs(first_row) < 1e15)) return std::nullopt;
  const auto w = static_cast<double>(source.width), h = static_cast<double>(source.height);
  for (const geometry::PixelXY at : {geometry::PixelXY{0, 0}, {w, 0}, {0, h}, {w, h}}) {
    const auto found = place(at.col, at.row);
    if (!(std::abs(found.col - first_col - at.col) < kCopied_px && std::abs(found.row - first_row - at.row) < kCopied_px)) return std::nullopt;
  }
  return LatticeCell{static_cast<std::int64_t>(first_col), -static_cast<std::int64_t>(first_row)};
}

geometry::SparseTransform source_from_grid(const geometry::Affine& grid, const geometry::Crs& crs, const SourceGrid& source) {
  if (!geometry::inverse(source.affine)) throw index::ItemError(index::Reason::bad_georeference, "its affine transform is singular");
  return {grid, crs, source.affine, source.crs};
}

std::vector<geometry::PixelXY> sample_places(const geometry::SparseTransform& source_from_grid, const geometry::Window& window,
                                             geometry::Resampling kernel) {
  std::vector<geometry::PixelXY> places;
  sample_places(source_from_grid, window, kernel, places);
  return places;
}

void sample_places(const geometry::SparseTransform& source_from_grid, const geometry::Window& window, geometry::Resampling kernel,
                   std::vector<geometry::PixelXY>& out) {
  if (geometry::samples_corners(kernel)) source_from_grid.places({window.col, window.row, window.width + 1, window.height + 1}, 0, out);
  else source_from_grid.places(window, 0.5, out);
}

geometry::Window needed_pixels(std::span<const geometry::PixelXY> places, geometry::Resampling kernel, std::int64_t width, std::int64_t height) {
  const double spare = geometry::kernel_reach_px(kernel) + 1;
  double left = std::numeric_limits<double>::infinity(), top = left, right = -left, bottom = -left;
  const double right_end = static_cast<double>(width) + spare, bottom_end = static_cast<double>(height) + spare;
  for (const auto& p : places) {
    const bool is_near = p.col > -spare && p.row > -spare && p.col < right_end && p.row < bottom_end;
    if (!is_near) continue;  // NaN too
    left = std::min(left, p.col), right = std::max(right, p.col);
    top = std::min(top, p.row), bottom = std::max(bottom, p.row);
  }
  if (!(left <= right)) return {};
  return touched_window(kernel, {{left, top}, {right, bottom}}, width, height);
}

geometry::Window needed_pixels(const geometry::SparseTransform& source_from_grid, const geometry::Window& window, geometry::Resampling kernel,
                               std::int64_t width, std::int64_t height) {
  const std::int64_t more = geometry::samples_corners(kernel) ? 1 : 0;
  const auto box = source_from_grid.bounds({window.col, window.row, window.width + more, window.height + more}, more ? 0 : 0.5);
  return box ? touched_window(kernel, *box, width, height) : geometry::Window{};
}

LatticeMasks masks_on_lattice(const SourceGrid& tile, const index::TileMasks& masks, const geometry::Lattice& lattice,
                              geometry::Resampling kernel) {
  const auto cell = cell_if_copied(lattice, tile);
  if (!cell) return resampled_masks(tile, masks, lattice, kernel);
  return {.i = cell->i, .j = cell->j, .valid = masks.valid.bits(), .cloud = bits_of(masks.cloud), .copied = true};
}

}  // namespace tilewright::pipeline
