// SPDX-License-Identifier: Apache-2.0
// Set operations on the runs of one row, by walking both lists once.
#include "geometry/runs.h"

#include <algorithm>

namespace tilewright::geometry {

using Run = RunMask::Run;

Runs united(std::span<const Run> a, std::span<const Run> b) {
  Runs all(a.size() + b.size()), out;
  std::ranges::merge(a, b, all.begin(), {}, &Run::begin, &Run::begin);
  for (const auto& run : all) {
    if (run.begin >= run.end) continue;
    if (!out.empty() && run.begin <= out.back().end) out.back().end = std::max(out.back().end, run.end);
    else out.push_back(run);
  }
  return out;
}

Runs without(std::span<const Run> a, std::span<const Run> b) {
  Runs out;
  auto cut = b.begin();
  for (const auto& run : a) {
    auto begin = run.begin;
    while (cut != b.end() && cut->end <= begin) ++cut;
    for (auto next = cut; next != b.end() && next->begin < run.end; ++next) {
      if (next->begin > begin) out.push_back({begin, next->begin});
      begin = std::max(begin, next->end);
    }
    if (begin < run.end) out.push_back({begin, run.end});
  }
  return out;
}

Runs moved(std::span<const Run> runs, std::int64_t by, std::int64_t begin, std::int64_t end) {
  Runs out;
  for (const auto& run : runs) {
    const auto from = std::max(run.begin + by, begin), to = std::min(run.end + by, end);
    if (from < to) out.push_back({static_cast<std::int32_t>(from), static_cast<std::int32_t>(to)});
  }
  return out;
}

std::int64_t overlap_px(std::span<const Run> runs, std::int64_t begin, std::int64_t end) {
  std::int64_t count = 0;
  for (auto run = std::ranges::upper_bound(runs, begin, {}, &Run::end); run != runs.end() && run->begin < end; ++run)
    count += std::min<std::int64_t>(run->end, end) - std::max<std::int64_t>(run->begin, begin);
  return count;
}

}  // namespace tilewright::geometry
