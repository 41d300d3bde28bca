// SPDX-License-Identifier: Apache-2.0
// The published way to temporal views, as the baseline: tuples of overlapping tiles grown one by one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "geometry/bitmask.h"
#include "index/view_planner.h"

namespace tilewright::index {

struct GrownWindow {
  std::int64_t col, row;
  std::size_t views;
};

/// Algorithm 1 of papers/002 with a beam: from each tile's pairs, n-tuples from (n - 1)-tuples, of which
/// the `beam` largest by area stay; tuples are cut into patches, larger n first, on a regular grid from the
/// upper-left corner of their intersection; a patch that overlaps an earlier one is dropped. Beam, order and
/// grid are our reading: the original names none.
class TupleGrowing {
 public:
  TupleGrowing(const std::vector<TileCoverage>& tiles, int patch, std::size_t beam) : tiles_(tiles), patch_(patch), beam_(beam) {
    for (const auto& tile : tiles_) masks_.push_back({tile.i, -tile.j, tile.valid.bits()});
  }

  std::vector<GrownWindow> run() {
    for (std::size_t tile = 0; tile < tiles_.size(); ++tile) {
      auto tuples = tuples_of(tile);
      std::ranges::stable_sort(tuples, [](const Tuple& a, const Tuple& b) { return a.members.size() > b.members.size(); });
      for (const auto& tuple : tuples) cut(tuple);
    }
    return windows_;
  }
  [[nodiscard]] std::int64_t intersections() const { return intersections_; }

 private:
  struct Area {
    std::int64_t col = 0, row = 0;
    geometry::Bitmask bits;
  };
  struct Tuple {
    std::set<std::size_t> members;
    Area area;
    std::int64_t size_px = 0;
  };

  std::optional<Area> intersect(const Area& a, const Area& b) {
    ++intersections_;
    const auto left = std::max(a.col, b.col), right = std::min(a.col + a.bits.width(), b.col + b.bits.width());
    const auto top = std::max(a.row, b.row), bottom = std::min(a.row + a.bits.height(), b.row + b.bits.height());
    if (left >= right || top >= bottom) return std::nullopt;
    Area out{left, top, geometry::Bitmask(right - left, bottom - top)};
    for (auto row = top; row < bottom; ++row)
      for (auto col = left; col < right; ++col)
        if (a.bits.get(col - a.col, row - a.row) && b.bits.get(col - b.col, row - b.row)) out.bits.set(col - left, row - top, true);
    return out;
  }

  /// Tuples of `tile`: at each size the beam's largest.
  std::vector<Tuple> tuples_of(std::size_t tile) {
    std::vector<Tuple> all, now = {Tuple{{tile}, masks_[tile], 0}};
    while (!now.empty()) {
      std::vector<Tuple> next;
      std::set<std::set<std::size_t>> seen;
      for (const auto& tuple : now)
        for (std::size_t other = 0; other < tiles_.size(); ++other) {
          auto members = tuple.members;
          if (!members.insert(other).second || !seen.insert(members).second) continue;
          auto area = intersect(tuple.area, masks_[other]);
          if (!area || geometry::window_anchors(area->bits, patch_).count() == 0) continue;
          const auto size_px = area->bits.count();
          next.push_back({std::move(members), std::move(*area), size_px});
        }
      std::ranges::stable_sort(next, [](const Tuple& a, const Tuple& b) { return a.size_px > b.size_px; });
      if (next.size() > beam_) next.erase(next.begin() + static_cast<std::ptrdiff_t>(beam_), next.end());
      all.insert(all.end(), next.begin(), next.end());
      now = std::move(next);
    }
    return all;
  }

  void cut(const Tuple& tuple) {
    const auto anchors = geometry::window_anchors(tuple.area.bits, patch_);
    const auto corner = upper_left_of(tuple.area.bits);
    for (auto row = corner.second; row < anchors.height(); row += patch_)
      for (auto col = corner.first; col < anchors.width(); col += patch_)
        if (anchors.get(col, row)) place({tuple.area.col + col, tuple.area.row + row, tuple.members.size()});
  }

  /// Of the box of the set pixels.
  static std::pair<std::int64_t, std::int64_t> upper_left_of(const geometry::Bitmask& bits) {
    std::pair<std::int64_t, std::int64_t> corner{bits.width(), bits.height()};
    for (std::int64_t row = 0; row < bits.height(); ++row)
      for (std::int64_t col = 0; col < bits.width(); ++col)
        if (bits.get(col, row)) corner = {std::min(corner.first, col), std::min(corner.second, row)};
    return corner;
  }

  void place(const GrownWindow& window) {
    const bool meets = std::ranges::any_of(windows_, [&](const auto& other) { return std::abs(other.col - window.col) < patch_ && std::abs(other.row - window.row) < patch_; });
    if (!meets) windows_.push_back(window);
  }

  const std::vector<TileCoverage>& tiles_;
  int patch_;
  std::size_t beam_;
  std::vector<Area> masks_;
  std::vector<GrownWindow> windows_;
  std::int64_t intersections_ = 0;
};

}  // namespace tilewright::index
