// SPDX-License-Identifier: Apache-2.0
// The scan stage: every file becomes a tile, a duplicate, a quarantined tile or a rejection.
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "geometry/error.h"
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
};

std::vector<std::string> names_of(const std::vector<TileBand>& bands) {
  std::vector<std::string> out;
  for (const auto& band : bands) out.push_back(band.info.name);
  return out;
}

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

/// What the tiles of a source have to agree on, to lie in one array.
struct Kind {
  std::vector<std::string> names;
  shard::DType dtype = shard::DType::u8;
  auto operator<=>(const Kind&) const = default;
};

/// Most tiles decide over the number of bands, then the pixel type, then the names; at a tie the
/// least. Bands of one file go by their place, so that other names of equal number are the same.
template <class Key>
std::optional<Key> most_frequent(const std::vector<ScannedTile>& tiles, const auto& key_of) {
  std::map<Key, int> counts;
  for (const auto& tile : tiles)
    if (const auto key = key_of(tile)) ++counts[*key];
  std::optional<Key> best;
  for (const auto& [key, count] : counts)
    if (!best || count > counts[*best]) best = key;
  return best;
}

bool is_grouped(const ScannedTile& tile) { return !tile.files.empty() && !tile.files.front().band.empty(); }

std::optional<Kind> agreed_kind(const std::vector<ScannedTile>& tiles) {
  const auto usable = [](const ScannedTile& tile) { return !tile.bands.empty() && tile.row.status == "ok"; };
  const auto count = most_frequent<std::size_t>(tiles, [&](const auto& t) { return usable(t) ? std::optional(t.bands.size()) : std::nullopt; });
  if (!count) return std::nullopt;
  const auto dtype = most_frequent<shard::DType>(
      tiles, [&](const auto& t) { return usable(t) && t.bands.size() == *count ? std::optional(t.bands[0].dtype) : std::nullopt; });
  const auto names = most_frequent<std::vector<std::string>>(tiles, [&](const auto& t) {
    return usable(t) && t.bands.size() == *count && t.bands[0].dtype == *dtype ? std::optional(names_of(t.bands)) : std::nullopt;
  });
  return Kind{*names, *dtype};
}

/// Quarantines tiles whose bands are not those of the source.
void require_kind(ScannedSource& source, const Kind& kind) {
  for (auto& tile : source.tiles) {
    if (tile.bands.empty() || tile.row.status != "ok") continue;
    const auto names = names_of(tile.bands);
    const auto missing = std::find_if(kind.names.begin(), kind.names.end(), [&](const auto& n) { return std::find(names.begin(), names.end(), n) == names.end(); });
    std::string text;
    auto reason = Reason::wrong_band_count;
    if (is_grouped(tile) && missing != kind.names.end()) {
      reason = Reason::missing_band;
      text = "has no file of band " + *missing;
    } else if (names.size() != kind.names.size()) {
      text = "has " + std::to_string(names.size()) + " bands, most of the source have " + std::to_string(kind.names.size()) + "; put it into a source of its own";
    } else if (tile.bands[0].dtype != kind.dtype) {
      reason = Reason::mixed_dtype;
      text = "is " + std::string(shard::name(tile.bands[0].dtype)) + ", most of the source are " + std::string(shard::name(kind.dtype)) + "; put it into a source of its own";
    }
    if (text.empty()) continue;
    tile.row.geom.clear();
    tile.bands.clear();
    reject(tile, "quarantined", reason, text);
  }
}

bool was_looked_at(const ScannedTile& tile) { return !tile.bands.empty() && tile.band_has_data.size() == tile.bands.size(); }

/// Bands without a valid pixel in any tile. None if no band has any.
std::vector<std::string> empty_bands(const ScannedSource& source) {
  std::vector<bool> has_data;
  for (const auto& tile : source.tiles) {
    if (!was_looked_at(tile)) continue;
    has_data.resize(tile.bands.size(), false);
    for (std::size_t b = 0; b < tile.band_has_data.size(); ++b) has_data[b] = has_data[b] || tile.band_has_data[b];
  }
  std::vector<std::string> out;
  for (std::size_t b = 0; b < has_data.size(); ++b)
    if (!has_data[b]) out.push_back(source.bands.all[b].info.name);
  return out.size() == has_data.size() ? std::vector<std::string>() : out;
}

/// Nodata differs between files, wavelengths hardly: the first tile with the agreed names speaks.
std::vector<TileBand> describe_bands(const ScannedSource& source, const Kind& kind) {
  for (const auto& tile : source.tiles)
    if (!tile.bands.empty() && names_of(tile.bands) == kind.names && tile.bands[0].dtype == kind.dtype) return tile.bands;
  return {};
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
  source.bands.all = describe_bands(source, *kind);
  require_kind(source, *kind);
  how.names = kind->names;
  scan_tiles(source, tiles_where(source, [&](auto i) { return source.tiles[i].row.status == "ok"; }), how, Depth::pixels, hashes, context);
  source.bands.left_out = empty_bands(source);
  if (!source.bands.left_out.empty()) {
    // Validity asks for all required bands, so it has to be found again without these.
    how.left_out = source.bands.left_out;
    scan_tiles(source, tiles_where(source, [&](auto i) { return was_looked_at(source.tiles[i]); }), how, Depth::pixels, hashes, context);
  }
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
    index::insert(manifest, index::RejectionRow{"scan", source.name + "/" + band, std::string(index::code(Reason::band_all_nodata)),
                                                "the band is nodata in all tiles of the source and is left out"});
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
  if (!source.bands.left_out.empty()) {
    std::string names;
    for (const auto& band : source.bands.left_out) names += (names.empty() ? "" : ", ") + band;
    report.notes.push_back(source.name + ": " + std::to_string(source.bands.left_out.size()) + " bands are nodata in all tiles and are left out: " + names);
  }
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
