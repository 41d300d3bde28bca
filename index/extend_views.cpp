// SPDX-License-Identifier: Apache-2.0
// Views of windows that stay, and the free ground between them.
#include "index/extend_views.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <tuple>

#include "geometry/runs.h"
#include "index/coverage.h"
#include "index/window_views.h"

namespace tilewright::index {
namespace {

using geometry::Runs;

/// Columns of the tile on one of its rows that `others` show.
Runs shown_on_row(const TileCoverage& tile, std::int64_t row, std::span<const TileCoverage* const> others) {
  Runs shown;
  for (const auto* other : others) {
    const auto theirs = row - tile.j + other->j;
    if (theirs < 0 || theirs >= other->valid.height()) continue;
    shown = geometry::united(shown, geometry::moved(other->valid.row(theirs), other->i - tile.i, 0, tile.valid.width()));
  }
  return shown;
}

Runs taken_on_row(const TileCoverage& tile, std::int64_t row, std::span<const geometry::LatticeWindow> taken) {
  Runs runs;
  for (const auto& window : taken) {
    const auto top = tile.j - window.j, left = window.i - tile.i;
    if (row < top || row >= top + window.size_px) continue;
    const auto begin = std::max<std::int64_t>(0, left), end = std::min(tile.valid.width(), left + window.size_px);
    if (begin < end) runs = geometry::united(runs, Runs{{static_cast<std::int32_t>(begin), static_cast<std::int32_t>(end)}});
  }
  return runs;
}

bool is_on(const TileCoverage& tile, const geometry::LatticeWindow& window) {
  const auto top = tile.j - window.j, left = window.i - tile.i;
  return left < tile.valid.width() && left + window.size_px > 0 && top < tile.valid.height() && top + window.size_px > 0;
}

bool overlap(const TileCoverage& a, const TileCoverage& b) {
  return a.i < b.i + b.valid.width() && b.i < a.i + a.valid.width() && -a.j < -b.j + b.valid.height() && -b.j < -a.j + a.valid.height();
}

}  // namespace

ViewPlan extend_views(std::span<const TileCoverage> coverages, const PlannerConfig& config, std::span<const KeptWindow> windows) {
  const CoverageSet tiles(coverages, config);
  const ViewChooser chooser(tiles, config);
  std::vector<std::size_t> rank_of(tiles.size());
  for (std::size_t rank = 0; rank < tiles.size(); ++rank) rank_of[tiles.index(rank)] = rank;
  std::vector<WindowToSee> to_see;
  for (const auto& kept : windows) {
    auto& window = to_see.emplace_back(WindowToSee{.at = {kept.window.i, -kept.window.j}, .staying = {}});
    for (const auto tile : kept.tiles) window.staying.push_back(rank_of[tile]);
    std::ranges::sort(window.staying);
  }
  ViewPlan plan;
  add_views(tiles, chooser, config, to_see, plan);
  std::ranges::stable_sort(plan.rejections, {}, [](const ViewRejection& rejection) { return std::tuple(rejection.window.i, rejection.window.j); });
  return plan;
}

void confine_to_free_ground(std::span<TileCoverage> coverages, const std::vector<bool>& is_new,
                            std::span<const geometry::LatticeWindow> taken) {
  std::vector<geometry::RunMask> confined(coverages.size());
  tbb::parallel_for(std::size_t{0}, coverages.size(), [&](std::size_t n) {
    const auto& tile = coverages[n];
    std::vector<const TileCoverage*> fresh;
    for (std::size_t k = 0; k < coverages.size(); ++k)
      if (is_new[k] && !is_new[n] && overlap(coverages[k], tile)) fresh.push_back(&coverages[k]);
    std::vector<geometry::LatticeWindow> here;
    std::ranges::copy_if(taken, std::back_inserter(here), [&](const auto& window) { return is_on(tile, window); });
    confined[n] = geometry::RunMask(tile.valid.width());
    for (std::int64_t row = 0; row < tile.valid.height(); ++row) {
      const auto all = tile.valid.row(row);
      auto left = geometry::without(all, taken_on_row(tile, row, here));
      if (!is_new[n]) left = geometry::without(left, geometry::without(left, shown_on_row(tile, row, fresh)));
      confined[n].append_row(left);
    }
  });
  for (std::size_t n = 0; n < coverages.size(); ++n) coverages[n].valid = std::move(confined[n]);
}

}  // namespace tilewright::index
