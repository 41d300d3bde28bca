// SPDX-License-Identifier: Apache-2.0
// Draws the world of an area: roads first, then buildings beside them, then trees.
#include "pipeline/synth/world.h"

#include <algorithm>
#include <cmath>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;

constexpr double kBorderLongitude = 12, kLatitude = 48;
constexpr double kGapToBorder = 200;  // metres; the border leans by 4 % of the area's height in each zone

double distance(MapXY a, MapXY b) { return std::hypot(a.x - b.x, a.y - b.y); }

double distance_to_segment(MapXY p, MapXY a, MapXY b) {
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double t = std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
  return distance(p, {a.x + t * dx, a.y + t * dy});
}

double distance_to_line(MapXY p, const geometry::MapLine& line) {
  double best = 1e9;
  for (std::size_t i = 1; i < line.size(); ++i) best = std::min(best, distance_to_segment(p, line[i - 1], line[i]));
  return best;
}

/// A road across the whole area, gently curved; `along_x`: from west to east.
geometry::MapLine curve(const Area& area, bool along_x, double offset, Random& random) {
  geometry::MapLine line;
  const double swing = random.uniform(4, 18), period = random.uniform(250, 600), phase = random.uniform(0, 6.28);
  for (double t = -20; t <= area.size_px + 20; t += 20) {
    const double across = offset + swing * std::sin(t / period * 6.283 + phase);
    line.push_back(along_x ? MapXY{area.min_x + t, area.max_y - across} : MapXY{area.min_x + across, area.max_y - t});
  }
  return line;
}

/// The true width, and what a mapper wrote of it: text with units, lanes, or the class alone.
void set_width(Road& road, int number, Random& random) {
  switch (number % 4) {
    case 0:
      road.width_m = random.integer(5, 8);
      road.width = std::to_string(static_cast<int>(road.width_m)) + " m";
      break;
    case 1: {
      const int feet = random.integer(16, 26);
      road.width_m = feet * 0.3048;
      road.width = std::to_string(feet) + "'";
      break;
    }
    case 2:
      road.lanes = random.integer(1, 2);
      road.width_m = 3.5 * *road.lanes;
      break;
    default:
      road.width_m = 4.5;
      road.width = "4,5";
  }
  road.road_class = road.width_m >= 6 ? "tertiary" : road.width_m >= 4 ? "residential" : "track";
}

std::vector<Road> make_roads(const Area& area, Random& random) {
  std::vector<Road> roads;
  const int a_side = std::max(1, area.size_px / 260);
  for (int along_x = 0; along_x < 2; ++along_x)
    for (int i = 0; i < a_side; ++i) {
      Road road;
      road.id = "r" + area.name + std::to_string(roads.size());
      road.line = curve(area, along_x == 0, area.size_px * (i + random.uniform(0.3, 0.7)) / a_side, random);
      set_width(road, static_cast<int>(roads.size()), random);
      roads.push_back(std::move(road));
    }
  return roads;
}

Shape draw_shape(const Area& area, int cell_x, int cell_y, Random& random) {
  Shape shape;
  shape.half_length_m = random.uniform(4.5, 9.5);
  shape.half_width_m = std::min(shape.half_length_m, random.uniform(3.5, 6.5));
  shape.angle = random.uniform(0, 3.14159);
  if (random.chance(0.25)) shape.notch_m = shape.half_width_m * random.uniform(0.6, 1.0);
  // Most stay inside their cell; one in twenty may be cut by its edge.
  const double margin = random.chance(0.05) ? 0 : std::min(shape.radius_m() + 1.5, area.patch_px * 0.45);
  shape.centre = {area.min_x + cell_x * area.patch_px + random.uniform(margin, area.patch_px - margin),
                  area.max_y - cell_y * area.patch_px - random.uniform(margin, area.patch_px - margin)};
  return shape;
}

void fill_cell(World& world, int cell_x, int cell_y, Random& random) {
  const double share = world.area.patch_px / 64.0;
  const int wanted = std::max(1, static_cast<int>(std::lround(random.integer(2, 6) * share * share)));
  int placed = 0;
  for (int attempt = 0; attempt < 60 && placed < wanted; ++attempt) {
    Building building;
    building.shape = draw_shape(world.area, cell_x, cell_y, random);
    if (!is_free(world, building.shape, 3)) continue;
    building.id = "b" + world.area.name + std::to_string(world.buildings.size());
    building.cell_x = cell_x;
    building.cell_y = cell_y;
    building.height_m = random.uniform(3, 9);
    if (building.shape.notch_m == 0 && random.chance(0.6)) building.ridge_m = random.uniform(1.5, 3.5);
    world.buildings.push_back(std::move(building));
    ++placed;
  }
}

