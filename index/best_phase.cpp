// SPDX-License-Identifier: Apache-2.0
// Histogram of coverage over (row mod P, column mod P), by runs of equal depth.
#include "index/best_phase.h"

#include <tbb/enumerable_thread_specific.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <mutex>

namespace tilewright::index {
namespace {

constexpr std::int64_t kMostHistogram_bytes = std::int64_t{64} << 20;  ///< of one thread

std::int64_t modulo(std::int64_t a, std::int64_t p) { return ((a % p) + p) % p; }

struct Value {
  std::int64_t several = 0;  ///< windows with at least max(2, min_views) views
  std::int64_t views = 0;    ///< in those windows
  std::int64_t single = 0;   ///< windows with one view, where that is enough
  auto operator<=>(const Value&) const = default;
  Value& operator+=(const Value& other) {
    several += other.several;
    views += other.views;
    single += other.single;
    return *this;
  }
  Value operator-() const { return {-several, -views, -single}; }
  Value operator*(std::int64_t n) const { return {several * n, views * n, single * n}; }
};

/// Row phases [begin, end) as differences along the columns: a run of any length is a few additions.
class Histogram {
 public:
  Histogram(std::int64_t patch, std::int64_t begin, std::int64_t end)
      : patch_(patch), begin_(begin), steps_(static_cast<std::size_t>((end - begin) * (patch + 1))) {}

  void add(std::int64_t row_phase, const DepthRun& run, const Value& value) {
    auto* steps = steps_.data() + (row_phase - begin_) * (patch_ + 1);
    const auto length = run.end - run.begin, first = modulo(run.begin, patch_), rest = length % patch_;
    if (length >= patch_) steps[0] += value * (length / patch_);
    if (rest == 0) return;
    steps[first] += value;
    if (first + rest < patch_) {
      steps[first + rest] += -value;
    } else if (first + rest > patch_) {
      steps[0] += value;
      steps[first + rest - patch_] += -value;
    }
  }

  void merge(const Histogram& other) {
    for (std::size_t n = 0; n < steps_.size(); ++n) steps_[n] += other.steps_[n];
  }

  /// Calls `each(row, column, value)` in order.
  template <class F>
  void for_each(const F& each) const {
    for (std::size_t n = 0; n < steps_.size(); n += static_cast<std::size_t>(patch_ + 1)) {
      Value value;
      for (std::int64_t col = 0; col < patch_; ++col) {
        value += steps_[n + static_cast<std::size_t>(col)];
        each(begin_ + static_cast<std::int64_t>(n) / (patch_ + 1), col, value);
      }
    }
  }

 private:
  std::int64_t patch_, begin_;
  std::vector<Value> steps_;
};

struct Tally {
  Histogram histogram;
  std::int64_t candidates = 0;
};

struct Block {
  const Component* component;
  std::int64_t row, row_end;
};

class Sweep {
 public:
  explicit Sweep(const Ground& ground) : ground_(ground), patch_(ground.config.patch_px) {}

  Phase run() {
    const auto row_bytes = (patch_ + 1) * static_cast<std::int64_t>(sizeof(Value));
    const auto step = std::clamp<std::int64_t>(kMostHistogram_bytes / row_bytes, 1, patch_);
    for (std::int64_t begin = 0; begin < patch_; begin += step) add_phases(begin, std::min(begin + step, patch_));
    return best_;
  }

 private:
  void add_phases(std::int64_t begin, std::int64_t end) {
    const Tally empty{Histogram(patch_, begin, end)};
    tbb::enumerable_thread_specific<Tally> tallies(empty);
    const auto blocks = blocks_of(begin, end);
    tbb::parallel_for(std::size_t{0}, blocks.size(), [&](std::size_t n) { add_block(blocks[n], tallies.local()); });
    auto total = empty;
    for (const auto& tally : tallies) {
      total.histogram.merge(tally.histogram);
      best_.candidate_windows += tally.candidates;
    }
    total.histogram.for_each([&](std::int64_t row, std::int64_t col, const Value& value) {
      if (!(value > best_value_)) return;
      best_value_ = value;
      best_.col = col;
      best_.row = row;
    });
  }

  /// Rows of the phases [begin, end), a whole period or more at once where all phases are wanted.
  [[nodiscard]] std::vector<Block> blocks_of(std::int64_t begin, std::int64_t end) const {
    std::vector<Block> blocks;
    const auto period = end - begin == patch_ ? std::max<std::int64_t>(patch_, 256 / patch_ * patch_) : patch_;
    for (const auto& component : ground_.components)
      for (const auto& [from, to] : row_blocks(ground_.tiles, component, std::max<std::int64_t>(period, 1024)))
        for (auto start = from - modulo(from, period); start < to; start += period) {
          const auto row = std::max(from, start + begin), row_end = std::min(to, period == patch_ ? start + end : start + period);
          if (row < row_end) blocks.push_back({&component, row, row_end});
        }
    return blocks;
  }

  void add_block(const Block& block, Tally& tally) const {
    const auto rows = depth_rows(ground_.tiles, ground_.chooser, *block.component, block.row, block.row_end);
    const auto enough = std::max(2, ground_.config.min_views);
    for (auto row = block.row; row < block.row_end; ++row)
      for (const auto& run : ground_.taken.free(rows.at(row), row)) {
        tally.candidates += run.end - run.begin;
        if (run.depth >= enough) tally.histogram.add(modulo(row, patch_), run, {1, run.depth, 0});
        else if (run.depth == 1 && ground_.config.min_views <= 1) tally.histogram.add(modulo(row, patch_), run, {0, 0, 1});
      }
  }

  const Ground& ground_;
  std::int64_t patch_;
  Value best_value_;
  Phase best_;
};

}  // namespace

Phase best_phase(const Ground& ground) { return Sweep(ground).run(); }

std::vector<Anchor> anchors_on_phase(const Ground& ground, const Phase& phase) {
  const std::int64_t patch = ground.config.patch_px;
  std::vector<Block> rows;
  for (const auto& component : ground.components)
    for (const auto& [from, to] : row_blocks(ground.tiles, component, 1024))
      for (auto row = from + modulo(phase.row - from, patch); row < to; row += patch) rows.push_back({&component, row, row + 1});
  std::vector<std::vector<Anchor>> found(rows.size());
  tbb::parallel_for(std::size_t{0}, rows.size(), [&](std::size_t n) {
    const auto row = rows[n].row;
    const auto depths = depth_rows(ground.tiles, ground.chooser, *rows[n].component, row, row + 1);
    for (const auto& run : ground.taken.free(depths.at(row), row)) {
      if (run.depth < ground.config.min_views) continue;
      for (auto col = run.begin + modulo(phase.col - run.begin, patch); col < run.end; col += patch) found[n].push_back({col, row});
    }
  });
  std::vector<Anchor> anchors;
  for (const auto& part : found) anchors.insert(anchors.end(), part.begin(), part.end());
  return anchors;
}

}  // namespace tilewright::index
