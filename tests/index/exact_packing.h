// SPDX-License-Identifier: Apache-2.0
// Branch and bound for the largest set of disjoint windows: the oracle of the planner.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <stdexcept>
#include <unordered_map>
#include <vector>

namespace tilewright::index {

struct PackingCandidate {
  std::int64_t col, row, depth;
};
struct PackingOptimum {
  std::int64_t windows = 0, views = 0;
};

/// Most windows, then most views, of at most 200 candidates whose squares of `size` do not overlap.
class ExactPacking {
 public:
  static constexpr std::size_t kMost = 200;
  using Set = std::bitset<kMost>;

  ExactPacking(std::vector<PackingCandidate> candidates, std::int64_t size) : candidates_(std::move(candidates)), size_(size) {
    if (candidates_.size() > kMost) throw std::invalid_argument("more than 200 candidates");
    std::ranges::sort(candidates_, [](const auto& a, const auto& b) { return a.row != b.row ? a.row < b.row : a.col < b.col; });
    conflicts_.resize(candidates_.size());
    for (std::size_t a = 0; a < candidates_.size(); ++a)
      for (std::size_t b = 0; b < candidates_.size(); ++b)
        if (std::abs(candidates_[a].col - candidates_[b].col) < size_ && std::abs(candidates_[a].row - candidates_[b].row) < size_) conflicts_[a].set(b);
  }

  PackingOptimum solve() {
    Set all;
    for (std::size_t n = 0; n < candidates_.size(); ++n) all.set(n);
    branch(all, 0);
    return {best_ / kWindow, best_ % kWindow};
  }

 private:
  static constexpr std::int64_t kWindow = 1'000'000;  ///< worth more than all views together

  [[nodiscard]] std::int64_t worth(std::size_t n) const { return kWindow + candidates_[n].depth; }

  /// Squares anchored in one size x size cell all overlap: at most one of each cell.
  [[nodiscard]] std::int64_t bound(const Set& left) const {
    std::unordered_map<std::int64_t, std::int64_t> deepest;
    for (auto n = left._Find_first(); n < kMost; n = left._Find_next(n)) {
      const auto cell = (candidates_[n].row - candidates_[0].row) / size_ * 100'000 + (candidates_[n].col + 1'000'000) / size_;
      auto& value = deepest[cell];
      value = std::max(value, worth(n));
    }
    std::int64_t sum = 0;
    for (const auto& [cell, value] : deepest) sum += value;
    return sum;
  }

  /// The first candidate is in, or it is not; the same set reached with no more is not searched again.
  void branch(const Set& left, std::int64_t value) {
    best_ = std::max(best_, value);
    if (left.none() || value + bound(left) <= best_) return;
    auto& seen = seen_.try_emplace(left, -1).first->second;
    if (seen >= value) return;
    seen = value;
    const auto first = left._Find_first();
    branch(left & ~conflicts_[first], value + worth(first));
    auto without = left;
    without.reset(first);
    branch(without, value);
  }

  std::vector<PackingCandidate> candidates_;
  std::int64_t size_;
  std::vector<Set> conflicts_;
  std::unordered_map<Set, std::int64_t> seen_;
  std::int64_t best_ = 0;
};

inline PackingOptimum exact_packing(std::vector<PackingCandidate> candidates, std::int64_t size) { return ExactPacking(std::move(candidates), size).solve(); }

}  // namespace tilewright::index
