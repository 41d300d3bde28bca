// SPDX-License-Identifier: Apache-2.0
// The graph stage: which tiles overlap, by how much, and what hangs together.
#include "index/overlap_graph.h"
#include "pipeline/stages/stage.h"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kBatch = 256;  ///< polygons in memory at a time; afterwards only their prepared form

std::vector<index::Footprint> read_footprints(const StageInput& in, const RunContext& context) {
  std::vector<index::Footprint> footprints;
  std::vector<index::TileGeometry> batch;
  tbb::task_arena arena(std::max(context.threads, 1));
  const auto prepare = [&] {
    const std::size_t before = footprints.size();
    footprints.resize(before + batch.size());
    arena.execute([&] {
      tbb::parallel_for(std::size_t{0}, batch.size(),
                        [&](std::size_t n) { footprints[before + n] = index::footprint_of(batch[n].tile_id, batch[n].geom, batch[n].acquired); });
    });
    batch.clear();
    context.check_stop();
    context.on_progress({"graph", "tiles", static_cast<std::int64_t>(footprints.size()), 0});
  };
  index::each_ok_tile_geometry(in.manifest, [&](index::TileGeometry tile) {
    batch.push_back(std::move(tile));
    if (batch.size() == kBatch) prepare();
  });
  prepare();
  return footprints;
}

}  // namespace

StageReport run_graph(const StageInput& in, const RunContext& context) {
  context.check_stop();
  const index::OverlapGraph graph(read_footprints(in, context), context.threads);
  context.check_stop();
  const auto tiles = graph.tiles();
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "graph");
    graph.each_row([&](const index::OverlapRow& row) { index::insert(in.manifest, row); });
    for (std::size_t n = 0; n < tiles.size(); ++n) index::set_component(in.manifest, tiles[n].tile_id, graph.components()[n]);
  });
  const auto count = static_cast<std::int64_t>(tiles.size());
  context.on_progress({"graph", "tiles", count, count});
  const auto components = tiles.empty() ? 0 : *std::ranges::max_element(graph.components());
  StageReport report;
  report.counts = {{"tiles", count}, {"clipped_pairs", graph.candidate_pairs()}, {"overlaps", graph.row_count()}, {"components", components}};
  if (!graph.is_complete())
    report.notes.push_back("more than 5,000,000 overlapping pairs: `overlap` lists only " + std::to_string(graph.row_count()) +
                           " that hold the components together; components and everything after them are exact");
  return report;
}

}  // namespace tilewright::pipeline
