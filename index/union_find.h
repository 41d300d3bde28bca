// SPDX-License-Identifier: Apache-2.0
// Disjoint sets of indices: components of graphs and groups of locations.
#pragma once

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace tilewright::index {

/// The root of a set is its smallest index, whatever the order of joins.
class UnionFind {
 public:
  explicit UnionFind(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), std::size_t{0}); }
  std::size_t root(std::size_t n) {
    while (parent_[n] != n) n = parent_[n] = parent_[parent_[n]];
    return n;
  }
  void join(std::size_t a, std::size_t b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    if (b < a) std::swap(a, b);
    parent_[b] = a;
  }

 private:
  std::vector<std::size_t> parent_;
};

}  // namespace tilewright::index
