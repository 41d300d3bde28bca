// SPDX-License-Identifier: Apache-2.0
// Reads points, cuts the masks of tiles to their windows, and lets the planner choose the views of each.
#include "pipeline/stages/views_points.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <tuple>

#include "geometry/error.h"
#include "index/extend_views.h"
#include "index/reason.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/sampling.h"
#include "pipeline/stages/split_plane.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;

VectorLayer read_layer(const StageInput& in, const std::vector<std::string>& wanted) {
  const auto& config = *in.job.views->points;
  OpenPolicy policy;
  policy.untrusted = in.job.limits.untrusted;
  try {
    auto layer = read_vector_layer(in.job.resolve(config.file), config.layer.value_or(""), wanted, policy);
    if (!layer.crs.known()) throw Error::config("views.points: " + config.file + " does not say its CRS; write it with one, such as EPSG:4326");
    return layer;
  } catch (const index::ItemError& error) {
    throw Error::config("views.points: cannot read " + config.file + ": " + error.what() + "; repair the file, or name another");
  }
}

/// How far apart two UTM zones lie, the same hemisphere first; other CRSs are far.
int zone_distance(int a, int b) {
  if (a == b) return 0;
  const auto is_utm = [](int epsg) { return (epsg > 32600 && epsg <= 32660) || (epsg > 32700 && epsg <= 32760); };
  if (!is_utm(a) || !is_utm(b)) return 1000;
  const int steps = std::abs(a % 100 - b % 100);
  return 2 * std::min(steps, 60 - steps) + (a / 100 == b / 100 ? 0 : 1);
}

int zone_of(geometry::LonLat place, const std::vector<int>& zones) {
  if (zones.size() == 1) return zones.front();
  const int own = geometry::utm_epsg(place);
  return *std::ranges::min_element(zones, {}, [&](int zone) { return std::pair(zone_distance(zone, own), zone); });
}

std::string percent(double frac) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", frac * 100);
  return text;
}

/// The pixels of `mask` under a window whose upper-left pixel is (col, row) of the mask.
geometry::RunMask cut(const geometry::Bitmask& mask, std::int64_t col, std::int64_t row, int size_px) {
  geometry::Bitmask part(size_px, size_px);
  const auto col_end = std::min<std::int64_t>(col + size_px, mask.width()), row_end = std::min<std::int64_t>(row + size_px, mask.height());
  for (auto r = std::max<std::int64_t>(row, 0); r < row_end; ++r)
    for (auto c = std::max<std::int64_t>(col, 0); c < col_end; ++c)
      if (mask.get(c, r)) part.set(c - col, r - row, true);
  return geometry::RunMask::from(part);
}

}  // namespace

geometry::LatticeWindow window_around(const geometry::Lattice& lattice, geometry::MapXY point, int size_px) {
  const auto col = static_cast<std::int64_t>(std::floor((point.x - lattice.origin.x) / lattice.resolution_m));
  const auto row = static_cast<std::int64_t>(std::floor((lattice.origin.y - point.y) / lattice.resolution_m));
  return {col - size_px / 2, -(row - size_px / 2), size_px};
}

/// A window, the first point in its pixel, and what tiles show of it.
struct PointPlanner::Window {
  std::string point_id;
  geometry::LatticeWindow window;
  geometry::Box degrees;
  std::vector<index::TileCoverage> seen;   ///< masks of the window alone
  std::vector<std::size_t> numbers;        ///< the plan's tile number of each
};

PointPlanner::PointPlanner(const StageInput& in, const RunContext& context,
                           const std::vector<PlacedTile>& tiles, const std::vector<int>& zones,
                           StayingTiles staying)
    : in_(in), context_(context), tiles_(tiles), staying_(std::move(staying)) {
  if (zones.empty()) return;
  const auto layer = read_layer(in, {});
  layer_crs_ = layer.crs;
  std::size_t count = 0;
  for (const auto& feature : layer.features) {
    if (feature.points.empty()) {
      const bool is_null = feature.polygons.empty() && feature.lines.empty();
      reject(feature.id, is_null ? Reason::null_geometry : Reason::bad_geometry, is_null ? "NULL or empty" : "not a point");
      continue;
    }
    ++count;
    const auto place = feature.points.size() == 1 ? geometry::geographic(feature.points.front(), layer.crs) : std::nullopt;
    if (place) by_zone_[zone_of(*place, zones)].push_back({feature.id, feature.points.front()});
    else if (feature.points.size() > 1) reject(feature.id, Reason::bad_geometry, "holds " + std::to_string(feature.points.size()) + " points; write one a feature");
    else reject(feature.id, Reason::not_mappable, "has no longitude and latitude in " + layer.crs.name());
  }
  if (count == 0) throw Error::config("views.points: layer " + layer.name + " of " + in.job.views->points->file + " has no point among its " + std::to_string(layer.features.size()) + " features; name a layer with points");
}

