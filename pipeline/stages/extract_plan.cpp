// SPDX-License-Identifier: Apache-2.0
// The layout of a series: a pure function of the rows of the manifest and the size of a shard.
#include "pipeline/stages/extract_plan.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "index/plan_rows.h"
#include "index/shard/ustar.h"
#include "index/tile_id.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/sampling.h"
#include "pipeline/stages/series_files.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

struct PlannedLocation {
  std::string id;
  double ulx = 0, uly = 0, res_m = 0;
  int epsg = 0, size_px = 0;
  std::uint32_t view = 0, view_end = 0, shard = 0;
};

struct PlannedView {
  double col_off = 0, row_off = 0;
  std::uint32_t location = 0, tile = 0, date = kNone, member = 0;
  bool resampled = false;
};

std::optional<geometry::Window> copied_pixels(bool resampled, double col_off, double row_off,
                                              const geometry::Window& cells) {
  if (resampled) return std::nullopt;
  return geometry::Window{.col = std::llround(col_off),
                          .row = std::llround(row_off),
                          .width = cells.width,
                          .height = cells.height};
}

/// A text once, by number.
class Texts {
 public:
  std::uint32_t number_of(const std::string& text) {
    const auto [known, is_new] = numbers_.emplace(text, static_cast<std::uint32_t>(texts_.size()));
    if (is_new) texts_.push_back(&known->first);
    return known->second;
  }
  [[nodiscard]] const std::string& operator[](std::size_t number) const { return *texts_[number]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  std::map<std::string, std::uint32_t> numbers_;
  std::vector<const std::string*> texts_;
};

}  // namespace

/// The plan, and what of the manifest its members and windows are made of.
struct SeriesPlan::State {
  State(const StageInput& input, const std::string& name)
      : in(input), source(name), ratio(pixel_ratio(input.job, name)), grids(input.manifest) {
    ground_source = derivation(in.job.source(source).channels, 1).ground();
    if (ground_source.empty()) return;
    index::each_view(in.manifest, [&](index::ViewRow view) {
      if (index::source_of_tile(view.tile_id) != ground_source) return;
      auto location_id = view.location_id;
      grounds.emplace(std::move(location_id), std::move(view));
    });
  }

  const StageInput& in;
  std::string source;
  PixelRatio ratio;
  std::vector<PlannedShard> shards;
  std::deque<PlannedLocation> locations;
  std::deque<PlannedView> views;
  Texts tiles, dates;  ///< tiles in order of their first member
  std::vector<std::vector<std::uint32_t>> views_of_tile;
  std::string ground_source;
  std::map<std::string, index::ViewRow> grounds;
  std::map<std::pair<int, double>, geometry::Lattice> lattices;
  WholeGrids grids;
  std::vector<TileBand> known_bands;

  /// The first view of the source that heights are above; null where none is asked for.
  [[nodiscard]] const index::ViewRow* ground(const std::string& location_id) const {
    if (ground_source.empty()) return nullptr;
    const auto found = grounds.find(location_id);
    if (found == grounds.end())
      throw Error::failed("extracting " + source + ": location " + location_id +
                          " has no view of " + ground_source + " to be above; limit " + source +
                          " with area: to where both are, or remove the channel above_" +
                          ground_source);
    return &found->second;
  }

  const std::vector<TileBand>& bands() {
    if (known_bands.empty()) known_bands = source_bands(in.job, in.manifest, source);
    if (known_bands.empty())
      throw Error::failed("source " + source +
                          " has no bands in the manifest; run: tilewright scan JOB");
    return known_bands;
  }

  /// Frozen in meta: asked once a zone.
  const geometry::Lattice& lattice(const PlannedLocation& location) {
    const std::pair key(location.epsg, location.res_m);
    const auto found = lattices.find(key);
    if (found != lattices.end()) return found->second;
    index::LocationRow row;
    row.location_id = location.id, row.epsg = location.epsg, row.size_px = location.size_px;
    row.ulx = location.ulx, row.uly = location.uly, row.res_m = location.res_m;
    return lattices.emplace(key, lattice_of(in.manifest, row)).first->second;
  }

  /// Window of a location; that of a pre-cut chip is the whole tile on its own grid.
  WindowToCut window_of(const PlannedLocation& location, const std::string& tile_id) {
    WindowToCut window{.name = location.id + "/" + tile_id, .epsg = location.epsg};
    if (is_whole(location.id)) {
      const SourceGrid grid = grids.of(location.id, tile_id);
      window.grid = grid.affine;
      window.cells = {0, 0, grid.width, grid.height};
    } else {
      const auto key = geometry::parse_location_id(location.id);
      const geometry::LatticeWindow place{key ? key->window.i : 0, key ? key->window.j : 0,
                                          location.size_px};
      window.grid = geometry::lattice_affine(lattice_of_source(lattice(location), ratio));
      window.cells = geometry::lattice_pixels(window_of_source(place, ratio));
    }
    return window;
  }

