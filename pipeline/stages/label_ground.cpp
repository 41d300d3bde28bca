// SPDX-License-Identifier: Apache-2.0
// Lattice frames recovered from the locations of the manifest.
#include "pipeline/stages/label_ground.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>
#include <tuple>

#include "geometry/error.h"

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
  Lattices lattices;
  std::map<int, std::size_t> zone_of;
  for (const auto& row : index::locations(manifest)) {
    const auto key = geometry::parse_location_id(row.location_id);
    if (!key)
      throw Error::failed("cannot draw labels for location " + row.location_id +
                          ": its name is not one of a lattice window; make locations with placement best_phase or lattice");
    const auto [zone, is_new] = zone_of.try_emplace(key->epsg, ground.zones.size());
    if (is_new) ground.zones.push_back(geometry::Crs::from_epsg(key->epsg));
    const Lattice& lattice = lattices.of(row, *key);
    ground.windows.push_back({row.location_id, zone->second,
                              {geometry::lattice_affine(lattice), geometry::lattice_pixels(key->window)},
                              geometry::window_affine(lattice, key->window)});
    extend(ground.degrees, geometry::bounds(row.geom));
  }
  return ground;
}

geometry::MapMultiPolygon ground_of(const LabelWindow& window, double margin) {
  const auto& a = window.affine;
  const double x0 = a.c - margin, x1 = a.c + a.a * static_cast<double>(window.frame.window.width) + margin;
  const double y1 = a.f + margin, y0 = a.f + a.e * static_cast<double>(window.frame.window.height) - margin;
  return {geometry::MapPolygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}, {}}};
}

std::string text_of(const geometry::Box& degrees) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(5) << "[" << degrees.min_x << ", " << degrees.min_y << ", "
      << degrees.max_x << ", " << degrees.max_y << "] degrees";
  return out.str();
}

}  // namespace tilewright::pipeline
