// SPDX-License-Identifier: Apache-2.0
// Strips of rows and of columns over the coverage map of a component.
#include "index/shelf.h"

#include <tbb/blocked_range.h>
#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>

#include "index/strip.h"

namespace tilewright::index {
namespace {

constexpr std::int64_t kRowsAtOnce = 256;
constexpr std::int64_t kColumnsAtOnce = 256;

/// The coverage map of a component: blocks of rows from north to south.
class DepthMap {
 public:
  DepthMap(const Ground& ground, const Component& component) {
    const auto parts = row_blocks(ground.tiles, component, std::max<std::int64_t>(kRowsAtOnce, ground.config.patch_px));
    blocks_.resize(parts.size());
    tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t n) {
      blocks_[n] = depth_rows(ground.tiles, ground.chooser, component, parts[n].first, parts[n].second);
    });
  }
  [[nodiscard]] const std::vector<DepthRows>& blocks() const { return blocks_; }
  [[nodiscard]] std::int64_t free_anchors(const Occupied& taken) const {
    std::int64_t count = 0;
    for (const auto& block : blocks_)
      for (auto row = block.row(); row < block.row_end(); ++row)
        for (const auto& run : taken.free(block.at(row), row)) count += run.end - run.begin;
    return count;
  }

 private:
  std::vector<DepthRows> blocks_;
};

/// Depths that one round may use, half-open.
struct Eligible {
  std::int64_t least, end;
};

std::vector<DepthRun> chosen(std::span<const DepthRun> runs, const Eligible& eligible) {
  std::vector<DepthRun> out;
  std::ranges::copy_if(runs, std::back_inserter(out), [&](const auto& run) { return run.depth >= eligible.least && run.depth < eligible.end; });
  return out;
}

/// One round: strips of one kind of depth on free ground.
class Round {
 public:
  /// `taken` are windows of the job, `placed` those of earlier rounds.
  Round(const DepthMap& map, const geometry::Window& box, std::int64_t patch, const Eligible& eligible, const Occupied& taken, const Occupied& placed)
      : box_(box), patch_(patch), rows_(static_cast<std::size_t>(box.height)) {
    for (const auto& block : map.blocks())
      tbb::parallel_for(block.row(), block.row_end(), [&](std::int64_t row) {
        rows_[static_cast<std::size_t>(row - box_.row)] = placed.free(taken.free(chosen(block.at(row), eligible), row), row);
      });
    for (const auto& row : rows_)
      for (const auto& run : row) deepest_ = std::max(deepest_, run.depth);
  }

  [[nodiscard]] bool empty() const { return deepest_ == 0; }

  [[nodiscard]] std::vector<Anchor> in_rows() const {
    std::vector<Worth> worth(static_cast<std::size_t>(box_.height));
    tbb::enumerable_thread_specific<Strip> strips([&] { return Strip(patch_); });
    tbb::parallel_for(std::size_t{0}, rows_.size(), [&](std::size_t n) {
      if (!rows_[n].empty()) worth[n] = strips.local().worth(rows_[n]);
    });
    std::vector<Anchor> anchors;
    Strip strip(patch_);
    for (const auto line : best_lines(worth, patch_))
      for (const auto col : strip.positions(rows_[line])) anchors.push_back({col, box_.row + static_cast<std::int64_t>(line)});
    return anchors;
  }

  [[nodiscard]] std::vector<Anchor> in_columns() const {
    std::vector<Worth> worth(static_cast<std::size_t>(box_.width));
    const auto parts = (box_.width + kColumnsAtOnce - 1) / kColumnsAtOnce;
    tbb::parallel_for(std::int64_t{0}, parts, [&](std::int64_t n) {
      const auto begin = n * kColumnsAtOnce;
      measure_columns(begin, std::min(begin + kColumnsAtOnce, box_.width), worth.data() + begin);
    });
    const auto lines = best_lines(worth, patch_);
    std::vector<std::vector<Anchor>> found(lines.size());
    tbb::parallel_for(std::size_t{0}, lines.size(), [&](std::size_t n) { found[n] = in_column(box_.col + static_cast<std::int64_t>(lines[n])); });
    std::vector<Anchor> anchors;
    for (const auto& part : found) anchors.insert(anchors.end(), part.begin(), part.end());
    return anchors;
  }

  /// From the north, every row takes what still fits.
  void fill(std::vector<Anchor>& anchors) const {
    Occupied occupied({}, static_cast<int>(patch_));
    for (const auto& anchor : anchors) occupied.add(anchor, static_cast<int>(patch_));
    Strip strip(patch_);
    for (std::size_t n = 0; n < rows_.size(); ++n) {
      if (rows_[n].empty()) continue;
      const auto row = box_.row + static_cast<std::int64_t>(n);
      const auto free = occupied.free(rows_[n], row);
      if (free.empty()) continue;
      for (const auto col : strip.positions(free)) {
        anchors.push_back({col, row});
        occupied.add(anchors.back(), static_cast<int>(patch_));
      }
    }
  }

