// SPDX-License-Identifier: Apache-2.0
// Rows of the manifest from the numbers of a plan.
#include "pipeline/stages/plan_draft.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "pipeline/stages/view_rows.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {

/// Makes the rows of views; systems are set up once a zone and source.
class PlanDraft::ViewWriter {
 public:
  explicit ViewWriter(const PlanDraft& draft) : draft_(draft) {}

  [[nodiscard]] index::ViewRow row(const Location& location, const std::string& id,
                                   const View& view) {
    const auto& tile = draft_.tiles_[view.tile];
    if (location.zone == kChip) return chip_view_row(id, tile.row);
    if (zone_ != location.zone) {
      zone_ = location.zone;
      source_from_zone_.clear();
    }
    const auto& zone = draft_.zones_[location.zone];
    const auto& transform =
        source_from_zone_.try_emplace(tile.grid.crs->wkt(), zone.crs, *tile.grid.crs).first->second;
    const auto cloud_frac =
        std::isnan(view.cloud_frac) ? std::nullopt : std::optional(view.cloud_frac);
    return view_row(draft_.job_, zone.lattice, draft_.window(location), tile, transform,
                    cloud_frac);
  }

 private:
  const PlanDraft& draft_;
  std::uint32_t zone_ = kChip;
  std::map<std::string, geometry::Transform> source_from_zone_;  ///< by the source's system
};

void PlanDraft::add_zone(const geometry::Lattice& lattice, const index::ViewPlan& plan,
                         const std::vector<std::vector<std::size_t>>& shown_by) {
  const auto zone = static_cast<std::uint32_t>(zones_.size());
  const auto first = locations_.size();
  zones_.push_back({lattice, geometry::Crs::from_epsg(lattice.epsg)});
  for (const auto& planned : plan.locations) {
    auto& location = locations_.emplace_back(Location{
        .i = planned.window.i, .j = planned.window.j, .first_view = views_.size(), .zone = zone});
    location.view_count = static_cast<std::uint32_t>(planned.views.size());
    for (const auto& view : planned.views)
      for (const auto tile : shown_by[view.tile])
        views_.push_back({view.cloud_frac.value_or(std::numeric_limits<double>::quiet_NaN()),
                          static_cast<std::uint32_t>(tile), false});
    location.views = static_cast<std::uint32_t>(views_.size() - location.first_view);
  }
  add_rejections(plan, first, shown_by);
}

void PlanDraft::add_rejections(const index::ViewPlan& plan, std::size_t first,
                               const std::vector<std::vector<std::size_t>>& shown_by) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t> at;
  for (auto n = first; n < locations_.size(); ++n)
    at.emplace(std::pair(locations_[n].i, locations_[n].j), static_cast<std::uint32_t>(n));
  for (const auto& rejection : plan.rejections)
    rejections_.push_back(
        {at.at({rejection.window.i, rejection.window.j}),
         rejection.tile ? static_cast<std::uint32_t>(shown_by[*rejection.tile].front()) : kNoTile,
         detail_number(rejection.detail), rejection.reason});
}

void PlanDraft::add_chip(const std::vector<std::size_t>& tiles) {
  const auto count = static_cast<std::uint32_t>(tiles.size());
  locations_.push_back(
      {.first_view = views_.size(), .zone = kChip, .views = count, .view_count = count});
  for (const auto tile : tiles) views_.push_back({.tile = static_cast<std::uint32_t>(tile)});
}

std::uint32_t PlanDraft::detail_number(const std::string& text) {
  const auto [known, is_new] =
      detail_numbers_.emplace(text, static_cast<std::uint32_t>(details_.size()));
  if (is_new) details_.push_back(&known->first);
  return known->second;
}

std::string PlanDraft::id(std::size_t n) const {
  const auto& location = locations_[n];
  if (location.zone == kChip)
    return whole_location_id(tiles_[views_[location.first_view].tile].grid);
  return geometry::location_id(zones_[location.zone].lattice, window(location));
}

index::LocationRow PlanDraft::row(std::size_t n) const {
  const auto& location = locations_[n];
  if (location.zone == kChip)
    return chip_location_row(id(n), tiles_[views_[location.first_view].tile], view_count(n));
  const auto& zone = zones_[location.zone];
  return location_row(zone.lattice, zone.crs, window(location), view_count(n));
}

void PlanDraft::leave_out(
    const std::function<bool(const std::string&)>& has_location,
    const std::function<bool(const std::string&, const std::string&)>& has_view) {
  for (std::size_t n = 0; n < locations_.size(); ++n) {
    auto& location = locations_[n];
    const auto location_id = id(n);
    location.is_known = has_location(location_id);
    for (auto v = location.first_view; v < location.first_view + location.views; ++v)
      views_[v].is_known = has_view(location_id, tiles_[views_[v].tile].row.tile_id);
  }
}

std::vector<std::size_t> PlanDraft::tiles_of(std::size_t n) const {
  const auto& location = locations_[n];
  std::vector<std::size_t> tiles;
  for (auto v = location.first_view; v < location.first_view + location.views; ++v)
    if (!views_[v].is_known && !location.is_dropped) tiles.push_back(views_[v].tile);
  return tiles;
}

std::vector<bool> PlanDraft::shown_tiles() const {
  std::vector<bool> shown(tiles_.size(), false);
  for (std::size_t n = 0; n < locations_.size(); ++n)
    for (const auto tile : tiles_of(n)) shown[tile] = true;
  return shown;
}

/// Zones in the order of their names, in each the locations by id: no more ids at once than a zone
/// has.
std::vector<std::uint32_t> PlanDraft::by_id() const {
  std::vector<std::uint32_t> order(locations_.size());
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  const auto zone_name = [&](std::uint32_t zone) {
    return zone == kChip
               ? std::string("w")
               : geometry::location_id(zones_[zone].lattice, {0, 0, job_.views->patch_px});
  };
  std::map<std::uint32_t, std::string> names;
  for (const auto& location : locations_)
    if (!names.contains(location.zone)) names[location.zone] = zone_name(location.zone);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t n) -> const std::string& {
    return names.at(locations_[n].zone);
  });
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && locations_[order[end]].zone == locations_[order[begin]].zone)
      ++end;
    std::vector<std::pair<std::string, std::uint32_t>> ids;
    for (auto k = begin; k < end; ++k) ids.emplace_back(id(order[k]), order[k]);
    std::ranges::sort(ids);
    for (auto k = begin; k < end; ++k) order[k] = ids[k - begin].second;
  }
  return order;
}

void PlanDraft::write(index::Manifest& manifest, const RunContext& context) const {
  const auto order = by_id();
  for (const auto n : order) {
    context.check_stop();
    if (is_new(n)) index::insert(manifest, row(n));
  }
  ViewWriter writer(*this);
  for (const auto n : order) {
    const auto& location = locations_[n];
    if (location.is_dropped) continue;
    const auto location_id = id(n);
    for (auto v = location.first_view; v < location.first_view + location.views; ++v)
      if (!views_[v].is_known)
        index::insert(manifest, writer.row(location, location_id, views_[v]));
  }
  for (const auto& rejection : rejections_) {
    if (is_dropped(rejection.location)) continue;
    const auto subject =
        id(rejection.location) +
        (rejection.tile == kNoTile ? "" : "/" + tiles_[rejection.tile].row.tile_id);
    index::insert(manifest,
                  index::RejectionRow{"views", subject, std::string(index::code(rejection.reason)),
                                      *details_[rejection.detail]});
  }
}

}  // namespace tilewright::pipeline
