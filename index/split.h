// SPDX-License-Identifier: Apache-2.0
// Splits without leakage: hashed blocks with a guard, or whole acquisitions or components.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "geometry/polygon.h"

namespace tilewright::index {

struct SplitAssignment {
  std::string part;                    ///< train | val | test | guard
  std::optional<int> fold;
  bool operator==(const SplitAssignment&) const = default;
};

struct SplitLocation {
  std::string location_id;
  int epsg = 0;
  geometry::Box box;                   ///< in map units of epsg
  geometry::GeoMultiPolygon geom;
  std::vector<std::string> tile_ids;   ///< tiles of its views
  std::vector<int> components;         ///< of those tiles
  std::optional<SplitAssignment> earlier;  ///< what an earlier split gave it: it stays
};

/// A square of block_m in the plane of a zone.
struct BlockKey {
  int epsg = 0;
  std::int64_t x = 0, y = 0;
  auto operator<=>(const BlockKey&) const = default;
};
using BlockParts = std::map<BlockKey, std::string>;

enum class SplitUnit { block, acquisition, component };
struct SplitConfig {
  SplitUnit unit = SplitUnit::block;
  double block_m = 1000, guard_m = 0;
  double train = 0.7, val = 0.15, test = 0.15;
  std::uint64_t seed = 0;
  int folds = 0;                       ///< > 0: also a fold 0..folds-1 per block
  BlockParts given;                    ///< of these blocks; the others are hashed
};

struct SplitReport {
  std::int64_t train = 0, val = 0, test = 0, guard = 0;
  double min_train_test_m = 0;         ///< least distance between train and test windows; inf if none
  double shared_scene_frac = 0;        ///< share of test locations with a tile that train has too
  std::int64_t overlapping_pairs = 0;  ///< train/test windows that overlap: 0 by construction
  std::int64_t torn_groups = 0;        ///< of acquisition or component: later scenes joined what was apart
};
struct Split {
  std::vector<SplitAssignment> of;     ///< parallel to the input
  SplitReport report;
};

/// Hashes block indices (or tile / component groups) with the seed: new locations never move old
/// ones. A new location of a group takes the part that the group had; where later scenes joined groups
/// of different parts, it becomes guard. Throws Error::config if the unit cannot be separated (one scene, one component) or if a
/// wanted part stays empty, naming the numbers found.
Split split_locations(std::span<const SplitLocation> locations, const SplitConfig& config);

/// What any assignment leaks, also one that was made elsewhere: least distance of train and test,
/// shared scenes, overlapping windows. `of` is parallel to `locations`.
SplitReport audit_split(std::span<const SplitLocation> locations, std::span<const SplitAssignment> of);

/// Block of a point in the plane of its zone.
struct BlockIndex {
  std::int64_t x = 0, y = 0;
};
BlockIndex block_of(geometry::MapXY point, double block_m);
/// That of a location's centre.
BlockKey block_key(const SplitLocation& location, double block_m);
/// In [0, 1), from the seed and the key alone.
double hash_of_block(const BlockKey& key, const SplitConfig& config);

/// Part of a block by its hash, exposed for tests: u in [0, 1) against the fractions.
std::string part_of_block(int epsg, std::int64_t block_x, std::int64_t block_y, const SplitConfig& config);
int fold_of_block(int epsg, std::int64_t block_x, std::int64_t block_y, const SplitConfig& config);

}  // namespace tilewright::index
