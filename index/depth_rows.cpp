// SPDX-License-Identifier: Apache-2.0
// Depth of coverage by sweeping over the ends of runs.
#include "index/depth_rows.h"

#include <algorithm>
#include <limits>

namespace tilewright::index {
namespace {

struct RunEnd {
  std::int64_t col;
  std::uint32_t rank;
  bool opens;
};

void add_run(std::vector<DepthRun>& runs, std::size_t first, std::int64_t begin, std::int64_t end, std::int64_t depth) {
  if (begin == end || depth == 0) return;
  if (runs.size() > first && runs.back().end == begin && runs.back().depth == depth) runs.back().end = end;
  else runs.push_back({begin, end, depth});
}

/// Runs from `first` on, cut to [begin, end).
void cut(std::vector<DepthRun>& runs, std::size_t first, const std::pair<std::int64_t, std::int64_t>& columns) {
  auto out = runs.begin() + static_cast<std::ptrdiff_t>(first);
  for (auto run = out; run != runs.end(); ++run) {
    const DepthRun part{std::max(run->begin, columns.first), std::min(run->end, columns.second), run->depth};
    if (part.begin < part.end) *out++ = part;
  }
  runs.erase(out, runs.end());
}

/// Appends the runs of one row.
class RowSweep {
 public:
  explicit RowSweep(const ViewChooser& chooser) : chooser_(chooser) {}

  void add(const std::vector<TileAnchors>& anchors, std::int64_t row, std::vector<DepthRun>& runs) {
    ends_.clear();
    for (const auto& tile : anchors) {
      if (row < tile.row || row >= tile.row + tile.usable.height()) continue;
      for (const auto& run : tile.usable.row(row - tile.row)) {
        ends_.push_back({tile.col + run.begin, static_cast<std::uint32_t>(tile.rank), true});
        ends_.push_back({tile.col + run.end, static_cast<std::uint32_t>(tile.rank), false});
      }
    }
    std::ranges::sort(ends_, {}, &RunEnd::col);
    if (chooser_.counts_all()) sweep_counts(runs);
    else sweep_sets(runs);
  }

 private:
  void sweep_counts(std::vector<DepthRun>& runs) const {
    const auto first = runs.size();
    std::int64_t depth = 0, col = 0;
    for (const auto& end : ends_) {
      add_run(runs, first, col, end.col, depth);
      col = end.col;
      depth += end.opens ? 1 : -1;
    }
  }

  void sweep_sets(std::vector<DepthRun>& runs) {
    const auto first = runs.size();
    here_.clear();
    std::int64_t col = 0;
    for (const auto& end : ends_) {
      if (end.col != col && !here_.empty()) add_run(runs, first, col, end.col, static_cast<std::int64_t>(chooser_.count(here_)));
      col = end.col;
      const auto at = std::ranges::lower_bound(here_, end.rank);
      if (end.opens) here_.insert(at, end.rank);
      else here_.erase(at);
    }
  }

  const ViewChooser& chooser_;
  std::vector<RunEnd> ends_;
  std::vector<std::uint32_t> here_;  ///< ranks that see the current column
};

}  // namespace

std::vector<Component> components_of(const CoverageSet& tiles) {
  std::vector<Component> components;
  for (auto& ranks : tiles.components()) {
    std::erase_if(ranks, [&](auto rank) { return tiles.anchor_box(rank).empty(); });
    if (ranks.empty()) continue;
    std::ranges::stable_sort(ranks, {}, [&](auto rank) { return tiles.anchor_box(rank).row; });
    auto box = tiles.anchor_box(ranks.front());
    for (const auto rank : ranks) {
      const auto b = tiles.anchor_box(rank);
      const auto right = std::max(box.col + box.width, b.col + b.width), bottom = std::max(box.row + box.height, b.row + b.height);
      box.col = std::min(box.col, b.col);
      box.width = right - box.col;
      box.height = bottom - box.row;
    }
    components.push_back({std::move(ranks), box});
  }
  return components;
}

std::vector<std::pair<std::int64_t, std::int64_t>> row_blocks(const CoverageSet& tiles, const Component& component, std::int64_t step) {
  std::vector<std::pair<std::int64_t, std::int64_t>> blocks;
  auto done = std::numeric_limits<std::int64_t>::min();
  for (const auto rank : component.ranks) {
    const auto box = tiles.anchor_box(rank);
    for (auto row = std::max(box.row, done); row < box.row + box.height; row = done) {
      done = std::min(row + step, box.row + box.height);
      if (!blocks.empty() && blocks.back().second == row && done - blocks.back().first <= step) blocks.back().second = done;
      else blocks.emplace_back(row, done);
    }
  }
  return blocks;
}

std::vector<std::size_t> ranks_on(const CoverageSet& tiles, const Component& component, std::int64_t row, std::int64_t row_end) {
  std::vector<std::size_t> ranks;
  for (const auto rank : component.ranks) {
    const auto box = tiles.anchor_box(rank);
    if (box.row >= row_end) break;
    if (box.row + box.height > row) ranks.push_back(rank);
  }
  return ranks;
}

DepthRows depth_rows(const CoverageSet& tiles, const ViewChooser& chooser, const Component& component, std::int64_t row, std::int64_t row_end) {
  const auto anchors = tiles.usable(ranks_on(tiles, component, row, row_end), row, row_end);
  std::vector<std::size_t> first_run = {0};
  std::vector<DepthRun> runs;
  RowSweep sweep(chooser);
  for (auto r = row; r < row_end; ++r) {
    sweep.add(anchors, r, runs);
    if (const auto home = tiles.home(r)) cut(runs, first_run.back(), *home);
    first_run.push_back(runs.size());
  }
  return {row, std::move(first_run), std::move(runs)};
}

}  // namespace tilewright::index
