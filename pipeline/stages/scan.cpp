// SPDX-License-Identifier: Apache-2.0
// The scan stage: every file becomes a tile, a duplicate, a quarantined tile or a rejection.
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "geometry/error.h"
#include "pipeline/io/header_bounds.h"
#include "pipeline/stages/scan_bands.h"
#include "pipeline/stages/scan_duplicates.h"
#include "pipeline/stages/scan_inputs.h"
#include "pipeline/stages/scan_tile.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;

struct ScannedSource {
  std::string name;
  SourceInputs inputs;
  std::vector<ScannedTile> tiles;
  SourceBands bands;  ///< of the tiles that agree; empty if no tile could be opened
  std::vector<std::string> bad;  ///< left out because a file says so
};

/// Progress from several threads, one call at a time.
class Counter {
 public:
  Counter(const RunContext& context, std::int64_t total) : context_(context), total_(total) {}
  void one_more() {
    const std::lock_guard lock(mutex_);
    context_.on_progress({"scan", "tiles", ++done_, total_});
  }

 private:
  const RunContext& context_;
  std::mutex mutex_;
  std::int64_t done_ = 0, total_;
};

/// Scans the acquisitions `which`, in parallel; each has its own place for the result.
void scan_tiles(ScannedSource& source, const std::vector<std::size_t>& which, const SourceContext& how, Depth depth,
                const std::map<std::string, FileHash>& hashes, const RunContext& context) {
  source.tiles.resize(source.inputs.acquisitions.size());
  const auto memory = context.memory_bytes / static_cast<std::size_t>(8 * std::max(1, context.threads));
  Counter counter(context, static_cast<std::int64_t>(which.size()));
  tbb::task_arena arena(std::max(1, context.threads));
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, which.size(), [&](std::size_t i) {
      context.check_stop();
      source.tiles[which[i]] = scan_tile(source.inputs.acquisitions[which[i]], how, depth, hashes, memory);
      if (depth == Depth::pixels) counter.one_more();
    });
  });
}

template <class Wanted>
std::vector<std::size_t> tiles_where(const ScannedSource& source, const Wanted& wanted) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < source.inputs.acquisitions.size(); ++i)
    if (wanted(i)) out.push_back(i);
  return out;
}

/// No part of the area comes nearer to the box than a tenth of the box's size; not told near the poles.
bool is_far(const geometry::Box& box, const geometry::GeoMultiPolygon& area) {
  constexpr double kPolar_deg = 80;
  if (box.max_y > kPolar_deg || box.min_y < -kPolar_deg || box.max_x - box.min_x > 90) return false;
  const double margin = 0.1 * std::max(box.max_x - box.min_x, box.max_y - box.min_y);
  for (const auto& polygon : area) {
    const auto other = geometry::bounds(geometry::GeoMultiPolygon{polygon});
    if (other.min_x <= box.max_x + margin && box.min_x - margin <= other.max_x && other.min_y <= box.max_y + margin && box.min_y - margin <= other.max_y) return false;
  }
  return true;
}

/// Tiles that lie far from `area` are known by their headers: their pixels need not be read.
void remove_far_tiles(ScannedSource& source, const SourceContext& how) {
  if (how.area.empty()) return;
  std::map<std::string, std::shared_ptr<const geometry::Crs>> systems;
  std::vector<std::size_t> which;
  std::vector<PlacedGrid> grids;
  for (std::size_t i = 0; i < source.tiles.size(); ++i) {
    const auto& tile = source.tiles[i];
    if (tile.row.status != "ok" || !tile.grid) continue;
    auto& crs = systems[tile.grid->crs_wkt];
    if (!crs) crs = std::make_shared<geometry::Crs>(geometry::Crs::from_text(tile.grid->crs_wkt));
    which.push_back(i);
    grids.push_back({tile.grid->affine, tile.grid->width_px, tile.grid->height_px, crs});
  }
  constexpr int kPoints = 21;
  const auto boxes = boxes_in_degrees(grids, kPoints);
  for (std::size_t n = 0; n < which.size(); ++n)
    if (boxes[n] && is_far(*boxes[n], how.area)) reject(source.tiles[which[n]], "removed", Reason::outside_area, "the raster does not touch `area`");
}

