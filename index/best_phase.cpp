// SPDX-License-Identifier: Apache-2.0
// Histogram of coverage over (row mod P, column mod P), swept in blocks of rows.
#include "index/best_phase.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace tilewright::index {
namespace {

struct Value {
  std::int64_t several = 0;  ///< windows with at least max(2, min_views) views
  std::int64_t views = 0;    ///< in those windows
  std::int64_t single = 0;   ///< windows with one view, where that is enough
  auto operator<=>(const Value&) const = default;
};

std::int64_t modulo(std::int64_t a, std::int64_t p) { return ((a % p) + p) % p; }

/// Adds one to `depth[k]` for each set bit k of the row.
void add_bits(const geometry::Bitmask& mask, std::int64_t row, std::uint32_t* depth) {
  const auto* words = mask.row_words(row);
  for (std::int64_t w = 0; w < mask.words_per_row(); ++w) {
    const auto word = words[w];
    if (word == 0) continue;
    const auto count = std::min<std::int64_t>(64, mask.width() - w * 64);
    for (std::int64_t k = 0; k < count; ++k) depth[w * 64 + k] += static_cast<std::uint32_t>((word >> k) & 1U);
  }
}

class Sweep {
 public:
  Sweep(const CoverageSet& tiles, const PlannerConfig& config, std::span<const geometry::LatticeWindow> taken)
      : tiles_(tiles), config_(config), taken_(taken), patch_(config.patch_px),
        values_(static_cast<std::size_t>(patch_ * patch_)), candidates_(static_cast<std::size_t>(patch_), 0) {}

  Phase run() {
    for (const auto& [begin, end] : blocks()) {
      load(begin, end);
      // Rows of one phase belong to one task: no two tasks write the same part of the histogram.
      tbb::parallel_for(std::int64_t{0}, patch_, [&](std::int64_t phase) {
        for (auto row = begin + modulo(phase - begin, patch_); row < end; row += patch_) add_row(row, phase);
      });
    }
    return best();
  }

 private:
  /// Runs of rows that any tile has, cut into blocks: what lies between scattered tiles is skipped.
  std::vector<std::pair<std::int64_t, std::int64_t>> blocks() {
    std::vector<std::pair<std::int64_t, std::int64_t>> spans, result;
    for (std::size_t rank = 0; rank < tiles_.size(); ++rank) {
      const auto height = tiles_.tile(rank).valid.height() - patch_ + 1;
      if (height > 0) spans.emplace_back(-tiles_.tile(rank).j, -tiles_.tile(rank).j + height);
    }
    std::sort(spans.begin(), spans.end());
    const std::int64_t step = std::max<std::int64_t>(patch_ * 4, 1024);
    std::int64_t done = std::numeric_limits<std::int64_t>::min();
    for (const auto& [begin, end] : spans) {
      for (auto row = std::max(begin, done); row < end; row = done) {
        done = std::min(row + step, end);
        result.emplace_back(row, done);
      }
    }
    return result;
  }

  void load(std::int64_t begin, std::int64_t end) {
    std::erase_if(active_, [&](const auto& entry) { return entry.second.row + entry.second.usable.height() <= begin; });
    std::vector<std::size_t> wanted;
    for (std::size_t rank = 0; rank < tiles_.size(); ++rank) {
      const auto top = -tiles_.tile(rank).j, bottom = top + tiles_.tile(rank).valid.height() - patch_ + 1;
      if (top < end && bottom > begin && !active_.contains(rank)) wanted.push_back(rank);
    }
    std::vector<TileAnchors> computed(wanted.size());
    tbb::parallel_for(std::size_t{0}, wanted.size(), [&](std::size_t n) {
      computed[n] = tiles_.anchors(wanted[n]);
      computed[n].covers = {};
      computed[n].kept = {};
    });
    for (std::size_t n = 0; n < wanted.size(); ++n) active_.emplace(wanted[n], std::move(computed[n]));
  }

  /// Depth of coverage along one row, one run of overlapping tiles at a time.
  void add_row(std::int64_t row, std::int64_t phase) {
    std::vector<const TileAnchors*> here;
    for (const auto& [rank, anchors] : active_)
      if (row >= anchors.row && row < anchors.row + anchors.usable.height() && anchors.usable.width() > 0) here.push_back(&anchors);
    std::ranges::sort(here, {}, &TileAnchors::col);
    std::vector<std::uint32_t> depth;
    for (std::size_t n = 0; n < here.size();) {
      const auto begin = here[n]->col;
      auto end = begin;
      auto last = n;
      for (; last < here.size() && (last == n || here[last]->col <= end); ++last)
        end = std::max(end, here[last]->col + here[last]->usable.width());
      depth.assign(static_cast<std::size_t>(end - begin), 0);
      for (; n < last; ++n) add_bits(here[n]->usable, row - here[n]->row, depth.data() + (here[n]->col - begin));
      free_taken(row, begin, depth);
      tally(depth, begin, phase);
    }
  }

  void free_taken(std::int64_t row, std::int64_t begin, std::vector<std::uint32_t>& depth) const {
    for (const auto& window : taken_) {
      const auto top = -window.j;
      if (row + patch_ <= top || row >= top + window.size_px) continue;
      const auto from = std::max(window.i - patch_ + 1, begin), to = std::min(window.i + window.size_px, begin + static_cast<std::int64_t>(depth.size()));
      for (auto col = from; col < to; ++col) depth[static_cast<std::size_t>(col - begin)] = 0;
    }
  }

  void tally(const std::vector<std::uint32_t>& depth, std::int64_t begin, std::int64_t phase) {
    auto* values = values_.data() + phase * patch_;
    const auto enough = static_cast<std::uint32_t>(std::max(2, config_.min_views));
    auto col = modulo(begin, patch_);
    for (const auto d : depth) {
      if (d > 0) {
        ++candidates_[static_cast<std::size_t>(phase)];
        auto& value = values[col];
        if (d >= enough) {
          ++value.several;
          value.views += d;
        } else if (d == 1 && config_.min_views <= 1) {
          ++value.single;
        }
      }
      if (++col == patch_) col = 0;
    }
  }

  [[nodiscard]] Phase best() const {
    const auto found = std::max_element(values_.begin(), values_.end());  // the first of equal ones
    const auto n = found - values_.begin();
    Phase phase{.col = n % patch_, .row = n / patch_};
    for (const auto count : candidates_) phase.candidate_windows += count;
    return phase;
  }

  const CoverageSet& tiles_;
  const PlannerConfig& config_;
  std::span<const geometry::LatticeWindow> taken_;
  std::int64_t patch_;
  std::vector<Value> values_;
  std::vector<std::int64_t> candidates_;  ///< per row phase
  std::map<std::size_t, TileAnchors> active_;
};

}  // namespace

Phase best_phase(const CoverageSet& tiles, const PlannerConfig& config, std::span<const geometry::LatticeWindow> taken) {
  return Sweep(tiles, config, taken).run();
}

bool is_taken(std::span<const geometry::LatticeWindow> taken, std::int64_t col, std::int64_t row, int size_px) {
  return std::ranges::any_of(taken, [&](const geometry::LatticeWindow& window) {
    const auto top = -window.j;
    return col < window.i + window.size_px && window.i < col + size_px && row < top + window.size_px && top < row + size_px;
  });
}

}  // namespace tilewright::index