void PointPlanner::reject(const std::string& id, Reason reason, const std::string& detail) {
  rejections_.push_back({"views", "points/" + id, std::string(index::code(reason)), detail});
}

std::vector<PointPlanner::Window> PointPlanner::windows_of(const geometry::Lattice& lattice, int size_px) {
  const auto crs = geometry::Crs::from_epsg(lattice.epsg);
  if (!by_zone_.contains(lattice.epsg)) return {};
  const geometry::Transform zone_from_layer(layer_crs_, crs);
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> first;
  std::vector<Window> windows;
  for (const auto& point : by_zone_[lattice.epsg]) {
    const auto at = zone_from_layer(point.at);
    if (!at) {
      reject(point.id, Reason::not_mappable, "cannot be moved to " + crs.name());
      continue;
    }
    const auto window = window_around(lattice, *at, size_px);
    const auto [known, is_new] = first.emplace(std::pair(window.i, window.j), point.id);
    if (!is_new) {
      reject(point.id, Reason::same_place, "point " + known->second + " lies in the same pixel");
      continue;
    }
    const auto corner = geometry::upper_left(lattice, window);
    const double edge = size_px * lattice.resolution_m;
    const auto outline = geometry::geographic({{{{corner.x, corner.y - edge}, {corner.x + edge, corner.y - edge}, {corner.x + edge, corner.y}, {corner.x, corner.y}, {corner.x, corner.y - edge}}, {}}}, crs);
    if (!outline) {
      reject(point.id, Reason::not_mappable, "its window cannot be mapped to longitude and latitude");
      continue;
    }
    windows.push_back({point.id, window, geometry::bounds(*outline), {}, {}});
  }
  return windows;
}

/// Adds what a tile shows of each window that its pixels meet.
void PointPlanner::cut_tile(std::size_t tile, std::size_t number, const geometry::Lattice& lattice, std::vector<Window>& windows) {
  const auto& row = tiles_[tile].row;
  const auto own = geometry::bounds(row.geom);
  const auto meets = [&](const Window& w) {
    return own.min_x <= w.degrees.max_x && own.max_x >= w.degrees.min_x && own.min_y <= w.degrees.max_y && own.max_y >= w.degrees.min_y;
  };
  if (std::ranges::none_of(windows, meets)) return;
  const auto masks = masks_on_lattice(tiles_[tile].grid, index::tile_masks(in_.manifest, row.tile_id), lattice, in_.job.extract.resampling);
  for (auto& w : windows) {
    if (!meets(w)) continue;
    const auto col = w.window.i - masks.i, line = masks.j - w.window.j;
    auto valid = cut(masks.valid, col, line, w.window.size_px);
    if (valid.count() == 0) continue;
    w.seen.push_back({.tile_id = row.tile_id, .source = row.source, .acquired = row.acquired, .time_known = row.time_known, .i = w.window.i, .j = w.window.j,
                      .valid = std::move(valid), .cloud = {}, .copied = masks.copied, .content_hash = ""});
    if (masks.cloud) w.seen.back().cloud = cut(*masks.cloud, col, line, w.window.size_px);
    w.numbers.push_back(number);
  }
}

/// The planner sees nothing but this window, so that it can only choose it, by all its rules; views
/// of an earlier plan stay.
index::ViewPlan PointPlanner::views_of(const Window& window,
                                       const std::vector<std::string>& staying,
                                       const index::PlannerConfig& config) const {
  auto own = config;
  own.placement = index::Placement::best_phase;
  index::KeptWindow kept{window.window, {}};
  for (std::size_t n = 0; n < window.seen.size(); ++n)
    if (std::ranges::find(staying, window.seen[n].tile_id) != staying.end())
      kept.tiles.push_back(n);
  if (kept.tiles.empty()) return index::plan_views(window.seen, own);
  auto plan = index::extend_views(window.seen, own, std::span(&kept, 1));
  plan.candidate_windows = 1;
  if (plan.locations[0].counted < static_cast<std::size_t>(config.min_views))
    plan.locations.clear();
  return plan;
}