/// Fingerprints can be made to meet: tiles of other files with an equal one are compared by SHA-256.
void tell_apart(ScannedSource& source, const SourceContext& how, const RunContext& context) {
  std::map<std::string, std::vector<std::size_t>> by_content;
  for (std::size_t i = 0; i < source.tiles.size(); ++i)
    if (source.tiles[i].row.status == "ok") by_content[source.tiles[i].content].push_back(i);
  std::vector<std::size_t> unsure;
  for (const auto& [content, same] : by_content)
    if (same.size() > 1) unsure.insert(unsure.end(), same.begin(), same.end());
  const auto memory = context.memory_bytes / static_cast<std::size_t>(8 * std::max(1, context.threads));
  tbb::task_arena arena(std::max(1, context.threads));
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, unsure.size(), [&](std::size_t n) {
      context.check_stop();
      keep_exact_content(source.inputs.acquisitions[unsure[n]], how, source.bands.left_out, memory, source.tiles[unsure[n]]);
    });
  });
}

/// Bands of every file first, so that pixels are read only of tiles that fit together.
ScannedSource scan_once(const StageInput& in, const std::string& name, const RunContext& context) {
  ScannedSource source{name, find_inputs(in.job, name), {}, {}};
  for (const auto& acquisition : source.inputs.acquisitions) source.inputs.known.insert(acquisition.tile_id);
  if (context.limit > 0 && source.inputs.acquisitions.size() > static_cast<std::size_t>(context.limit))
    source.inputs.acquisitions.resize(static_cast<std::size_t>(context.limit));
  const auto hashes = hash_files(in.job, in.manifest, paths_of(source.inputs), context.threads);
  auto how = source_context(in.job, name);
  scan_tiles(source, tiles_where(source, [](auto) { return true; }), how, Depth::bands, hashes, context);
  const auto kind = agreed_kind(source.tiles);
  if (!kind) return source;
  source.bands.all = describe_bands(source.tiles, *kind);
  require_kind(source.tiles, *kind);
  remove_far_tiles(source, how);
  how.names = kind->names;
  source.bad = how.left_out = bad_bands(source.tiles, *kind);
  scan_tiles(source, tiles_where(source, [&](auto i) { return source.tiles[i].row.status == "ok"; }), how, Depth::pixels, hashes, context);
  const auto empty = empty_bands(source.tiles);
  for (const auto& band : kind->names)
    if (holds(source.bad, band) || holds(empty, band)) source.bands.left_out.push_back(band);
  if (is_other_grid(source.tiles, *kind, source.bad, source.bands.left_out)) {
    how.left_out = source.bands.left_out;
    scan_tiles(source, tiles_where(source, [&](auto i) { return was_looked_at(source.tiles[i]); }), how, Depth::pixels, hashes, context);
  } else {
    for (auto& tile : source.tiles) settle_bands(tile, empty);
  }
  tell_apart(source, how, context);
  mark_duplicates(source.tiles);
  return source;
}

/// A file that is replaced while it is read would give the hash of one content and the pixels of
/// another: then the source is looked at again.
ScannedSource scan_source(const StageInput& in, const std::string& name, const RunContext& context) {
  constexpr int kTries = 3;
  std::vector<std::string> changed;
  for (int i = 0; i < kTries; ++i) {
    auto source = scan_once(in, name, context);
    changed = changed_files(in.job, in.manifest, paths_of(source.inputs));
    if (changed.empty()) return source;
  }
  throw Error::failed("the inputs of source " + name + " change while they are read, such as " + changed.front() + "; run again when their writer is done");
}

void write_source(index::Manifest& manifest, const ScannedSource& source) {
  for (const auto& row : source.inputs.ungrouped) index::insert(manifest, row);
  for (const auto& band : source.bands.left_out)
    index::insert(manifest, index::RejectionRow{"scan", source.name + "/" + band,
                                                std::string(index::code(Reason::band_all_nodata)),
                                                holds(source.bad, band) ? "a file of the source marks the band as bad; it is left out"
                                                                        : "the band is nodata in all tiles of the source and is left out"});
  write_source_bands(manifest, source.name, source.bands);
}