  std::string json_text(const PlannedLocation& location, const WindowToCut& window) {
    nlohmann::ordered_json json;
    json["location_id"] = location.id;
    json["epsg"] = window.epsg != 0 ? nlohmann::ordered_json(window.epsg)
                                    : nlohmann::ordered_json();  // a CRS without a code
    const geometry::Affine a =
        is_whole(location.id)
            ? window.grid
            : geometry::Affine{window.grid.a, 0, location.ulx, 0, window.grid.e, location.uly};
    json["affine"] = {a.a, a.b, a.c, a.d, a.e, a.f};
    json["size"] = {window.cells.height, window.cells.width};
    json["dates"] = nlohmann::ordered_json::array();
    json["tile_ids"] = nlohmann::ordered_json::array();
    for (auto v = location.view; v < location.view_end; ++v) {
      json["dates"].push_back(views[v].date != kNone ? nlohmann::ordered_json(dates[views[v].date])
                                                     : nlohmann::ordered_json());
      json["tile_ids"].push_back(tiles[views[v].tile]);
    }
    json["bands"] = nlohmann::ordered_json::array();
    for (const auto& band : bands()) json["bands"].push_back(band.info.name);
    return json.dump() + "\n";
  }

  /// Members of one location, appended to `members`.
  void add_members(const PlannedLocation& location, std::vector<shard::MemberSpec>& members) {
    const auto window = window_of(location, tiles[views[location.view].tile]);
    const auto band_count = static_cast<std::int64_t>(bands().size());
    for (auto v = location.view; v < location.view_end; ++v)
      members.push_back({.key = location.id,
                         .name = location.id + "." + index::view_of_tile(tiles[views[v].tile]) + ".npy",
                         .dtype = bands().front().dtype,
                         .shape = {band_count, window.cells.height, window.cells.width},
                         .text = {}});
    members.push_back({.key = location.id,
                       .name = location.id + ".json",
                       .dtype = {},
                       .shape = {},
                       .text = json_text(location, window)});
  }
};

SeriesPlan::SeriesPlan(std::unique_ptr<State> state) : state_(std::move(state)) {}
SeriesPlan::SeriesPlan(SeriesPlan&&) noexcept = default;
SeriesPlan::~SeriesPlan() = default;

const std::string& SeriesPlan::source() const { return state_->source; }
const std::vector<PlannedShard>& SeriesPlan::shards() const { return state_->shards; }
std::size_t SeriesPlan::tile_count() const { return state_->tiles.size(); }
const std::string& SeriesPlan::tile_id(std::size_t tile) const { return state_->tiles[tile]; }
std::span<const std::uint32_t> SeriesPlan::views_of_tile(std::size_t tile) const {
  return state_->views_of_tile[tile];
}
std::size_t SeriesPlan::shard_of(std::uint32_t view) const {
  return state_->locations[state_->views[view].location].shard;
}
std::size_t SeriesPlan::member_of(std::uint32_t view) const { return state_->views[view].member; }
const std::string& SeriesPlan::location_of(std::uint32_t view) const {
  return state_->locations[state_->views[view].location].id;
}
const std::string& SeriesPlan::tile_of(std::uint32_t view) const {
  return state_->tiles[state_->views[view].tile];
}

std::vector<shard::MemberSpec> SeriesPlan::members(std::size_t shard) const {
  std::vector<shard::MemberSpec> members;
  const auto& planned = state_->shards[shard];
  for (auto n = planned.location; n < planned.location_end; ++n)
    state_->add_members(state_->locations[n], members);
  return members;
}

WindowToCut SeriesPlan::window(std::uint32_t number) const {
  const auto& view = state_->views[number];
  const auto& location = state_->locations[view.location];
  auto window = state_->window_of(location, state_->tiles[view.tile]);
  window.copy_of = copied_pixels(view.resampled, view.col_off, view.row_off, window.cells);
  if (const auto* ground = state_->ground(location.id)) {
    window.ground_tile = ground->tile_id;
    window.ground_copy_of =
        copied_pixels(ground->resampled, ground->col_off, ground->row_off, window.cells);
  }
  window.shard = location.shard;
  window.member = view.member;
  return window;
}

std::vector<std::string> recorded_shards(const StageInput& in, const std::string& source) {
  std::set<std::string> shards;
  index::each_view(in.manifest, [&](const auto& view) {
    if (view.home && view.tile_id.starts_with(source + "-")) shards.insert(*view.home);
  });
  return {shards.begin(), shards.end()};
}

