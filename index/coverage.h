// SPDX-License-Identifier: Apache-2.0
// Which windows each tile can show: anchors after duplicates and clouds, one bit an anchor.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "geometry/bitmask.h"
#include "index/view_planner.h"

namespace tilewright::index {

/// Anchors of one tile in raster order of the lattice: column = i, row = -j.
struct TileAnchors {
  std::int64_t col = 0, row = 0;      ///< of bit (0, 0)
  geometry::Bitmask covers;           ///< F: the window is valid on every pixel
  geometry::Bitmask kept;             ///< F without windows that a preferred duplicate shows
  geometry::Bitmask usable;           ///< kept without windows that are too cloudy
  [[nodiscard]] bool covers_at(std::int64_t c, std::int64_t r) const { return at(covers, c, r); }
  [[nodiscard]] bool kept_at(std::int64_t c, std::int64_t r) const { return at(kept, c, r); }
  [[nodiscard]] bool usable_at(std::int64_t c, std::int64_t r) const { return at(usable, c, r); }

 private:
  [[nodiscard]] bool at(const geometry::Bitmask& mask, std::int64_t c, std::int64_t r) const {
    c -= col;
    r -= row;
    return c >= 0 && r >= 0 && c < mask.width() && r < mask.height() && mask.get(c, r);
  }
};

/// Anchors whose window has a larger cloudy share than `max_frac`; O(1) a pixel.
geometry::Bitmask too_cloudy_anchors(const geometry::Bitmask& cloud, int size_px, double max_frac);

/// Set bits of the window with its upper-left corner at (col, row); parts outside count as not set.
std::int64_t count_in_window(const geometry::Bitmask& mask, std::int64_t col, std::int64_t row, int size_px);

/// Same source and either equal content or known times at most `same_pass_s` apart.
bool are_duplicates(const TileCoverage& a, const TileCoverage& b, double same_pass_s);

/// Computes anchors on demand; tiles that have possible duplicates are resolved once and kept.
class CoverageSet {
 public:
  /// `order`: indices of `coverages` by tile_id.
  CoverageSet(std::span<const TileCoverage> coverages, const PlannerConfig& config, std::vector<std::size_t> order);
  /// Of the tile with this rank in `order`. Safe to call from several threads.
  [[nodiscard]] TileAnchors anchors(std::size_t rank) const;
  [[nodiscard]] const TileCoverage& tile(std::size_t rank) const { return coverages_[order_[rank]]; }
  [[nodiscard]] std::size_t index(std::size_t rank) const { return order_[rank]; }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  /// Duplicates of a tile that are preferred to it, by rank.
  [[nodiscard]] const std::vector<std::size_t>& preferred(std::size_t rank) const { return preferred_[rank]; }

 private:
  [[nodiscard]] std::vector<std::vector<std::size_t>> duplicates() const;
  void resolve_duplicates();
  std::span<const TileCoverage> coverages_;
  PlannerConfig config_;
  std::vector<std::size_t> order_;
  std::vector<std::vector<std::size_t>> preferred_;
  std::vector<std::optional<geometry::Bitmask>> kept_;  ///< of tiles with duplicates
};

}  // namespace tilewright::index
