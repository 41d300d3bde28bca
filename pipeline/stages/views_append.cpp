// SPDX-License-Identifier: Apache-2.0
// Finds what scenes touch, keeps the rest of the plan as it is, and records each change.
#include "pipeline/stages/views_append.h"

#include <algorithm>

#include "index/plan_rows.h"

namespace tilewright::pipeline {
namespace {

using Boxes = std::vector<geometry::Box>;

constexpr double kMargin = 0.05;  ///< of a location's own size: footprints may be drawn coarser than windows

bool touch(const geometry::Box& a, const geometry::Box& b) {
  return a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}
bool touch(const Boxes& a, const Boxes& b) {
  return std::ranges::any_of(a, [&](const auto& one) { return std::ranges::any_of(b, [&](const auto& other) { return touch(one, other); }); });
}

/// One box, or two where the geometry is split at 180 degrees.
Boxes boxes_of(const geometry::GeoMultiPolygon& geom, double margin) {
  geometry::GeoMultiPolygon west, east;
  const auto all = geometry::bounds(geom);
  for (const auto& polygon : geom)
    (all.max_x - all.min_x > 180 && geometry::bounds(geometry::GeoMultiPolygon{polygon}).min_x < 0 ? west : east).push_back(polygon);
  Boxes boxes;
  for (const auto* part : {&west, &east}) {
    if (part->empty()) continue;
    const auto b = geometry::bounds(*part);
    const double dx = (b.max_x - b.min_x) * margin, dy = (b.max_y - b.min_y) * margin;
    boxes.push_back({b.min_x - dx, b.min_y - dy, b.max_x + dx, b.max_y + dy});
  }
  return boxes;
}

std::string views_text(std::size_t count) { return std::to_string(count) + (count == 1 ? " view" : " views"); }

}  // namespace

PlanGrowth::PlanGrowth(const StageInput& in, const PlanHistory& history, const std::vector<PlacedTile>& tiles, bool everything)
    : in_(in), history_(history), tiles_(tiles) {
  for (const auto& tile : tiles) known_boxes_[tile.row.tile_id] = boxes_of(tile.row.geom, 0);
  read_plan(everything);
  read_views();
  find_needed();
}

/// Locations that lose a view, or that a changed or gone scene was rejected for.
std::set<std::string> PlanGrowth::disturbed() const {
  std::set<std::string> ids;
  index::each_rejection(in_.manifest, "views", [&](const auto& rejection) {
    const auto slash = rejection.subject.find('/');
    if (slash == std::string::npos) return;
    const auto tile_id = rejection.subject.substr(slash + 1);
    if (history_.removed.contains(tile_id) || history_.changed.contains(tile_id)) ids.insert(rejection.subject.substr(0, slash));
  });
  index::each_view(in_.manifest, [&](const auto& view) {
    if (!history_.stays(view.tile_id)) ids.insert(view.location_id);
  });
  return ids;
}

/// Sorts locations into touched and untouched ones.
void PlanGrowth::read_plan(bool everything) {
  const auto ids = disturbed();
  Boxes fresh;
  for (const auto& [tile_id, boxes] : known_boxes_)
    if (history_.is_new(tile_id)) fresh.insert(fresh.end(), boxes.begin(), boxes.end());
  ground_ = fresh;
  index::each_location(in_.manifest, [&](const index::LocationRow& row) {
    const auto key = geometry::parse_location_id(row.location_id);  // none for a pre-cut chip
    const auto window = key ? key->window : geometry::LatticeWindow{};
    const auto boxes = boxes_of(row.geom, kMargin);
    if (!everything && !ids.contains(row.location_id) && !touch(boxes, fresh)) {
      untouched_[row.epsg].push_back(window);
      return;
    }
    ground_.insert(ground_.end(), boxes.begin(), boxes.end());
    kept_.emplace(row.location_id, KeptLocation{.epsg = row.epsg, .window = window, .views = {}, .staying = {}});
  });
}

/// Views of touched locations, and the zones in which scenes are seen.
void PlanGrowth::read_views() {
  index::each_view(in_.manifest, [&](const index::ViewRow& view) {
    if (history_.contents.contains(view.tile_id))
      if (const auto key = geometry::parse_location_id(view.location_id)) zones_of_tile_[view.tile_id].insert(key->epsg);
    const auto kept = kept_.find(view.location_id);
    if (kept == kept_.end()) return;
    kept->second.views.push_back(view.tile_id);
    if (history_.stays(view.tile_id)) kept->second.staying.push_back(view.tile_id);
  });
}

void PlanGrowth::find_needed() {
  for (const auto& tile : tiles_)
    if (touch(known_boxes_.at(tile.row.tile_id), ground_)) needed_.insert(tile.row.tile_id);
}

std::set<int> PlanGrowth::zones_in_use() const {
  std::set<int> known;
  for (const auto& [tile_id, zones] : zones_of_tile_) known.insert(zones.begin(), zones.end());
  for (const auto& [id, kept] : kept_) known.insert(kept.epsg);
  for (const auto& [epsg, windows] : untouched_) known.insert(epsg);
  return known;
}

std::map<int, std::vector<std::size_t>> PlanGrowth::zones(const std::vector<PlacedTile>& tiles, const GridConfig& grid) const {
  const auto known = zones_in_use();
  const auto joined = [&](const PlacedTile& tile) -> int {
    const int home = geometry::utm_epsg(tile.centre), own = tile.grid.crs->epsg();
    for (const int epsg : {home, own})
      if (known.contains(epsg)) return epsg;
    for (const auto& [tile_id, zones] : zones_of_tile_)
      if (touch(known_boxes_.at(tile_id), known_boxes_.at(tile.row.tile_id))) return *zones.begin();
    return home;
  };
  std::map<int, std::vector<std::size_t>> zones;
  for (const int epsg : known) zones[epsg];
  const bool is_named = grid.zone != "auto";
  const auto named = is_named ? zones_of(tiles, grid) : std::map<int, std::vector<std::size_t>>{};
  for (std::size_t n = 0; n < tiles.size(); ++n) {
    const auto& tile_id = tiles[n].row.tile_id;
    if (!needed_.contains(tile_id)) continue;
    const auto seen = zones_of_tile_.find(tile_id);  // by more than one zone near a border: its own is one of them, or none is
    const int own = geometry::utm_epsg(tiles[n].centre);
    const auto staying = seen == zones_of_tile_.end() ? joined(tiles[n]) : seen->second.contains(own) ? own : *seen->second.begin();
    zones[is_named ? named.begin()->first : staying].push_back(n);
  }
  std::erase_if(zones, [&](const auto& zone) {
    return zone.second.empty() && std::ranges::none_of(kept_, [&](const auto& kept) { return kept.second.epsg == zone.first; });
  });
  return zones;
}

void PlanGrowth::settle(const std::string& id, const KeptLocation& kept, const std::set<std::string>& seen,
                        bool is_dropped) {
  if (is_dropped) dropped_.insert(id);
  else counts_[id] = static_cast<int>(seen.size());
  for (const auto& tile_id : kept.views) {
    const bool stays = std::ranges::find(kept.staying, tile_id) != kept.staying.end() && seen.contains(tile_id);
    if (is_dropped || !stays) gone_.emplace(id, tile_id);
  }
}

void PlanGrowth::adopt(const PlanDraft& draft) {
  std::map<std::string, std::set<std::string>> seen;
  for (std::size_t n = 0; n < draft.size(); ++n)
    for (const auto tile : draft.tiles_of(n)) seen[draft.id(n)].insert(tiles_[tile].row.tile_id);
  for (const auto& [id, kept] : kept_) settle(id, kept, seen[id], seen[id].empty());
}

void PlanGrowth::leave_out_known(PlanDraft& draft) const {
  draft.leave_out([&](const std::string& id) { return has_location(id); },
                  [&](const std::string& id, const std::string& tile_id) { return has_view(id, tile_id); });
}

std::vector<std::string> PlanGrowth::staying(const std::string& location_id) const {
  const auto found = kept_.find(location_id);
  return found == kept_.end() ? std::vector<std::string>{} : found->second.staying;
}

void PlanGrowth::each_staying_location(const std::function<void(index::LocationRow)>& use) const {
  index::each_location(in_.manifest, [&](index::LocationRow row) {
    if (!dropped_.contains(row.location_id)) use(std::move(row));
  });
}

void PlanGrowth::each_staying_view(const std::function<void(index::ViewRow)>& use) const {
  index::each_view(in_.manifest, [&](index::ViewRow row) {
    if (!gone_.contains({row.location_id, row.tile_id})) use(std::move(row));
  });
}

index::ViewPlan PlanGrowth::grow(int epsg, std::vector<index::TileCoverage>& coverages, const index::PlannerConfig& config) {
  std::vector<std::pair<const std::string*, const KeptLocation*>> here;
  std::vector<index::KeptWindow> windows;
  std::map<std::string, std::size_t> index_of;
  for (std::size_t n = 0; n < coverages.size(); ++n) index_of[coverages[n].tile_id] = n;
  for (const auto& [id, kept] : kept_) {
    if (kept.epsg != epsg) continue;
    here.emplace_back(&id, &kept);
    auto& window = windows.emplace_back(index::KeptWindow{kept.window, {}});
    for (const auto& tile_id : kept.staying)
      if (const auto found = index_of.find(tile_id); found != index_of.end()) window.tiles.push_back(found->second);
  }
  auto plan = index::extend_views(coverages, config, windows);
  auto taken = untouched_[epsg];
  std::vector<index::PlannedLocation> locations;
  for (std::size_t n = 0; n < here.size(); ++n) {
    std::set<std::string> seen;
    for (const auto& view : plan.locations[n].views) seen.insert(coverages[view.tile].tile_id);
    const auto& [id, kept] = here[n];
    settle(*id, *kept, seen,
           seen.empty() || plan.locations[n].counted < static_cast<std::size_t>(config.min_views));
    if (dropped_.contains(*id)) continue;
    taken.push_back(kept->window);
    locations.push_back(std::move(plan.locations[n]));
  }
  std::set<std::pair<std::int64_t, std::int64_t>> chosen;
  for (const auto& location : locations) chosen.emplace(location.window.i, location.window.j);
  std::erase_if(plan.rejections, [&](const auto& rejection) { return !chosen.contains({rejection.window.i, rejection.window.j}); });
  std::vector<bool> is_new;
  for (const auto& tile : coverages) is_new.push_back(history_.is_new(tile.tile_id));
  index::confine_to_free_ground(coverages, is_new, taken);
  auto more = index::plan_views(coverages, config);
  chosen.clear();
  for (auto& location : more.locations) {
    if (std::ranges::none_of(location.views, [&](const auto& view) { return is_new[view.tile]; })) continue;
    chosen.emplace(location.window.i, location.window.j);
    locations.push_back(std::move(location));
  }
  for (auto& rejection : more.rejections)
    if (chosen.contains({rejection.window.i, rejection.window.j})) plan.rejections.push_back(std::move(rejection));
  plan.locations = std::move(locations);
  plan.candidate_windows = more.candidate_windows;
  return plan;
}

bool PlanGrowth::has_view(const std::string& location_id, const std::string& tile_id) const {
  const auto found = kept_.find(location_id);
  return found != kept_.end() && !dropped_.contains(location_id) && std::ranges::find(found->second.staying, tile_id) != found->second.staying.end();
}

std::string PlanGrowth::fate_of(const std::string& tile_id) const {
  if (history_.changed.contains(tile_id)) return "the content or date of the scene changed";
  const auto row = index::tile(in_.manifest, tile_id);
  if (!row) return "the scene is not in the job any more";
  if (row->status == "ok") return history_.contents.contains(tile_id) ? "" : "its source is not among views.sources any more";
  return "the scene is " + row->status + " (" + row->reason.value_or("no reason") + ")";
}

void PlanGrowth::write_changes(const PlanDraft& draft) const {
  const auto add = [&](const std::string& subject, const std::string& change, const std::string& detail) {
    index::insert(in_.manifest, index::PlanChangeRow{history_.number, subject, change, detail});
  };
  for (const auto& tile_id : history_.added) add(tile_id, "added", "");
  for (const auto& tile_id : history_.changed) add(tile_id, "changed", fate_of(tile_id));
  for (const auto& tile_id : history_.removed) add(tile_id, "removed", fate_of(tile_id));
  for (const auto& id : dropped_) {
    const auto& kept = kept_.at(id);
    add(id, "dropped", std::to_string(kept.staying.size()) + " of " + views_text(kept.views.size()) + " could stay, min_views is " +
                           std::to_string(in_.job.views->min_views));
  }
  std::set<std::string> redone;
  for (std::size_t n = 0; n < draft.size(); ++n) {
    const auto id = draft.id(n);
    if (draft.is_new(n)) add(id, "added", views_text(static_cast<std::size_t>(draft.view_count(n))));
    if (!kept_.contains(id) || dropped_.contains(id)) continue;  // with its location
    for (const auto tile : draft.tiles_of(n)) {
      const auto& tile_id = tiles_[tile].row.tile_id;
      const bool was_there = gone_.contains({id, tile_id});
      if (was_there) redone.insert(id + "/" + tile_id);
      add(id + "/" + tile_id, was_there ? "redone" : "added", was_there ? fate_of(tile_id) : "");
    }
  }
  for (const auto& [location_id, tile_id] : gone_) {
    const auto subject = location_id + "/" + tile_id;
    if (redone.contains(subject)) continue;
    const auto why = fate_of(tile_id);
    add(subject, "removed", !why.empty() ? why : dropped_.contains(location_id) ? "its location is dropped" : "the scene does not show the window any more");
  }
}

void PlanGrowth::write(const PlanDraft& draft) const {
  if (!history_.same) write_changes(draft);
  for (const auto& [location_id, tile_id] : gone_) index::remove_view(in_.manifest, location_id, tile_id);
  for (const auto& id : dropped_) index::remove_location(in_.manifest, id);
  for (const auto& [id, count] : counts_) index::set_view_count(in_.manifest, id, count);
  for (const auto& [id, kept] : kept_) index::remove_rejections(in_.manifest, "views", id);
}

void PlanGrowth::tell(StageReport& report) const {
  std::map<std::string, std::int64_t> tiles, locations, views;
  for (const auto& row : index::plan_changes(in_.manifest)) {
    if (row.plan != history_.number) continue;
    const auto kind = kind_of(row.subject);
    ++(kind == "view" ? views : kind == "location" ? locations : tiles)[row.change];
  }
  for (const auto& [kind, by_change] : {std::pair("tiles", &tiles), {"locations", &locations}, {"views", &views}})
    for (const auto& [change, count] : *by_change) report.counts.emplace_back(std::string(kind) + "_" + change, count);
  report.notes.push_back("plan " + std::to_string(history_.number) + " goes on from the earlier one: locations stay, their views grow, new windows are in free ground");
}

}  // namespace tilewright::pipeline
