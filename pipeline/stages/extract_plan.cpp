// SPDX-License-Identifier: Apache-2.0
// The layout of a series: a pure function of the rows of the manifest and the size of a shard.
#include "pipeline/stages/extract_plan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/sampling.h"
#include "pipeline/stages/series_files.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

/// `view` in member names: the 12 hex digits of the tile id.
std::string view_name(const std::string& tile_id) { return tile_id.substr(tile_id.rfind('-') + 1); }

/// The rows that a series needs, looked up by id.
class Rows {
 public:
  Rows(const StageInput& in, const std::string& source)
      : in_(in), source_(source), ratio_(pixel_ratio(in.job, source)), locations_(index::locations(in.manifest)), grids_(in.manifest) {
    for (auto& tile : index::tiles(in.manifest, source)) tiles_.emplace(tile.tile_id, std::move(tile));
    ground_source_ = derivation(in.job.source(source).channels, 1).ground();
    if (ground_source_.empty()) return;
    for (auto& view : index::views(in.manifest))
      if (view.tile_id.substr(0, view.tile_id.rfind('-')) == ground_source_) grounds_.emplace(view.location_id, std::move(view));
  }

  /// The first view of the source that heights are above; null where none is asked for.
  [[nodiscard]] const index::ViewRow* ground(const std::string& location_id) const {
    if (ground_source_.empty()) return nullptr;
    const auto found = grounds_.find(location_id);
    if (found == grounds_.end())
      throw Error::failed("extracting " + source_ + ": location " + location_id + " has no view of " + ground_source_ + " to be above; limit " + source_ +
                          " with area: to where both are, or remove the channel above_" + ground_source_);
    return &found->second;
  }

  [[nodiscard]] bool is_ours(const index::ViewRow& view) const { return tiles_.contains(view.tile_id); }
  [[nodiscard]] const index::TileRow& tile(const std::string& tile_id) const { return tiles_.at(tile_id); }
  [[nodiscard]] const index::LocationRow& location(const std::string& id) const {
    const auto found = std::lower_bound(locations_.begin(), locations_.end(), id,
                                        [](const auto& row, const std::string& key) { return row.location_id < key; });
    if (found == locations_.end() || found->location_id != id)
      throw Error::failed("the manifest has a view of location " + id + ", which it does not have; run: tilewright verify");
    return *found;
  }

  /// Window of a location; that of a pre-cut chip is the whole tile on its own grid.
  [[nodiscard]] WindowToCut window_of(const index::LocationRow& location, const std::string& tile_id) const {
    WindowToCut window{.name = location.location_id + "/" + tile_id, .epsg = location.epsg};
    if (is_whole(location.location_id)) {
      const SourceGrid grid = grids_.of(location.location_id, tile_id);
      window.grid = grid.affine;
      window.cells = {0, 0, grid.width, grid.height};
    } else {
      const auto key = geometry::parse_location_id(location.location_id);
      const geometry::LatticeWindow place{key ? key->window.i : 0, key ? key->window.j : 0, location.size_px};
      window.grid = geometry::lattice_affine(lattice_of_source(lattice(location), ratio_));
      window.cells = geometry::lattice_pixels(window_of_source(place, ratio_));
    }
    return window;
  }

  [[nodiscard]] const std::vector<TileBand>& bands() const {
    if (bands_.empty()) bands_ = source_bands(in_.job, in_.manifest, source_);
    if (bands_.empty())
      throw Error::failed("source " + source_ + " has no bands in the manifest; run: tilewright scan JOB");
    return bands_;
  }

 private:
  /// Frozen in meta: asked once a zone.
  [[nodiscard]] const geometry::Lattice& lattice(const index::LocationRow& location) const {
    const auto found = lattices_.find({location.epsg, location.res_m});
    if (found != lattices_.end()) return found->second;
    return lattices_.emplace(std::pair(location.epsg, location.res_m), lattice_of(in_.manifest, location)).first->second;
  }

  const StageInput& in_;
  std::string source_;
  PixelRatio ratio_;
  std::vector<index::LocationRow> locations_;
  mutable std::map<std::pair<int, double>, geometry::Lattice> lattices_;
  std::map<std::string, index::TileRow> tiles_;
  std::string ground_source_;
  std::map<std::string, index::ViewRow> grounds_;
  mutable WholeGrids grids_;
  mutable std::vector<TileBand> bands_;
};

std::string json_text(const index::LocationRow& location, const WindowToCut& window,
                      const std::vector<const index::ViewRow*>& views, const std::vector<TileBand>& bands) {
  nlohmann::ordered_json json;
  json["location_id"] = location.location_id;
  json["epsg"] = window.epsg != 0 ? nlohmann::ordered_json(window.epsg) : nlohmann::ordered_json();  // a CRS without a code
  const geometry::Affine a = is_whole(location.location_id) ? window.grid : geometry::Affine{window.grid.a, 0, location.ulx, 0, window.grid.e, location.uly};
  json["affine"] = {a.a, a.b, a.c, a.d, a.e, a.f};
  json["size"] = {window.cells.height, window.cells.width};
  json["dates"] = nlohmann::ordered_json::array();
  json["tile_ids"] = nlohmann::ordered_json::array();
  for (const auto* view : views) {
    json["dates"].push_back(view->acquired ? nlohmann::ordered_json(*view->acquired) : nlohmann::ordered_json());
    json["tile_ids"].push_back(view->tile_id);
  }
  json["bands"] = nlohmann::ordered_json::array();
  for (const auto& band : bands) json["bands"].push_back(band.info.name);
  return json.dump() + "\n";
}