namespace {

/// A view without a place, as it is read: numbers of its location, tile, date and file.
struct Waiting {
  PlannedView view;
  std::uint32_t tile_text = 0, home = kNone;
};

/// Locations of the manifest by id, without their outlines.
std::vector<PlannedLocation> slim_locations(const index::Manifest& manifest) {
  std::vector<PlannedLocation> out;
  index::each_location(manifest, [&](const index::LocationRow& row) {
    out.push_back({.id = row.location_id,
                   .ulx = row.ulx,
                   .uly = row.uly,
                   .res_m = row.res_m,
                   .epsg = row.epsg,
                   .size_px = row.size_px});
  });
  return out;
}

std::uint32_t number_of(const std::vector<PlannedLocation>& locations, const std::string& id) {
  const auto found = std::ranges::lower_bound(locations, id, {}, &PlannedLocation::id);
  if (found == locations.end() || found->id != id)
    throw Error::failed("the manifest has a view of location " + id +
                        ", which it does not have; run: tilewright verify");
  return static_cast<std::uint32_t>(found - locations.begin());
}

}  // namespace

// long because: one pass over the views, then one over what waits, which share the texts.
SeriesPlan plan_series(const StageInput& in, const std::string& source) {
  auto state = std::make_unique<SeriesPlan::State>(in, source);
  auto known = slim_locations(in.manifest);
  Texts tile_ids, homes;
  const auto ours = index::tile_ids(in.manifest, source);
  std::vector<Waiting> waiting;
  index::each_view(in.manifest, [&](const index::ViewRow& row) {
    if (row.place || !std::ranges::binary_search(ours, row.tile_id)) return;
    auto& one = waiting.emplace_back();
    one.view = {.col_off = row.col_off,
                .row_off = row.row_off,
                .location = number_of(known, row.location_id),
                .resampled = row.resampled};
    if (row.acquired) one.view.date = state->dates.number_of(*row.acquired);
    one.tile_text = tile_ids.number_of(row.tile_id);
    if (row.home) one.home = homes.number_of(*row.home);
  });
  const auto is_before = [&](const Waiting& a,
                             const Waiting& b) {  // files by name, then what is new
    if (a.home == b.home || a.home == kNone || b.home == kNone)
      return a.home != kNone && b.home == kNone;
    return homes[a.home] < homes[b.home];
  };
  std::ranges::stable_sort(waiting, is_before);
  int number = next_shard_number(in.manifest, source, recorded_shards(in, source));
  const auto most_bytes = static_cast<std::int64_t>(in.job.extract.shard_mb) << 20;
  std::uint32_t home = kNone;
  for (std::size_t begin = 0, end = 0; begin < waiting.size(); begin = end) {
    auto& location = state->locations.emplace_back(known[waiting[begin].view.location]);
    location.view = static_cast<std::uint32_t>(state->views.size());
    for (; end < waiting.size() && waiting[end].view.location == waiting[begin].view.location &&
           waiting[end].home == waiting[begin].home;
         ++end) {
      auto& view = state->views.emplace_back(waiting[end].view);
      view.location = static_cast<std::uint32_t>(state->locations.size() - 1);
      view.tile = state->tiles.number_of(tile_ids[waiting[end].tile_text]);
      state->views_of_tile.resize(state->tiles.size());
      state->views_of_tile[view.tile].push_back(
          static_cast<std::uint32_t>(state->views.size() - 1));
    }
    location.view_end = static_cast<std::uint32_t>(state->views.size());
    std::vector<shard::MemberSpec> members;
    state->add_members(location, members);
    const auto bytes = shard::layout_shard(members).bytes - shard::kTarEndBytes;
    const bool is_new_home = waiting[begin].home != home || state->shards.empty();
    if (is_new_home ||
        (waiting[begin].home == kNone && state->shards.back().bytes + bytes > most_bytes)) {
      home = waiting[begin].home;
      state->shards.push_back({.path = home != kNone
                                           ? homes[home]
                                           : "shards/" + shard::shard_file_name(source, number++),
                               .location = static_cast<std::uint32_t>(state->locations.size() - 1),
                               .location_end = 0,
                               .view = location.view,
                               .view_end = 0,
                               .bytes = shard::kTarEndBytes});
    }
    auto& shard = state->shards.back();
    location.shard = static_cast<std::uint32_t>(state->shards.size() - 1);
    for (auto v = location.view; v < location.view_end; ++v)
      state->views[v].member =
          v - shard.view + static_cast<std::uint32_t>(state->locations.size() - 1) - shard.location;
    shard.location_end = static_cast<std::uint32_t>(state->locations.size());
    shard.view_end = location.view_end;
    shard.bytes += bytes;
  }
  return SeriesPlan(std::move(state));
}

}  // namespace tilewright::pipeline