  [[nodiscard]] Worth worth_of(const std::vector<Anchor>& anchors) const {
    Worth total;
    for (const auto& anchor : anchors) total += {1, depth_at(anchor)};
    return total;
  }

 private:
  [[nodiscard]] std::int64_t depth_at(const Anchor& at) const {
    const auto& row = rows_[static_cast<std::size_t>(at.row - box_.row)];
    const auto run = std::ranges::upper_bound(row, at.col, {}, &DepthRun::end);
    return run != row.end() && run->begin <= at.col ? run->depth : 0;
  }

  /// Strip::worth of many columns side by side, row by row: the last patch_ rows are kept.
  void measure_columns(std::int64_t begin, std::int64_t end, Worth* worth) const {
    const auto width = static_cast<std::size_t>(end - begin);
    const auto factor = (box_.height / patch_ + 1) * deepest_ + 1;
    std::vector<std::int64_t> best(static_cast<std::size_t>(patch_) * width, 0);
    std::size_t now = 0;           // slot of the row before this one
    std::int64_t empty_rows = 0;   // in a row: after patch_ of them all slots are equal
    for (const auto& row : rows_) {
      auto run = std::ranges::upper_bound(row, box_.col + begin, {}, &DepthRun::end);
      const bool is_empty = run == row.end() || run->begin >= box_.col + end;
      empty_rows = is_empty ? empty_rows + 1 : 0;
      if (empty_rows > patch_) continue;
      const auto next = now + 1 == static_cast<std::size_t>(patch_) ? 0 : now + 1;
      const auto* before = best.data() + now * width;
      auto* best_here = best.data() + next * width;  // holds the row patch_ before
      std::int64_t col = 0;
      for (; !is_empty && run != row.end() && run->begin < box_.col + end; ++run) {
        const auto from = std::max<std::int64_t>(run->begin - box_.col - begin, 0), to = std::min<std::int64_t>(run->end - box_.col - begin, end - begin);
        for (; col < from; ++col) best_here[col] = before[col];
        const auto with = factor + run->depth;
        for (; col < to; ++col) best_here[col] = std::max(before[col], best_here[col] + with);
      }
      for (; col < end - begin; ++col) best_here[col] = before[col];
      now = next;
    }
    for (std::size_t col = 0; col < width; ++col) worth[col] = {best[now * width + col] / factor, best[now * width + col] % factor};
  }

  [[nodiscard]] std::vector<Anchor> in_column(std::int64_t col) const {
    std::vector<DepthRun> runs;
    for (std::int64_t n = 0; n < box_.height; ++n) {
      const auto depth = depth_at({col, box_.row + n});
      if (depth == 0) continue;
      if (!runs.empty() && runs.back().end == box_.row + n && runs.back().depth == depth) ++runs.back().end;
      else runs.push_back({box_.row + n, box_.row + n + 1, depth});
    }
    std::vector<Anchor> anchors;
    Strip strip(patch_);
    for (const auto row : strip.positions(runs)) anchors.push_back({col, row});
    return anchors;
  }

  geometry::Window box_;
  std::int64_t patch_;
  std::vector<std::vector<DepthRun>> rows_;  ///< eligible and free, by row of the box
  std::int64_t deepest_ = 0;
};

}  // namespace

Packing shelf_packing(const Ground& ground, const Component& component) {
  const DepthMap map(ground, component);
  Packing packing{.anchors = {}, .candidate_windows = map.free_anchors(ground.taken)};
  Occupied placed({}, ground.config.patch_px);
  const std::int64_t enough = std::max(2, ground.config.min_views);
  std::vector<Eligible> rounds = {{enough, INT64_MAX}};
  if (ground.config.min_views <= 1) rounds.push_back({1, enough});
  for (const auto& eligible : rounds) {
    const Round round(map, component.box, ground.config.patch_px, eligible, ground.taken, placed);
    if (round.empty()) continue;
    auto rows = round.in_rows(), columns = round.in_columns();
    round.fill(rows);
    round.fill(columns);
    const auto& best = round.worth_of(columns) > round.worth_of(rows) ? columns : rows;
    for (const auto& anchor : best) placed.add(anchor, ground.config.patch_px);
    packing.anchors.insert(packing.anchors.end(), best.begin(), best.end());
  }
  return packing;
}

}  // namespace tilewright::index
