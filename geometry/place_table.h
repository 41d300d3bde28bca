// SPDX-License-Identifier: Apache-2.0
// Values by column and row, kept in two arrays: no allocation a value, and nothing to take apart at the end.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tilewright::geometry {

/// Where a value belongs on a grid.
struct PlaceKey {
  std::int64_t col, row;
  bool operator==(const PlaceKey&) const = default;
};

/// A hash table with open addresses. At most 2^31 values; `add` moves values, so that references last until the next one.
template <class Value>
class PlaceTable {
 public:
  /// nullptr if there is none.
  [[nodiscard]] const Value* find(const PlaceKey& key) const {
    if (slots_.empty()) return nullptr;
    const std::uint32_t found = slots_[slot_of(key)];
    return found == 0 ? nullptr : &entries_[found - 1].second;
  }
  /// `key` has no value yet.
  const Value& add(const PlaceKey& key, const Value& value) {
    if (2 * entries_.size() >= slots_.size()) grow();
    std::uint32_t& slot = slots_[slot_of(key)];
    assert(slot == 0);
    entries_.emplace_back(key, value);
    slot = static_cast<std::uint32_t>(entries_.size());
    return entries_.back().second;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  void clear() {
    slots_.assign(slots_.size(), 0);
    entries_.clear();
  }

 private:
  /// The slot of the key, or the free one where it would stand. Neighbours on the grid are far apart.
  [[nodiscard]] std::size_t slot_of(const PlaceKey& key) const {
    const std::uint64_t mixed = (static_cast<std::uint64_t>(key.col) * 0x9e3779b97f4a7c15U) ^ static_cast<std::uint64_t>(key.row);
    const std::size_t last = slots_.size() - 1;
    std::size_t at = static_cast<std::size_t>(((mixed ^ mixed >> 29U) * 0xbf58476d1ce4e5b9U) >> 32U) & last;
    while (slots_[at] != 0 && entries_[slots_[at] - 1].first != key) at = (at + 1) & last;
    return at;
  }
  void grow() {
    slots_.assign(slots_.empty() ? 64 : 2 * slots_.size(), 0);
    for (std::size_t n = 0; n < entries_.size(); ++n) slots_[slot_of(entries_[n].first)] = static_cast<std::uint32_t>(n + 1);
  }

  std::vector<std::uint32_t> slots_;  ///< 0: free, else one more than the index; a power of two of them, half free
  std::vector<std::pair<PlaceKey, Value>> entries_;
};

}  // namespace tilewright::geometry
