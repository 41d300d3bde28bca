// SPDX-License-Identifier: Apache-2.0
// Finds what scenes touch, keeps the rest of the plan as it is, and records each change.
#include "pipeline/stages/views_append.h"

#include <algorithm>

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
    : in_(in), history_(history) {
  for (auto& row : index::locations(in.manifest)) {
    const auto key = geometry::parse_location_id(row.location_id);  // none for a pre-cut chip
    KeptLocation kept{.row = std::move(row), .window = key ? key->window : geometry::LatticeWindow{}, .views = {}, .staying = {}};
    const std::string id = kept.row.location_id;
    kept_.emplace(id, std::move(kept));
  }
  for (auto& view : index::views(in.manifest))
    if (const auto found = kept_.find(view.location_id); found != kept_.end()) found->second.views.push_back(std::move(view));
  for (const auto& tile : tiles) known_boxes_[tile.row.tile_id] = boxes_of(tile.row.geom, 0);
  read_plan(everything);
  find_needed(tiles);
}

/// Sorts locations into touched and untouched ones.
void PlanGrowth::read_plan(bool everything) {
  std::set<std::string> disturbed;  // locations that a changed or gone scene was rejected for
  for (const auto& rejection : index::rejections(in_.manifest, "views"))
    if (const auto slash = rejection.subject.find('/'); slash != std::string::npos) {
      const auto tile_id = rejection.subject.substr(slash + 1);
      if (history_.removed.contains(tile_id) || history_.changed.contains(tile_id)) disturbed.insert(rejection.subject.substr(0, slash));
    }
  std::vector<std::string> untouched;
  Boxes fresh;
  for (const auto& [tile_id, boxes] : known_boxes_)
    if (history_.is_new(tile_id)) fresh.insert(fresh.end(), boxes.begin(), boxes.end());
  for (auto& [id, kept] : kept_) {
    bool is_touched = everything || disturbed.contains(id) || touch(boxes_of(kept.row.geom, kMargin), fresh);
    for (const auto& view : kept.views) {
      const bool stays = history_.contents.contains(view.tile_id) && !history_.changed.contains(view.tile_id);
      if (stays) kept.staying.push_back(view.tile_id);
      is_touched = is_touched || !stays;
      if (history_.contents.contains(view.tile_id)) zones_of_tile_[view.tile_id].insert(kept.row.epsg);
    }
    if (is_touched) continue;
    untouched_[kept.row.epsg].push_back(kept.window);
    untouched.push_back(id);
  }
  for (const auto& id : untouched) kept_.erase(id);
}

void PlanGrowth::find_needed(const std::vector<PlacedTile>& tiles) {
  Boxes ground;
  for (const auto& [id, kept] : kept_)
    for (const auto& box : boxes_of(kept.row.geom, kMargin)) ground.push_back(box);
  for (const auto& [tile_id, boxes] : known_boxes_)
    if (history_.is_new(tile_id)) ground.insert(ground.end(), boxes.begin(), boxes.end());
  for (const auto& tile : tiles)
    if (touch(known_boxes_.at(tile.row.tile_id), ground)) needed_.insert(tile.row.tile_id);
}

std::set<int> PlanGrowth::zones_in_use() const {
  std::set<int> known;
  for (const auto& [tile_id, zones] : zones_of_tile_) known.insert(zones.begin(), zones.end());
  for (const auto& [id, kept] : kept_) known.insert(kept.row.epsg);
  for (const auto& [epsg, windows] : untouched_) known.insert(epsg);
  return known;
}

std::map<int, std::vector<std::size_t>> PlanGrowth::zones(const std::vector<PlacedTile>& tiles, const GridConfig& grid) const {
  const auto known = zones_in_use();
  const auto joined = [&](const PlacedTile& tile) -> int {
    const int home = geometry::utm_epsg(tile.centre), own = tile.grid.crs.epsg();
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
    return zone.second.empty() && std::ranges::none_of(kept_, [&](const auto& kept) { return kept.second.row.epsg == zone.first; });
  });
  return zones;
}

void PlanGrowth::settle(const KeptLocation& kept, const std::set<std::string>& seen,
                        bool is_dropped) {
  const auto& id = kept.row.location_id;
  if (is_dropped) dropped_.insert(id);
  else counts_[id] = static_cast<int>(seen.size());
  for (const auto& view : kept.views) {
    const bool stays = std::ranges::find(kept.staying, view.tile_id) != kept.staying.end() && seen.contains(view.tile_id);
    if (is_dropped || !stays) gone_.emplace(id, view.tile_id);
  }
}

