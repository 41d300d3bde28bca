// SPDX-License-Identifier: Apache-2.0
// Headers to boxes: one transformer a system, points in arrays.
#include "pipeline/io/header_bounds.h"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>
#include <limits>
#include <map>

#include "pipeline/io/tiff_info.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kFilesATime = 256;

void add_outline(const PlacedGrid& grid, int points, std::vector<geometry::MapXY>& out) {
  const auto w = double(grid.width), h = double(grid.height);
  for (int i = 0; i < points; ++i) {
    const double t = double(i) / points;
    for (const geometry::PixelXY at : {geometry::PixelXY{t * w, 0}, {w, t * h}, {w - t * w, h}, {0, h - t * h}}) out.push_back(grid.affine.map_from_pixel(at));
  }
}

std::optional<geometry::Box> box_around(std::span<const geometry::MapXY> points) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  geometry::Box box{kFar, kFar, -kFar, -kFar};
  for (const auto& p : points) {
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) return std::nullopt;
    box.min_x = std::min(box.min_x, p.x);
    box.max_x = std::max(box.max_x, p.x);
    box.min_y = std::min(box.min_y, p.y);
    box.max_y = std::max(box.max_y, p.y);
  }
  return box.max_x - box.min_x > 180 ? std::nullopt : std::optional(box);
}

PlacedGrid grid_of_file(const std::filesystem::path& file, const OpenPolicy& policy) {
  if (const auto bytes = FileBytes::open(file))
    if (const auto header = read_tiff_header(*bytes); header && header->affine)
      if (auto crs = system_of_keys(header->geo_keys, file, policy)) return {*header->affine, header->width, header->height, std::move(crs)};
  try {
    const auto raster = Raster::open_with_gdal(file, policy);
    const auto& info = raster.info();
    if (info.has_georeference && info.crs.known()) return {info.affine, info.width, info.height, std::make_shared<geometry::Crs>(info.crs)};
  } catch (const index::ItemError&) {
    return {};  // the caller sees that it has no box
  }
  return {};
}

}  // namespace

std::vector<std::optional<geometry::Box>> boxes_in_degrees(std::span<const PlacedGrid> grids, int points_per_edge) {
  std::map<const geometry::Crs*, std::vector<std::size_t>> by_system;
  for (std::size_t i = 0; i < grids.size(); ++i)
    if (grids[i].crs && grids[i].crs->known()) by_system[grids[i].crs.get()].push_back(i);
  std::vector<std::optional<geometry::Box>> out(grids.size());
  const auto degrees = geometry::wgs84();
  const auto points_each = static_cast<std::size_t>(4 * points_per_edge);
  for (const auto& [crs, members] : by_system) {
    std::vector<geometry::MapXY> points;
    points.reserve(members.size() * points_each);
    for (const auto i : members) add_outline(grids[i], points_per_edge, points);
    const geometry::Transform degrees_from_map(*crs, degrees);
    if (!degrees_from_map.is_identity()) degrees_from_map.in_place(points.data(), points.size());
    for (std::size_t n = 0; n < members.size(); ++n) out[members[n]] = box_around(std::span(points).subspan(n * points_each, points_each));
  }
  return out;
}

std::vector<std::optional<geometry::Box>> bounds_of_headers(std::span<const std::filesystem::path> files, const OpenPolicy& policy, int threads) {
  set_up_gdal(0);
  std::vector<std::optional<geometry::Box>> out(files.size());
  tbb::task_arena arena(threads > 0 ? threads : tbb::task_arena::automatic);
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, (files.size() + kFilesATime - 1) / kFilesATime, [&](std::size_t part) {
      const auto begin = part * kFilesATime, end = std::min(files.size(), begin + kFilesATime);
      std::vector<PlacedGrid> grids;
      grids.reserve(end - begin);
      for (auto i = begin; i < end; ++i) grids.push_back(grid_of_file(files[i], policy));
      const auto boxes = boxes_in_degrees(grids, 1);
      std::copy(boxes.begin(), boxes.end(), out.begin() + static_cast<std::ptrdiff_t>(begin));
    });
  });
  return out;
}

}  // namespace tilewright::pipeline
