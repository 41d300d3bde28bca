// SPDX-License-Identifier: Apache-2.0
// The graph stage: which tiles overlap, by how much, and what hangs together.
#include "index/overlap_graph.h"
#include "pipeline/stages/stage.h"

#include <algorithm>

namespace tilewright::pipeline {

StageReport run_graph(const StageInput& in, const RunContext& context) {
  context.check_stop();
  std::vector<index::Footprint> footprints;
  for (auto& tile : index::tiles(in.manifest, "", "ok")) footprints.push_back({tile.tile_id, std::move(tile.geom), tile.acquired});
  context.on_progress({"graph", "tiles", 0, static_cast<std::int64_t>(footprints.size())});
  const auto graph = index::build_overlap_graph(footprints, context.threads);
  context.check_stop();
  in.manifest.in_transaction([&] {
    index::clear_stage(in.manifest, "graph");
    for (const auto& edge : graph.edges) index::insert(in.manifest, edge);
    for (std::size_t n = 0; n < footprints.size(); ++n)
      index::set_component(in.manifest, footprints[n].tile_id, graph.component_of[n]);
  });
  context.on_progress({"graph", "tiles", static_cast<std::int64_t>(footprints.size()), static_cast<std::int64_t>(footprints.size())});
  const auto components = graph.component_of.empty() ? 0 : *std::ranges::max_element(graph.component_of);
  StageReport report;
  report.counts = {{"tiles", static_cast<std::int64_t>(footprints.size())},
                   {"candidate_pairs", graph.candidate_pairs},
                   {"overlaps", static_cast<std::int64_t>(graph.edges.size())},
                   {"components", components}};
  return report;
}

}  // namespace tilewright::pipeline