void PlanGrowth::adopt(std::vector<index::LocationRow>& locations, std::vector<index::ViewRow>& views) {
  std::map<std::string, std::set<std::string>> seen;
  for (const auto& view : views) seen[view.location_id].insert(view.tile_id);
  for (const auto& [id, kept] : kept_) settle(kept, seen[id], seen[id].empty());
  std::erase_if(locations, [&](const auto& row) { return has_location(row.location_id); });
  std::erase_if(views, [&](const auto& view) { return has_view(view.location_id, view.tile_id); });
}

std::vector<std::string> PlanGrowth::staying(const std::string& location_id) const {
  const auto found = kept_.find(location_id);
  return found == kept_.end() ? std::vector<std::string>{} : found->second.staying;
}

std::vector<index::LocationRow> PlanGrowth::staying_locations() const {
  auto rows = index::locations(in_.manifest);
  std::erase_if(rows, [&](const auto& row) { return dropped_.contains(row.location_id); });
  return rows;
}

std::vector<index::ViewRow> PlanGrowth::staying_views() const {
  auto rows = index::views(in_.manifest);
  std::erase_if(rows, [&](const auto& row) { return gone_.contains({row.location_id, row.tile_id}); });
  return rows;
}

index::ViewPlan PlanGrowth::grow(int epsg, std::vector<index::TileCoverage>& coverages, const index::PlannerConfig& config) {
  std::vector<const KeptLocation*> here;
  std::vector<index::KeptWindow> windows;
  std::map<std::string, std::size_t> index_of;
  for (std::size_t n = 0; n < coverages.size(); ++n) index_of[coverages[n].tile_id] = n;
  for (const auto& [id, kept] : kept_) {
    if (kept.row.epsg != epsg) continue;
    here.push_back(&kept);
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
    settle(*here[n], seen,
           seen.empty() || plan.locations[n].counted < static_cast<std::size_t>(config.min_views));
    if (dropped_.contains(here[n]->row.location_id)) continue;
    taken.push_back(here[n]->window);
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

std::vector<index::PlanChangeRow> PlanGrowth::changes(std::span<const index::LocationRow> new_locations,
                                                      std::span<const index::ViewRow> new_views) const {
  std::vector<index::PlanChangeRow> rows;
  const auto add = [&](const std::string& subject, const std::string& change, const std::string& detail) {
    rows.push_back({history_.number, subject, change, detail});
  };
  for (const auto& tile_id : history_.added) add(tile_id, "added", "");
  for (const auto& tile_id : history_.changed) add(tile_id, "changed", fate_of(tile_id));
  for (const auto& tile_id : history_.removed) add(tile_id, "removed", fate_of(tile_id));
  for (const auto& location : new_locations) add(location.location_id, "added", views_text(static_cast<std::size_t>(location.view_count)));
  for (const auto& id : dropped_) {
    const auto& kept = kept_.at(id);
    add(id, "dropped", std::to_string(kept.staying.size()) + " of " + views_text(kept.views.size()) + " could stay, min_views is " +
                           std::to_string(in_.job.views->min_views));
  }
  std::set<std::string> redone;
  for (const auto& view : new_views) {
    if (!kept_.contains(view.location_id) || dropped_.contains(view.location_id)) continue;  // with its location
    const auto subject = view.location_id + "/" + view.tile_id;
    const bool was_there = gone_.contains({view.location_id, view.tile_id});
    if (was_there) redone.insert(subject);
    add(subject, was_there ? "redone" : "added", was_there ? fate_of(view.tile_id) : "");
  }
  for (const auto& [location_id, tile_id] : gone_) {
    const auto subject = location_id + "/" + tile_id;
    if (redone.contains(subject)) continue;
    const auto why = fate_of(tile_id);
    add(subject, "removed", !why.empty() ? why : dropped_.contains(location_id) ? "its location is dropped" : "the scene does not show the window any more");
  }
  return rows;
}

void PlanGrowth::write(std::span<const index::LocationRow> new_locations, std::span<const index::ViewRow> new_views) const {
  if (!history_.same)
    for (const auto& row : changes(new_locations, new_views)) index::insert(in_.manifest, row);
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
