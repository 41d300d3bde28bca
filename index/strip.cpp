// SPDX-License-Identifier: Apache-2.0
// Best sets along a line by dynamic programming: with the window that ends here, or without.
#include "index/strip.h"

#include <algorithm>

namespace tilewright::index {

Worth Strip::solve(std::span<const DepthRun> runs, std::vector<std::int64_t>* positions) {
  Worth total;
  for (std::size_t first = 0; first < runs.size();) {
    auto last = first + 1;  // what lies size_px apart does not meet
    while (last < runs.size() && runs[last].begin - runs[last - 1].end + 1 < size_) ++last;
    total += solve_span(runs.subspan(first, last - first), positions);
    first = last;
  }
  return total;
}

Worth Strip::solve_span(std::span<const DepthRun> runs, std::vector<std::int64_t>* positions) {
  const auto begin = runs.front().begin, length = runs.back().end - begin;
  const auto deepest = std::ranges::max(runs, {}, &DepthRun::depth).depth;
  const auto factor = (length / size_ + 1) * deepest + 1;  // more than all views
  best_.resize(static_cast<std::size_t>(length + 1));
  auto* best = best_.data();
  best[0] = 0;
  std::int64_t k = 0;
  for (const auto& run : runs) {
    for (const auto start = run.begin - begin; k < start; ++k) best[k + 1] = best[k];
    const auto worth = factor + run.depth, end = run.end - begin;
    for (const auto early = std::min(end, size_ - 1); k < early; ++k) best[k + 1] = std::max(best[k], worth);
    for (; k < end; ++k) best[k + 1] = std::max(best[k], best[k + 1 - size_] + worth);
  }
  if (positions) {
    const auto first = static_cast<std::ptrdiff_t>(positions->size());
    for (auto n = length; n > 0 && best[n] > 0;) {
      if (best[n - 1] == best[n]) {
        --n;
        continue;
      }
      positions->push_back(begin + n - 1);
      n = std::max<std::int64_t>(0, n - size_);
    }
    std::reverse(positions->begin() + first, positions->end());
  }
  return {best[length] / factor, best[length] % factor};
}

std::vector<std::size_t> best_lines(std::span<const Worth> worth, std::int64_t size_px) {
  const auto size = static_cast<std::size_t>(size_px);
  std::vector<Worth> best(worth.size() + 1);
  for (std::size_t n = 0; n < worth.size(); ++n) {
    auto with = n + 1 >= size ? best[n + 1 - size] : Worth{};
    with += worth[n];
    best[n + 1] = std::max(best[n], with);
  }
  std::vector<std::size_t> lines;
  for (auto n = worth.size(); n > 0 && best[n].windows > 0;) {
    if (best[n - 1] == best[n]) {
      --n;
      continue;
    }
    lines.push_back(n - 1);
    n -= std::min(n, size);
  }
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace tilewright::index
