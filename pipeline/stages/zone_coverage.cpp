// SPDX-License-Identifier: Apache-2.0
// Masks of the manifest, mapped to a lattice a few tiles at a time.
#include "pipeline/stages/zone_coverage.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "pipeline/stages/sampling.h"
#include "pipeline/stages/source_lattice.h"

namespace tilewright::pipeline {
namespace {

/// Equal contents were resolved by scan; tiles of one file with dates as bands share its hash, so
/// the hash says nothing here.
index::TileCoverage coverage_of(const index::TileRow& row, const LatticeMasks& masks) {
  index::TileCoverage coverage{.tile_id = row.tile_id, .source = row.source, .acquired = row.acquired, .time_known = row.time_known, .i = masks.i,
                               .j = masks.j, .valid = geometry::RunMask::from(masks.valid), .cloud = {}, .copied = masks.copied, .content_hash = ""};
  if (masks.cloud) coverage.cloud = geometry::RunMask::from(*masks.cloud);
  return coverage;
}

/// Adds the coverages of `part` to `out`.
void cover(ZoneCoverage& out, const StageInput& in, tbb::task_arena& arena, const geometry::Lattice& lattice, const std::vector<PlacedTile>& tiles,
           std::span<const std::size_t> part) {
  std::vector<index::TileMasks> own;
  for (const auto n : part) own.push_back(index::tile_masks(in.manifest, tiles[n].row.tile_id));
  std::vector<std::optional<index::TileCoverage>> found(part.size());
  std::vector<std::optional<ZoneCoverage::Failure>> failures(part.size());
  arena.execute([&] {
    tbb::parallel_for(std::size_t{0}, part.size(), [&](std::size_t n) {
      const auto& tile = tiles[part[n]];
      try {
        const auto ratio = pixel_ratio(in.job, tile.row.source);
        found[n] = coverage_of(tile.row, masks_on_zone(masks_on_lattice(tile.grid, own[n], lattice_of_source(lattice, ratio), in.job.extract.resampling), ratio));
      } catch (const index::ItemError& error) {
        failures[n] = ZoneCoverage::Failure{part[n], error.reason(), error.what()};
      }
    });
  });
  for (std::size_t n = 0; n < part.size(); ++n) {
    if (failures[n]) out.failures.push_back(std::move(*failures[n]));
    if (!found[n]) continue;
    out.coverages.push_back(std::move(*found[n]));
    out.shown_by.push_back({part[n]});
  }
}

void join_acquisitions(ZoneCoverage& zone, const Job& job, const std::vector<PlacedTile>& tiles) {
  std::map<std::string, std::size_t> first;
  std::size_t kept = 0;
  for (std::size_t n = 0; n < zone.coverages.size(); ++n) {
    const auto tile = zone.shown_by[n].front();
    const auto key = acquisition_key(job, tiles[tile].row);
    const auto [known, is_new] = first.emplace(key.empty() ? std::to_string(n) : key, kept);
    if (!is_new) {
      keep_common(zone.coverages[known->second], zone.coverages[n]);
      zone.shown_by[known->second].push_back(tile);
      continue;
    }
    if (kept != n) {
      zone.coverages[kept] = std::move(zone.coverages[n]);
      zone.shown_by[kept] = std::move(zone.shown_by[n]);
    }
    ++kept;
  }
  zone.coverages.resize(kept);
  zone.shown_by.resize(kept);
}

}  // namespace

ZoneCoverage cover_zone(const StageInput& in, const RunContext& context, tbb::task_arena& arena, const geometry::Lattice& lattice,
                        const std::vector<PlacedTile>& tiles, const std::vector<std::size_t>& members, const std::function<void(std::size_t)>& on_tiles) {
  ZoneCoverage zone;
  const auto batch = static_cast<std::size_t>(std::max(context.threads, 1));
  for (std::size_t begin = 0; begin < members.size(); begin += batch) {
    context.check_stop();
    const auto part = std::span(members).subspan(begin, std::min(batch, members.size() - begin));
    cover(zone, in, arena, lattice, tiles, part);
    on_tiles(part.size());
  }
  join_acquisitions(zone, in.job, tiles);
  return zone;
}

}  // namespace tilewright::pipeline
