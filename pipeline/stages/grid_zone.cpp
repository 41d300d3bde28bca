// SPDX-License-Identifier: Apache-2.0
// Zones and lattice origins.
#include "pipeline/stages/grid_zone.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "geometry/error.h"
#include "index/view_planner.h"

namespace tilewright::pipeline {
namespace {

constexpr double kSameResolution = 1e-6;  ///< relative

int named_zone(const std::string& zone) {
  const std::string digits = zone.starts_with("EPSG:") ? zone.substr(5) : "";
  int epsg = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), epsg);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size())
    throw Error::config("grid.zone: \"" + zone + "\" is neither auto nor EPSG:n, such as EPSG:32632");
  if (!geometry::Crs::from_epsg(epsg).is_metric())
    throw Error::config("grid.zone: " + zone + " (" + geometry::Crs::from_epsg(epsg).name() +
                        ") is not a projected CRS in metres; name one that is, or use auto");
  return epsg;
}

/// EPSG that all tiles share if it can be the zone, else 0.
int shared_zone(const std::vector<PlacedTile>& tiles) {
  const int epsg = tiles.empty() ? 0 : tiles.front().grid.crs->epsg();
  for (const auto& tile : tiles)
    if (tile.grid.crs->epsg() != epsg) return 0;
  return epsg != 0 && geometry::Crs::from_epsg(epsg).is_metric() ? epsg : 0;
}

bool is_on_resolution(const TileGrid& grid, double resolution_m) {
  const auto& a = grid.affine;
  return a.is_north_up() && std::abs(a.a - resolution_m) <= kSameResolution * resolution_m &&
         std::abs(-a.e - resolution_m) <= kSameResolution * resolution_m;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

}  // namespace

std::map<int, std::vector<std::size_t>> zones_of(const std::vector<PlacedTile>& tiles, const GridConfig& grid) {
  const int single = grid.zone == "auto" ? shared_zone(tiles) : named_zone(grid.zone);
  std::map<int, std::vector<std::size_t>> zones;
  for (std::size_t n = 0; n < tiles.size(); ++n) zones[single != 0 ? single : geometry::utm_epsg(tiles[n].centre)].push_back(n);
  return zones;
}

geometry::Lattice lattice_of_zone(const index::Manifest& manifest, const GridConfig& grid, int epsg,
                                  const std::vector<PlacedTile>& tiles, const std::vector<std::size_t>& members,
                                  std::vector<std::string>& notes, int step) {
  geometry::Lattice lattice{.epsg = epsg, .resolution_m = grid.resolution_m, .origin = {}};
  if (grid.origin_m) {
    lattice.origin = {(*grid.origin_m)[0], (*grid.origin_m)[1]};
    return lattice;
  }
  std::vector<geometry::MapXY> origins;  // of tiles on this resolution
  for (const auto n : members)
    if (tiles[n].grid.crs->epsg() == epsg && is_on_resolution(tiles[n].grid, tiles[n].resolution_m > 0 ? tiles[n].resolution_m : grid.resolution_m))
      origins.push_back({tiles[n].grid.affine.c, tiles[n].grid.affine.f});
  const auto frozen = frozen_origin(manifest, epsg, grid.resolution_m);
  lattice.origin = frozen ? *frozen : index::most_common_phase(origins, grid.resolution_m * step);
  const auto copied = std::ranges::count_if(members, [&](auto n) { 
    auto own = lattice;
    if (tiles[n].resolution_m > 0) own.resolution_m = tiles[n].resolution_m;
    return cell_if_copied(own, tiles[n].grid).has_value();
  });
  // The same words whether the origin was found now or by a run that was killed since.
  notes.push_back("grid EPSG:" + std::to_string(epsg) + " at " + number(grid.resolution_m) + " m has its lattice origin at (" +
                  number(lattice.origin.x) + ", " + number(lattice.origin.y) + "), frozen once found; " +
                  (origins.empty() ? "no tile has this resolution" : std::to_string(copied) + " of " + std::to_string(origins.size()) + " tiles of this resolution lie on it"));
  return lattice;
}

}  // namespace tilewright::pipeline
