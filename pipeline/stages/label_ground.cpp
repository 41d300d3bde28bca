// SPDX-License-Identifier: Apache-2.0
// Frames of lattices and chips recovered from the locations of the manifest.
#include "pipeline/stages/label_ground.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>
#include <tuple>

#include "geometry/error.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

using geometry::Lattice;

/// Lattices by EPSG and resolution; the first location of a zone fixes the origin for all of them,
/// so that rounding cannot give neighbours different pixel centres.
class Lattices {
 public:
  const Lattice& of(const index::LocationRow& row, const geometry::LocationKey& key) {
    const auto [entry, is_new] = lattices_.try_emplace({key.epsg, key.resolution_um});
    if (is_new)
      entry->second = {key.epsg, row.res_m,
                       {row.ulx - static_cast<double>(key.window.i) * row.res_m,
                        row.uly - static_cast<double>(key.window.j) * row.res_m}};
    return entry->second;
  }

 private:
  std::map<std::pair<int, std::int64_t>, Lattice> lattices_;
};

/// Index of each CRS in LabelGround::zones.
class Zones {
 public:
  explicit Zones(LabelGround& ground) : ground_(ground) {}
  std::size_t of(int epsg) {
    const auto [found, is_new] = by_epsg_.try_emplace(epsg, ground_.zones.size());
    if (is_new) ground_.zones.push_back(geometry::Crs::from_epsg(epsg));
    return found->second;
  }
  std::size_t of(const geometry::Crs& crs) {
    if (crs.epsg() != 0) return of(crs.epsg());
    const auto [found, is_new] = by_text_.try_emplace(crs.wkt(), ground_.zones.size());
    if (is_new) ground_.zones.push_back(crs);
    return found->second;
  }

 private:
  LabelGround& ground_;
  std::map<int, std::size_t> by_epsg_;
  std::map<std::string, std::size_t> by_text_;
};

/// Grids of whole chips by the first tile that each shows; views are read when the first chip asks.
class Chips {
 public:
  explicit Chips(const index::Manifest& manifest) : manifest_(manifest), grids_(manifest) {}
  SourceGrid grid_of(const std::string& location_id) {
    if (first_tile_.empty())
      for (const auto& view : index::views(manifest_)) first_tile_.try_emplace(view.location_id, view.tile_id);
    const auto first = first_tile_.find(location_id);
    if (first == first_tile_.end())
      throw Error::failed("location " + location_id + " has no view in the manifest, so its pixel grid is not known; run: tilewright views JOB --force views");
    return grids_.of(location_id, first->second);
  }

 private:
  const index::Manifest& manifest_;
  WholeGrids grids_;
  std::map<std::string, std::string> first_tile_;
};

void extend(geometry::Box& box, const geometry::Box& more) {
  if (more.empty()) return;
  if (box.empty()) {
    box = more;
    return;
  }
  box = {std::min(box.min_x, more.min_x), std::min(box.min_y, more.min_y),
         std::max(box.max_x, more.max_x), std::max(box.max_y, more.max_y)};
}

}  // namespace

LabelGround label_ground(const index::Manifest& manifest) {
  LabelGround ground;
  Zones zones(ground);
  Lattices lattices;
  Chips chips(manifest);
  for (const auto& row : index::locations(manifest)) {
    extend(ground.degrees, geometry::bounds(row.geom));
    if (is_whole(row.location_id)) {
      const SourceGrid grid = chips.grid_of(row.location_id);
      ground.windows.push_back({row.location_id, zones.of(grid.crs), {grid.affine, {0, 0, grid.width, grid.height}}, grid.affine});
      continue;
    }
    const auto key = geometry::parse_location_id(row.location_id);
    if (!key)
      throw Error::failed("cannot draw labels for location " + row.location_id +
                          ": its name is none of a lattice window or a whole chip; the manifest is damaged: run: tilewright views JOB --force views");
    const Lattice& lattice = lattices.of(row, *key);
    ground.windows.push_back({row.location_id, zones.of(key->epsg),
                              {geometry::lattice_affine(lattice), geometry::lattice_pixels(key->window)},
                              geometry::window_affine(lattice, key->window)});
  }
  return ground;
}

geometry::MapMultiPolygon ground_of(const LabelWindow& window, double margin) {
  const auto w = static_cast<double>(window.frame.window.width), h = static_cast<double>(window.frame.window.height);
  geometry::MapLine corners;
  for (const geometry::PixelXY at : {geometry::PixelXY{0, 0}, {w, 0}, {w, h}, {0, h}}) corners.push_back(window.affine.map_from_pixel(at));
  const geometry::Box box = geometry::bounds(corners);
  const double x0 = box.min_x - margin, x1 = box.max_x + margin, y0 = box.min_y - margin, y1 = box.max_y + margin;
  return {geometry::MapPolygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}, {}}};
}

std::string text_of(const geometry::Box& degrees) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(5) << "[" << degrees.min_x << ", " << degrees.min_y << ", "
      << degrees.max_x << ", " << degrees.max_y << "] degrees";
  return out.str();
}

}  // namespace tilewright::pipeline
