// SPDX-License-Identifier: Apache-2.0
// Frames, windows and weights of maps: pure functions.
#include "pipeline/stages/predict_frame.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "index/reason.h"

namespace tilewright::pipeline {
namespace {

constexpr double kSameSize = 1e-6;   ///< relative
constexpr double kMostPixels = 4e9;

bool is_on_resolution(const SourceGrid& tile, double resolution_m) {
  const auto same = [&](double size) { return std::abs(std::abs(size) - resolution_m) <= kSameSize * resolution_m; };
  return tile.affine.is_north_up() && tile.crs.is_metric() && same(tile.affine.a) && same(tile.affine.e);
}

geometry::Box bounds_in(const SourceGrid& tile, const geometry::Crs& zone) {
  const auto w = static_cast<double>(tile.width), h = static_cast<double>(tile.height);
  geometry::MapPolygon outline;
  for (const geometry::PixelXY corner : {geometry::PixelXY{0, 0}, {0, h}, {w, h}, {w, 0}, {0, 0}}) outline.outer.push_back(tile.affine.map_from_pixel(corner));
  const auto box = geometry::bounds(geometry::MapMultiPolygon{outline});
  if (tile.crs.same_as(zone)) return box;
  const auto moved = geometry::projected({outline}, tile.crs, zone, std::max(box.max_x - box.min_x, box.max_y - box.min_y) / 64);
  if (!moved) throw index::ItemError(index::Reason::not_mappable, "its outline cannot be mapped to EPSG:" + std::to_string(zone.epsg()));
  return geometry::bounds(*moved);
}

std::vector<std::int64_t> starts(std::int64_t length, int size_px, int overlap_px) {
  const std::int64_t step = std::max(1, size_px - overlap_px);
  std::vector<std::int64_t> out;
  for (std::int64_t at = 0; at + size_px < length; at += step) out.push_back(at);
  out.push_back(std::max<std::int64_t>(0, length - size_px));
  return out;
}

}  // namespace

PredictFrame predict_frame(const SourceGrid& tile, const geometry::Lattice& lattice) {
  if (is_on_resolution(tile, lattice.resolution_m)) return {tile.affine, tile.crs, tile.width, tile.height, true};
  PredictFrame out;
  out.is_own_grid = false;
  out.crs = geometry::Crs::from_epsg(lattice.epsg);
  const auto box = bounds_in(tile, out.crs);
  const auto whole = geometry::lattice_affine(lattice);
  const auto inverse = geometry::inverse(whole);
  const auto low = geometry::pixel_from_map(*inverse, {box.min_x, box.max_y}), high = geometry::pixel_from_map(*inverse, {box.max_x, box.min_y});
  const double col = std::floor(low.col), row = std::floor(low.row);
  const double width = std::ceil(high.col) - col, height = std::ceil(high.row) - row;
  if (!(width >= 1 && height >= 1 && width * height < kMostPixels))
    throw index::ItemError(index::Reason::too_large, "its map would have " + std::to_string(width) + " x " + std::to_string(height) + " pixels");
  out.affine = geometry::shifted(whole, {col, row});
  out.width = static_cast<std::int64_t>(width);
  out.height = static_cast<std::int64_t>(height);
  return out;
}

std::vector<geometry::Window> predict_windows(std::int64_t width, std::int64_t height, int size_px, int overlap_px) {
  std::vector<geometry::Window> out;
  for (const auto row : starts(height, size_px, overlap_px))
    for (const auto col : starts(width, size_px, overlap_px)) out.push_back({col, row, size_px, size_px});
  return out;
}

std::vector<float> hann_weights(int size_px) {
  std::vector<float> out;
  for (int i = 0; i < size_px; ++i) {
    const double sine = std::sin(std::numbers::pi * (i + 0.5) / size_px);
    out.push_back(static_cast<float>(sine * sine));
  }
  return out;
}

}  // namespace tilewright::pipeline
