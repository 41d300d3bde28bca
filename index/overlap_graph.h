// SPDX-License-Identifier: Apache-2.0
// Which footprints overlap, by how much ground, and what hangs together.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/footprint_overlap.h"
#include "index/rows.h"

namespace tilewright::index {

/// A tile of the graph; the polygon itself is not kept, tiles with the same outline share `shape`.
struct Footprint {
  std::string tile_id;
  std::optional<double> acquired_s;  ///< since 1970
  std::shared_ptr<const geometry::PreparedFootprint> shape;
  std::vector<geometry::Box> boxes;  ///< one, or one a side where it is split at 180 degrees
};
Footprint footprint_of(std::string tile_id, const geometry::GeoMultiPolygon& geom, const Timestamp& acquired);

/// Where the list of pairs would explode (hundreds of tiles on each place), it stays implicit.
struct GraphLimits {
  std::int64_t pairs = 10'000'000;  ///< of different outlines whose boxes touch
  std::int64_t rows = 5'000'000;    ///< overlapping pairs of tiles
};

/// Overlaps and components. Same content for any `threads` and order of tiles.
class OverlapGraph {
 public:
  /// Grid self-join over boxes, then exact areas on the ellipsoid, one for each pair of different
  /// outlines; below 1e-9 of the smaller area is none. Beyond `limits`, pairs are looked at one by
  /// one and only those kept that join two components: memory O(tiles), components as exact.
  OverlapGraph(std::vector<Footprint> tiles, int threads, const GraphLimits& limits = {});

  /// Every overlap, ordered by (tile_a, tile_b), tile_a < tile_b; not all if !is_complete().
  void each_row(const std::function<void(const OverlapRow&)>& use) const;
  [[nodiscard]] std::int64_t row_count() const { return row_count_; }
  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] std::int64_t candidate_pairs() const { return candidate_pairs_; }  ///< of different outlines, by box
  /// Tiles in order of their ids, and the component of each: 1, 2, ... by smallest tile_id.
  [[nodiscard]] std::span<const Footprint> tiles() const { return tiles_; }
  [[nodiscard]] std::span<const int> components() const { return components_; }

 private:
  struct Overlap {
    std::uint32_t a, b;  ///< outlines
    double area_m2;
  };
  void group_equal_outlines();
  bool list_candidates(int threads, std::int64_t most, std::vector<Overlap>& pairs);
  void measure(int threads, std::vector<Overlap>& pairs) const;
  void keep_what_joins(int threads);
  [[nodiscard]] std::int64_t count_rows() const;
  [[nodiscard]] bool is_overlap(const Overlap& pair) const;
  void number_components();
  [[nodiscard]] OverlapRow row(std::uint32_t a, std::uint32_t b, double area_m2) const;

  std::vector<Footprint> tiles_;
  std::vector<std::uint32_t> outline_of_;             ///< per tile
  std::vector<std::vector<std::uint32_t>> members_;   ///< per outline: its tiles
  std::vector<Overlap> overlaps_;                     ///< a < b
  std::vector<int> components_;
  std::int64_t row_count_ = 0, candidate_pairs_ = 0;
  bool complete_ = true;
};

/// Days between two timestamps, nullopt if one is missing.
std::optional<double> days_apart(const Timestamp& a, const Timestamp& b);

}  // namespace tilewright::index