std::optional<geometry::Window> copied_pixels(const index::ViewRow& view, const WindowToCut& window) {
  if (view.resampled) return std::nullopt;
  return geometry::Window{.col = std::llround(view.col_off), .row = std::llround(view.row_off), .width = window.cells.width, .height = window.cells.height};
}

/// Members of one location, appended to `members`; its windows to `windows`, in the same order.
void add_location(const Rows& rows, const std::vector<const index::ViewRow*>& views,
                  std::vector<shard::MemberSpec>& members, std::vector<WindowToCut>& windows) {
  const index::LocationRow& location = rows.location(views.front()->location_id);
  const index::ViewRow* ground = rows.ground(location.location_id);
  const auto band_count = static_cast<std::int64_t>(rows.bands().size());
  WindowToCut window = rows.window_of(location, views.front()->tile_id);
  const std::string& key = location.location_id;
  for (const auto* view : views) {
    window.name = key + "/" + view->tile_id;
    window.copy_of = copied_pixels(*view, window);
    if (ground) {
      window.ground_tile = ground->tile_id;
      window.ground_copy_of = copied_pixels(*ground, window);
    }
    windows.push_back(window);
    members.push_back({.key = key, .name = key + "." + view_name(view->tile_id) + ".npy",
                       .dtype = rows.bands().front().dtype, .shape = {band_count, window.cells.height, window.cells.width}, .text = {}});
  }
  members.push_back({.key = key, .name = key + ".json", .dtype = {}, .shape = {},
                     .text = json_text(location, window, views, rows.bands())});
}

}  // namespace

std::vector<std::string> recorded_shards(const StageInput& in, const std::string& source) {
  std::set<std::string> shards;
  for (const auto& view : index::views(in.manifest))
    if (view.home && view.tile_id.starts_with(source + "-")) shards.insert(*view.home);
  return {shards.begin(), shards.end()};
}

namespace {

/// Shards of a series, built from views in order of location.
class SeriesPlanner {
 public:
  SeriesPlanner(const Rows& rows, const std::string& source) : rows_(rows) { plan_.source = source; }

  /// Members, windows and places of `views`; `next_path` names one shard after the other.
  void add(const std::vector<index::ViewRow>& views, std::int64_t shard_bytes, const std::function<std::string()>& next_path) {
    std::vector<shard::MemberSpec> members;
    std::vector<WindowToCut> windows;
    std::vector<const index::ViewRow*> here;
    for (std::size_t i = 0; i < views.size(); ++i) {
      here.push_back(&views[i]);
      if (i + 1 < views.size() && views[i + 1].location_id == views[i].location_id) continue;
      add_location(rows_, here, members, windows);
      here.clear();
    }
    std::size_t next_view = 0;
    for (const auto& [begin, end] : shard::cut_into_shards(members, shard_bytes)) {
      PlannedShard planned{.path = next_path(), .members = {}};
      for (std::size_t m = begin; m < end; ++m) {
        planned.members.push_back(std::move(members[m]));
        if (!planned.members.back().dtype) continue;
        place(views[next_view], windows[next_view], m - begin);
        ++next_view;
      }
      plan_.shards.push_back(std::move(planned));
    }
  }

  SeriesPlan finish() { return std::move(plan_); }

 private:
  void place(const index::ViewRow& view, WindowToCut& window, std::size_t member) {
    window.shard = plan_.shards.size();
    window.member = member;
    plan_.views.push_back({.location_id = view.location_id, .tile_id = view.tile_id, .shard = window.shard, .member = member});
    const auto [entry, is_new] = place_of_tile_.emplace(view.tile_id, plan_.tiles.size());
    if (is_new) plan_.tiles.emplace_back(view.tile_id, std::vector<WindowToCut>{});
    plan_.tiles[entry->second].second.push_back(std::move(window));
  }

  const Rows& rows_;
  SeriesPlan plan_;
  std::map<std::string, std::size_t> place_of_tile_;
};

}  // namespace

SeriesPlan plan_series(const StageInput& in, const std::string& source) {
  const Rows rows(in, source);
  std::map<std::string, std::vector<index::ViewRow>> coming_back;
  std::vector<index::ViewRow> without;
  for (auto& view : index::views(in.manifest)) {
    if (view.place || !rows.is_ours(view)) continue;
    (view.home ? coming_back[*view.home] : without).push_back(std::move(view));
  }
  SeriesPlanner planner(rows, source);
  for (const auto& [path, views] : coming_back)
    planner.add(views, std::numeric_limits<std::int64_t>::max(), [&] { return path; });
  int number = next_shard_number(in.manifest, source, recorded_shards(in, source));
  planner.add(without, static_cast<std::int64_t>(in.job.extract.shard_mb) << 20, [&] { return "shards/" + shard::shard_file_name(source, number++); });
  return planner.finish();
}

}  // namespace tilewright::pipeline