void write_tiles(index::Manifest& manifest, const std::vector<ScannedSource>& sources) {
  std::map<std::string, const ScannedTile*> by_id;
  for (const auto& source : sources)
    for (const auto& tile : source.tiles) by_id.emplace(tile.row.tile_id, &tile);
  for (const auto& [id, tile] : by_id) {
    index::insert(manifest, tile->row);
    for (const auto& file : tile->files) index::insert(manifest, file);
    if (tile->grid && tile->row.status == "ok") index::insert(manifest, *tile->grid, tile->masks);
    if (tile->rejection) index::insert(manifest, *tile->rejection);
  }
}

/// Acquisitions that an earlier scan knew and whose files are not among the inputs any more. Their
/// footprint stays for the map; they have no files, overlaps or views.
std::vector<index::TileRow> gone_tiles(const StageInput& in, const std::vector<ScannedSource>& sources) {
  std::map<std::string, std::set<std::string>> inputs;
  for (const auto& source : sources) inputs[source.name] = source.inputs.known;
  std::vector<index::TileRow> gone;
  for (auto& row : index::tiles(in.manifest)) {
    const auto source = inputs.find(row.source);
    if (source == inputs.end() || source->second.contains(row.tile_id)) continue;
    row.status = "removed";
    row.reason = std::string(index::code(Reason::gone));
    row.duplicate_of.reset();
    row.component_id.reset();
    gone.push_back(std::move(row));
  }
  return gone;
}

void add_notes(const ScannedSource& source, StageReport& report) {
  const auto tell = [&](const char* what, bool bad) {
    std::string names;
    int count = 0;
    for (const auto& band : source.bands.left_out) {
      if (holds(source.bad, band) != bad) continue;
      names += (names.empty() ? "" : ", ") + band;
      ++count;
    }
    if (count > 0) report.notes.push_back(source.name + ": " + std::to_string(count) + what + names);
  };
  tell(" bands are nodata in all tiles and are left out: ", false);
  tell(" bands are marked as bad in a file and are left out: ", true);
  std::map<std::string, int> side_cars;
  for (const auto& tile : source.tiles)
    for (const auto& name : tile.side_cars) ++side_cars[name.ends_with(".aux.xml") ? ".aux.xml" : std::filesystem::path(name).extension().string()];
  std::string list;
  for (const auto& [kind, count] : side_cars) list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + kind;
  if (!list.empty()) report.notes.push_back(source.name + ": side-cars are read: " + list);
  for (const auto& tile : source.tiles)
    for (const auto& note : tile.notes) report.notes.push_back(source.name + ": " + note);
}

StageReport report_of(const std::vector<ScannedSource>& sources, std::int64_t gone) {
  std::map<std::string, std::int64_t> by_status;
  std::int64_t tiles = 0, ungrouped = 0;
  StageReport report;
  std::set<std::string> files;
  for (const auto& source : sources) {
    for (const auto& path : paths_of(source.inputs)) files.insert(path);
    ungrouped += static_cast<std::int64_t>(source.inputs.ungrouped.size());
    for (const auto& tile : source.tiles) ++by_status[tile.row.status];
    tiles += static_cast<std::int64_t>(source.tiles.size());
    add_notes(source, report);
  }
  by_status["removed"] += gone;
  tiles += gone;
  report.counts = {{"files", static_cast<std::int64_t>(files.size())}, {"tiles", tiles}, {"ok", by_status["ok"]}, {"duplicate", by_status["duplicate"]},
                   {"quarantined", by_status["quarantined"]}, {"removed", by_status["removed"]}, {"ungrouped", ungrouped}};
  return report;
}

}  // namespace

StageReport run_scan(const StageInput& in, const RunContext& context) {
  set_up_gdal(std::max<std::size_t>(std::size_t{16} << 20, context.memory_bytes / 8));
  std::vector<ScannedSource> sources;
  for (const auto& [name, config] : in.job.sources) sources.push_back(scan_source(in, name, context));
  const auto gone = gone_tiles(in, sources);
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "scan");
    for (const auto& source : sources) write_source(in.manifest, source);
    write_tiles(in.manifest, sources);
    for (const auto& row : gone) {
      index::insert(in.manifest, row);
      index::insert(in.manifest, index::RejectionRow{"scan", row.tile_id, *row.reason, row.path + ": its file is not among the inputs any more"});
    }
  });
  return report_of(sources, static_cast<std::int64_t>(gone.size()));
}

}  // namespace tilewright::pipeline
