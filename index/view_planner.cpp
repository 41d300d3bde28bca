// SPDX-License-Identifier: Apache-2.0
// From tiles on the lattice to locations: components, places, views.
#include "index/view_planner.h"

#include <tbb/parallel_for.h>

#include <algorithm>

#include "geometry/error.h"
#include "index/best_phase.h"
#include "index/coverage.h"
#include "index/shelf.h"
#include "index/window_views.h"

namespace tilewright::index {
namespace {

std::vector<Anchor> windows_on_phase(const Ground& ground, ViewPlan& plan) {
  auto phase = best_phase(ground);
  if (ground.config.placement == Placement::lattice) phase.col = phase.row = 0;
  plan.phase_col = phase.col;
  plan.phase_row = phase.row;
  plan.candidate_windows = phase.candidate_windows;
  return anchors_on_phase(ground, phase);
}

std::vector<Anchor> shelves(const Ground& ground, ViewPlan& plan) {
  std::vector<Packing> packings(ground.components.size());
  tbb::parallel_for(std::size_t{0}, packings.size(), [&](std::size_t n) { packings[n] = shelf_packing(ground, ground.components[n]); });
  std::vector<Anchor> anchors;
  for (const auto& packing : packings) {
    plan.candidate_windows += packing.candidate_windows;
    anchors.insert(anchors.end(), packing.anchors.begin(), packing.anchors.end());
  }
  return anchors;
}

}  // namespace

ViewPlan plan_views(std::span<const TileCoverage> coverages, const PlannerConfig& config,
                    std::span<const geometry::LatticeWindow> taken) {
  if (config.placement == Placement::whole || config.placement == Placement::points)
    throw Error::config("views.placement: whole and points are not in this version; use best_phase, shelf or lattice");
  const CoverageSet tiles(coverages, config);
  const ViewChooser chooser(tiles, config);
  const auto components = components_of(tiles);
  const Occupied occupied(taken, config.patch_px);
  const Ground ground{tiles, chooser, config, components, occupied};
  ViewPlan plan;
  auto anchors = config.placement == Placement::shelf ? shelves(ground, plan) : windows_on_phase(ground, plan);
  std::ranges::sort(anchors, [](const Anchor& a, const Anchor& b) { return a.col != b.col ? a.col < b.col : a.row > b.row; });
  std::vector<WindowToSee> windows;
  for (const auto& anchor : anchors) windows.push_back({anchor, {}});
  add_views(tiles, chooser, config, windows, plan);
  return plan;
}

}  // namespace tilewright::index
