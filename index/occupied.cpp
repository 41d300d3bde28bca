// SPDX-License-Identifier: Apache-2.0
// Windows by row: those that reach a row are found without looking at the others.
#include "index/occupied.h"

#include <algorithm>
#include <utility>

namespace tilewright::index {

Occupied::Occupied(std::span<const geometry::LatticeWindow> taken, int size_px) : size_px_(size_px) {
  for (const auto& window : taken) add({window.i, -window.j}, window.size_px);
}

void Occupied::add(const Anchor& anchor, int size_px) {
  by_row_[anchor.row].push_back({anchor.col, size_px});
  largest_px_ = std::max<std::int64_t>(largest_px_, size_px);
}

std::vector<DepthRun> Occupied::free(std::span<const DepthRun> runs, std::int64_t row) const {
  if (runs.empty()) return {};
  std::vector<std::pair<std::int64_t, std::int64_t>> blocked;  // anchors, half-open
  for (auto at = by_row_.upper_bound(row - largest_px_); at != by_row_.end() && at->first < row + size_px_; ++at)
    for (const auto& window : at->second)
      if (row < at->first + window.size_px && window.col + window.size_px > runs.front().begin && window.col - size_px_ + 1 < runs.back().end)
        blocked.emplace_back(window.col - size_px_ + 1, window.col + window.size_px);
  std::sort(blocked.begin(), blocked.end());
  std::vector<DepthRun> left;
  std::size_t cut = 0;
  for (const auto& run : runs) {
    auto begin = run.begin;
    while (cut < blocked.size() && blocked[cut].second <= begin) ++cut;
    for (auto n = cut; n < blocked.size() && blocked[n].first < run.end && begin < run.end; ++n) {
      if (blocked[n].first > begin) left.push_back({begin, blocked[n].first, run.depth});
      begin = std::max(begin, blocked[n].second);
    }
    if (begin < run.end) left.push_back({begin, run.end, run.depth});
  }
  return left;
}

}  // namespace tilewright::index