void plant_trees(World& world, Random& random) {
  const auto wanted = static_cast<std::size_t>(world.area.cells() * world.area.cells() * 6);
  for (std::size_t attempt = 0; attempt < 4 * wanted && world.trees.size() < wanted; ++attempt) {
    Tree tree{{world.area.min_x + random.uniform(0, world.area.size_px), world.area.max_y - random.uniform(0, world.area.size_px)},
              random.uniform(1.2, 3.8), 0};
    tree.height_m = tree.radius_m * random.uniform(1.4, 2.6);
    if (is_free(world, Shape{tree.centre, tree.radius_m, tree.radius_m, 0, 0}, 0.5)) world.trees.push_back(tree);
  }
}

}  // namespace

geometry::MapPolygon Shape::outline(double grow_m) const {
  const double a = half_length_m + grow_m, b = half_width_m + grow_m, n = notch_m;
  std::vector<MapXY> corners = {{-a, -b}, {a, -b}};
  if (n > 0) {
    corners.insert(corners.end(), {{a, b - n}, {a - n, b - n}, {a - n, b}});
  } else {
    corners.push_back({a, b});
  }
  corners.push_back({-a, b});
  corners.push_back(corners.front());
  const double c = std::cos(angle), s = std::sin(angle);
  geometry::MapPolygon polygon;
  for (const auto& p : corners) polygon.outer.push_back({centre.x + c * p.x - s * p.y, centre.y + s * p.x + c * p.y});
  return polygon;
}

MapXY Shape::local(MapXY place) const {
  const double c = std::cos(angle), s = std::sin(angle), dx = place.x - centre.x, dy = place.y - centre.y;
  return {c * dx + s * dy, -s * dx + c * dy};
}

bool Shape::contains(MapXY p) const {
  if (std::abs(p.x) > half_length_m || std::abs(p.y) > half_width_m) return false;
  return !(p.x > half_length_m - notch_m && p.y > half_width_m - notch_m);
}

double Shape::radius_m() const { return std::hypot(half_length_m, half_width_m); }

std::vector<Area> place_areas(const SynthOptions& options) {
  if (options.patch_px < 32 || options.patch_px > 256 || options.size_px < 2 * options.patch_px || options.size_px > 8192)
    throw Error::config("synth: size_px " + std::to_string(options.size_px) + " and patch_px " + std::to_string(options.patch_px) +
                        " do not make a region; patches have 32 to 256 pixels, an area 2 patches to 8192 pixels");
  if (options.scenes < 3 || options.scenes > 12)
    throw Error::config("synth: scenes is " + std::to_string(options.scenes) + "; 3 to 12 dates are possible");
  const double cell = options.patch_px;
  const double size = std::floor(options.size_px / cell) * cell;
  std::vector<Area> areas;
  for (const auto& [name, epsg] : {std::pair{"w", 32632}, std::pair{"e", 32633}}) {
    const auto corner = geometry::Transform(geometry::wgs84(), geometry::Crs::from_epsg(epsg))({kBorderLongitude, kLatitude});
    if (!corner) throw Error::failed("synth: PROJ cannot place the region in EPSG:" + std::to_string(epsg));
    const double lean = kGapToBorder + 0.05 * size;
    const double min_x = *name == 'w' ? std::floor((corner->x - lean - size) / cell) * cell : std::ceil((corner->x + lean) / cell) * cell;
    areas.push_back({name, epsg, min_x, std::floor(corner->y / cell) * cell, static_cast<int>(size), options.patch_px});
  }
  return areas;
}

bool is_free(const World& world, const Shape& shape, double gap_m) {
  const double radius = shape.radius_m() + gap_m;
  for (const auto& other : world.buildings)
    if (distance(other.shape.centre, shape.centre) < radius + other.shape.radius_m()) return false;
  return std::all_of(world.roads.begin(), world.roads.end(),
                     [&](const Road& road) { return distance_to_line(shape.centre, road.line) > radius + road.width_m / 2; });
}

World make_world(const Area& area, std::uint64_t seed) {
  World world{area, mixed(seed, static_cast<std::uint64_t>(area.epsg)), {}, {}, {}};
  Random roads(world.seed, 1), buildings(world.seed, 2), trees(world.seed, 3);
  world.roads = make_roads(area, roads);
  for (int y = 0; y < area.cells(); ++y)
    for (int x = 0; x < area.cells(); ++x) fill_cell(world, x, y, buildings);
  plant_trees(world, trees);
  return world;
}

}  // namespace tilewright::pipeline