void PointPlanner::decide(const Window& window, const std::vector<std::string>& staying,
                          const index::PlannerConfig& config,
                          const std::vector<std::size_t>& tile_of, index::ViewPlan& plan) {
  if (window.seen.empty())
    return reject(window.point_id, Reason::outside_rasters,
                  "no tile has a valid pixel in its window");
  auto here = views_of(window, staying, config);
  plan.candidate_windows += here.candidate_windows;
  for (auto& location : here.locations)
    for (auto& view : location.views) view.tile = window.numbers[view.tile];
  for (auto& rejection : here.rejections)
    if (rejection.tile) rejection.tile = window.numbers[*rejection.tile];
  if (!here.locations.empty()) {
    std::ranges::move(here.locations, std::back_inserter(plan.locations));
    std::ranges::move(here.rejections, std::back_inserter(plan.rejections));
    return;
  }
  const auto area = static_cast<double>(config.patch_px) * config.patch_px;
  const auto is_usable = [&](const index::TileCoverage& tile) {
    return static_cast<double>(tile.valid.count()) == area &&
           (!tile.cloud ||
            static_cast<double>(tile.cloud->count()) <= config.max_cloud_frac * area);
  };
  if (std::ranges::any_of(window.seen, is_usable))
    return reject(window.point_id, Reason::too_few_views,
                  "fewer than min_views " + std::to_string(config.min_views) +
                      " acquisitions show its window");
  std::size_t best = 0;
  for (std::size_t n = 0; n < window.seen.size(); ++n)
    if (window.seen[n].valid.count() > window.seen[best].valid.count()) best = n;
  const double share = static_cast<double>(window.seen[best].valid.count()) / area;
  if (share < 1) return reject(window.point_id, Reason::view_invalid, "too near an edge: the best tile, " + tiles_[tile_of[window.numbers[best]]].row.tile_id + ", shows " + percent(share) + " of its window");
  reject(window.point_id, Reason::view_cloudy, "each tile that shows its window is cloudier than " + percent(config.max_cloud_frac) + " there");
}

index::ViewPlan PointPlanner::plan_zone(const geometry::Lattice& lattice, const index::PlannerConfig& config, std::vector<std::size_t>& tile_of) {
  auto windows = windows_of(lattice, config.patch_px);
  for (std::size_t n = 0; n < tiles_.size(); ++n) {
    context_.check_stop();
    try {
      cut_tile(n, tile_of.size(), lattice, windows);
    } catch (const index::ItemError& error) {
      rejections_.push_back({"views", tiles_[n].row.tile_id, std::string(index::code(error.reason())), error.what()});
    }
    tile_of.push_back(n);
    context_.on_progress({"views", "tiles", static_cast<std::int64_t>(n) + 1, static_cast<std::int64_t>(tiles_.size())});
  }
  index::ViewPlan plan;
  for (const auto& window : windows)
    decide(window, staying_(geometry::location_id(lattice, window.window)), config, tile_of, plan);
  const auto place = [](const auto& item) { return std::tuple(item.window.i, item.window.j); };
  std::ranges::stable_sort(plan.locations, {}, place);
  std::ranges::stable_sort(plan.rejections, {}, place);
  return plan;
}

std::map<std::string, std::string> point_attributes(const StageInput& in, const std::vector<std::string>& location_ids, const std::string& field) {
  const auto layer = read_layer(in, {field});
  std::map<int, geometry::Lattice> lattices;
  for (const auto& id : location_ids)
    if (const auto key = geometry::parse_location_id(id); key && !lattices.contains(key->epsg))
      lattices.emplace(key->epsg, lattice_of(in.manifest, *index::location(in.manifest, id)));
  const std::set<std::string> known(location_ids.begin(), location_ids.end());
  std::map<std::string, std::string> values;
  std::set<std::string> taken;
  for (const auto& [epsg, lattice] : lattices) {
    const geometry::Transform zone_from_layer(layer.crs, geometry::Crs::from_epsg(epsg));
    for (const auto& feature : layer.features) {
      if (feature.points.size() != 1) continue;
      const auto at = zone_from_layer(feature.points.front());
      const auto id = at ? geometry::location_id(lattice, window_around(lattice, *at, in.job.views->patch_px)) : "";
      if (!known.contains(id) || !taken.insert(id).second) continue;  // the first point of a pixel names its location
      if (const auto value = feature.attributes.find(field); value != feature.attributes.end()) values[id] = value->second;
    }
  }
  return values;
}

}  // namespace tilewright::pipeline
