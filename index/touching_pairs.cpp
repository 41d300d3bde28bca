// SPDX-License-Identifier: Apache-2.0
// The self-join as a list of pairs in order.
#include <algorithm>

#include "index/self_join.h"

namespace tilewright::index {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

std::vector<Pair> touching_pairs(std::span<const geometry::Box> boxes, int threads) {
  std::vector<Pair> found;
  std::vector<std::size_t> next(boxes.size() + 1, 0);  // per smaller index: where its pairs go
  SelfJoin(threads).each_run(boxes, [&](const TouchingRun& run) {
    std::uint32_t p = 0;
    for (std::size_t k = 0; k < run.box.size(); ++k) {
      for (; p < run.end[k]; ++p) {
        found.emplace_back(std::minmax(run.box[k], run.partner[p]));
        ++next[found.back().first + 1];
      }
    }
  });
  for (std::size_t n = 1; n < next.size(); ++n) next[n] += next[n - 1];
  std::vector<Pair> pairs(found.size());
  for (const Pair& pair : found) pairs[next[pair.first]++] = pair;
  const auto of_same_box = [](const Pair& a, const Pair& b) { return a.first != b.first; };
  for (auto first = pairs.begin(); first != pairs.end();) {
    const auto last = std::adjacent_find(first, pairs.end(), of_same_box);
    const auto end = last == pairs.end() ? last : last + 1;
    std::sort(first, end);
    first = end;
  }
  return pairs;
}

std::int64_t count_touching_pairs(std::span<const geometry::Box> boxes, int threads) {
  std::int64_t count = 0;
  SelfJoin(threads).each_run(boxes, [&](const TouchingRun& run) { count += static_cast<std::int64_t>(run.partner.size()); });
  return count;
}

}  // namespace tilewright::index
