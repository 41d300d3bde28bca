// SPDX-License-Identifier: Apache-2.0
// Which windows each tile can show: anchors after duplicates and clouds, on any rows of the lattice.
#pragma once

#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "geometry/run_mask.h"
#include "index/view_planner.h"

namespace tilewright::index {

/// Anchors in raster order of the lattice: column = i, row = -j.
struct Anchor {
  std::int64_t col = 0, row = 0;
  bool operator==(const Anchor&) const = default;
};

/// Usable anchors of one tile on some rows.
struct TileAnchors {
  std::size_t rank = 0;
  std::int64_t col = 0, row = 0;  ///< of bit (0, 0)
  geometry::RunMask usable;       ///< the window is valid, no preferred duplicate shows it, clouds are below the limit
};

/// Set pixels of the window with its upper-left corner at (col, row); parts outside count as not set.
std::int64_t count_in_window(const geometry::RunMask& mask, std::int64_t col, std::int64_t row, int size_px);

/// Same source and either equal content or known times at most `same_pass_s` apart.
bool are_duplicates(const TileCoverage& a, const TileCoverage& b, double same_pass_s);

/// Tiles by tile_id, their duplicates, and their anchors on demand: nothing but the masks is kept.
/// All functions may be called from several threads.
class CoverageSet {
 public:
  CoverageSet(std::span<const TileCoverage> coverages, const PlannerConfig& config);
  [[nodiscard]] const TileCoverage& tile(std::size_t rank) const { return coverages_[order_[rank]]; }
  [[nodiscard]] std::size_t index(std::size_t rank) const { return order_[rank]; }
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  /// Rows and columns that windows of the tile are anchored at, half-open; empty if it is smaller than a window.
  [[nodiscard]] geometry::Window anchor_box(std::size_t rank) const;
  /// Usable anchors on rows [row, row_end). `ranks` must hold every tile that has anchors there and
  /// overlaps one of `ranks`. In order of rank; tiles without anchors are left out.
  [[nodiscard]] std::vector<TileAnchors> usable(std::span<const std::size_t> ranks, std::int64_t row, std::int64_t row_end) const;
  /// Columns of a row that windows may be anchored at; nullopt = all.
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> home(std::int64_t row) const {
    return config_.home ? std::optional(config_.home(row)) : std::nullopt;
  }
  /// Duplicates of a tile that are preferred to it: more anchors, then the smaller id.
  [[nodiscard]] const std::vector<std::size_t>& preferred(std::size_t rank) const { return preferred_[rank]; }
  /// Ranks in groups whose boxes overlap, directly or through others; windows of two groups never meet.
  [[nodiscard]] std::vector<std::vector<std::size_t>> components() const;

 private:
  void find_duplicates();
  [[nodiscard]] std::vector<std::vector<std::size_t>> duplicates() const;
  [[nodiscard]] geometry::RunMask valid_anchors(std::size_t rank, std::int64_t row, std::int64_t row_end) const;
  void subtract_clouds(TileAnchors& anchors) const;

  std::span<const TileCoverage> coverages_;
  PlannerConfig config_;
  std::vector<std::size_t> order_;
  std::vector<std::vector<std::size_t>> preferred_;
  std::vector<std::int64_t> anchor_count_;  ///< of tiles with duplicates
};

}  // namespace tilewright::index
