// SPDX-License-Identifier: Apache-2.0
// Overlaps and least distances of locations.
#include "index/location_pairs.h"

#include <algorithm>
#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <cmath>
#include <limits>
#include <map>

#include "geometry/crs.h"
#include "index/self_join.h"

namespace tilewright::index {
namespace {

namespace bg = boost::geometry;
using Point = bg::model::point<double, 2, bg::cs::cartesian>;
using RtreeBox = bg::model::box<Point>;
using Rtree = bg::index::rtree<RtreeBox, bg::index::rstar<16>>;

constexpr double kLeastShare = 1e-9;    ///< of the smaller window: less is touching
constexpr double kNeighbour_deg = 1.0;  ///< windows of two zones farther apart are never nearest

RtreeBox rtree_box(const geometry::Box& box) { return {{box.min_x, box.min_y}, {box.max_x, box.max_y}}; }

bool overlap_in_plane(const geometry::Box& a, const geometry::Box& b) {
  const double width = std::min(a.max_x, b.max_x) - std::max(a.min_x, b.min_x);
  const double height = std::min(a.max_y, b.max_y) - std::max(a.min_y, b.min_y);
  const double smaller = std::min((a.max_x - a.min_x) * (a.max_y - a.min_y), (b.max_x - b.min_x) * (b.max_y - b.min_y));
  return width > 0 && height > 0 && width * height > kLeastShare * smaller;
}

bool overlap_on_ground(const SplitLocation& a, const SplitLocation& b) {
  if (a.epsg == b.epsg) return overlap_in_plane(a.box, b.box);
  const double shared = geometry::geodesic_area_m2(geometry::intersection(a.geom, b.geom));
  return shared > kLeastShare * std::min(geometry::geodesic_area_m2(a.geom), geometry::geodesic_area_m2(b.geom));
}

using ByZone = std::map<int, std::vector<std::size_t>>;

ByZone by_zone(std::span<const SplitLocation> locations, const std::vector<std::size_t>& chosen) {
  ByZone zones;
  for (const auto n : chosen) zones[locations[n].epsg].push_back(n);
  return zones;
}

geometry::Box degrees_of(std::span<const SplitLocation> locations, const std::vector<std::size_t>& chosen) {
  geometry::Box all{180, 90, -180, -90};
  for (const auto n : chosen) {
    const auto box = geometry::bounds(locations[n].geom);
    all = {std::min(all.min_x, box.min_x), std::min(all.min_y, box.min_y), std::max(all.max_x, box.max_x), std::max(all.max_y, box.max_y)};
  }
  return all;
}

bool is_near(const geometry::Box& a, const geometry::Box& b) { return distance(a, b) <= kNeighbour_deg; }

/// Windows of `chosen` as boxes in the plane of `epsg`; those of other zones only near `area`.
std::vector<RtreeBox> boxes_in(std::span<const SplitLocation> locations, const ByZone& zones, int epsg, const geometry::Box& area) {
  std::vector<RtreeBox> boxes;
  for (const auto& [zone, members] : zones) {
    if (zone != epsg && !is_near(degrees_of(locations, members), area)) continue;
    for (const auto n : members) {
      if (zone == epsg) {
        boxes.push_back(rtree_box(locations[n].box));
      } else if (is_near(geometry::bounds(locations[n].geom), area)) {
        const auto box = box_in_zone(locations[n], epsg);
        if (!box.empty()) boxes.push_back(rtree_box(box));
      }
    }
  }
  return boxes;
}

}  // namespace

double distance(const geometry::Box& a, const geometry::Box& b) {
  const double dx = std::max({0.0, a.min_x - b.max_x, b.min_x - a.max_x});
  const double dy = std::max({0.0, a.min_y - b.max_y, b.min_y - a.max_y});
  return std::hypot(dx, dy);
}

geometry::Box box_in_zone(const SplitLocation& location, int epsg) {
  if (location.epsg == epsg) return location.box;
  const auto& b = location.box;
  const geometry::MapMultiPolygon window = {
      {{{b.min_x, b.min_y}, {b.max_x, b.min_y}, {b.max_x, b.max_y}, {b.min_x, b.max_y}, {b.min_x, b.min_y}}, {}}};
  const double step_m = std::max(b.max_x - b.min_x, b.max_y - b.min_y) / 4;
  const auto moved = geometry::projected(window, geometry::Crs::from_epsg(location.epsg), geometry::Crs::from_epsg(epsg), step_m);
  return moved ? geometry::bounds(*moved) : geometry::Box{};
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> overlapping_locations(std::span<const SplitLocation> locations) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::vector<std::size_t> all(locations.size());
  for (std::size_t n = 0; n < all.size(); ++n) all[n] = n;
  const auto zones = by_zone(locations, all);
  for (const auto& [epsg, members] : zones) {
    std::vector<geometry::Box> boxes;
    for (const auto n : members) boxes.push_back(locations[n].box);
    for (const auto& [a, b] : touching_pairs(boxes))
      if (overlap_in_plane(boxes[a], boxes[b])) pairs.emplace_back(members[a], members[b]);
  }
  if (zones.size() > 1) {
    std::vector<geometry::Box> boxes;
    for (const auto& location : locations) boxes.push_back(geometry::bounds(location.geom));
    for (const auto& [a, b] : touching_pairs(boxes))
      if (locations[a].epsg != locations[b].epsg && overlap_on_ground(locations[a], locations[b])) pairs.emplace_back(a, b);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

std::vector<double> nearest_distances(std::span<const SplitLocation> locations, const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
  std::map<int, Rtree> trees;
  const auto targets = by_zone(locations, to);
  for (const auto& [epsg, members] : by_zone(locations, from)) trees.emplace(epsg, boxes_in(locations, targets, epsg, degrees_of(locations, members)));
  std::vector<double> distances;
  for (const auto n : from) {
    const auto& tree = trees.at(locations[n].epsg);
    distances.push_back(std::numeric_limits<double>::infinity());
    if (tree.empty()) continue;
    const auto nearest = tree.qbegin(bg::index::nearest(rtree_box(locations[n].box), 1));
    const auto &low = nearest->min_corner(), &high = nearest->max_corner();
    distances.back() = distance(locations[n].box, {low.get<0>(), low.get<1>(), high.get<0>(), high.get<1>()});
  }
  return distances;
}

double least_distance(std::span<const SplitLocation> locations, const std::vector<std::size_t>& from, const std::vector<std::size_t>& to) {
  const auto distances = nearest_distances(locations, from, to);
  return distances.empty() ? std::numeric_limits<double>::infinity() : std::ranges::min(distances);
}

}  // namespace tilewright::index
