// SPDX-License-Identifier: Apache-2.0
// Parts by hashed blocks with a guard, or by whole acquisitions or components.
#include "index/split.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "index/location_pairs.h"
#include "index/shard/sha256.h"
#include "index/union_find.h"

namespace tilewright::index {
namespace {

constexpr double kNeighbour_deg = 0.5;  ///< windows farther from a zone's locations do not meet its blocks

/// First 53 bits of a hash as a number in [0, 1).
double unit_of(const std::string& text) {
  shard::Sha256 hash;
  hash.update(text);
  const auto digest = hash.finish();
  std::uint64_t bits = 0;
  for (std::size_t n = 0; n < 8; ++n) bits = bits << 8 | static_cast<std::uint64_t>(digest[n]);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

/// Cuts [0, 1) at the fractions; what rounding leaves over belongs to the last wanted part.
std::string part_of(double u, const SplitConfig& config) {
  if (u < config.train || (config.val <= 0 && config.test <= 0)) return "train";
  if (u < config.train + config.val || config.test <= 0) return "val";
  return "test";
}

int fold_of(double u, int folds) { return std::min(static_cast<int>(u * folds), folds - 1); }

std::string block_text(int epsg, std::int64_t x, std::int64_t y, std::uint64_t seed) {
  return std::to_string(seed) + "/" + std::to_string(epsg) + "/" + std::to_string(x) + "/" + std::to_string(y);
}

geometry::MapXY centre(const geometry::Box& box) { return {(box.min_x + box.max_x) / 2, (box.min_y + box.max_y) / 2}; }

/// Parts of blocks: given ones, and hashes, each made once.
class Blocks {
 public:
  explicit Blocks(const SplitConfig& config) : config_(config), parts_(config.given) {}

  const std::string& part(int epsg, BlockIndex block) {
    const BlockKey key{epsg, block.x, block.y};
    auto found = parts_.find(key);
    if (found == parts_.end()) found = parts_.emplace(key, part_of_block(epsg, block.x, block.y, config_)).first;
    return found->second;
  }

  /// True if a block of another part than `part` is nearer to `box` than half the guard.
  bool is_near_other(int epsg, const geometry::Box& box, const std::string& part) {
    const double reach = config_.guard_m / 2, size = config_.block_m;
    const auto low = block_of({box.min_x - reach, box.min_y - reach}, size), high = block_of({box.max_x + reach, box.max_y + reach}, size);
    for (auto y = low.y; y <= high.y; ++y) {
      for (auto x = low.x; x <= high.x; ++x) {
        const geometry::Box block{static_cast<double>(x) * size, static_cast<double>(y) * size, static_cast<double>(x + 1) * size,
                                  static_cast<double>(y + 1) * size};
        if (distance(box, block) < reach && this->part(epsg, {x, y}) != part) return true;
      }
    }
    return false;
  }

 private:
  const SplitConfig& config_;
  BlockParts parts_;
};

/// Degrees box of the locations of each zone: says which windows must look at a second zone.
std::map<int, geometry::Box> zones_of(std::span<const SplitLocation> locations) {
  std::map<int, geometry::Box> zones;
  for (const auto& location : locations) {
    const auto box = geometry::bounds(location.geom);
    auto& zone = zones.try_emplace(location.epsg, box).first->second;
    zone = {std::min(zone.min_x, box.min_x), std::min(zone.min_y, box.min_y), std::max(zone.max_x, box.max_x), std::max(zone.max_y, box.max_y)};
  }
  return zones;
}

std::vector<SplitAssignment> by_block(std::span<const SplitLocation> locations, const SplitConfig& config) {
  Blocks blocks(config);
  const auto zones = zones_of(locations);
  std::vector<SplitAssignment> of;
  for (const auto& location : locations) {
    const auto block = block_of(centre(location.box), config.block_m);
    auto& assignment = of.emplace_back();
    assignment.part = blocks.part(location.epsg, block);
    if (config.folds > 0) assignment.fold = fold_of_block(location.epsg, block.x, block.y, config);
    bool guarded = blocks.is_near_other(location.epsg, location.box, assignment.part);
    for (const auto& [epsg, area] : zones) {
      if (guarded || epsg == location.epsg || distance(area, geometry::bounds(location.geom)) > kNeighbour_deg) continue;
      const auto box = box_in_zone(location, epsg);
      guarded = !box.empty() && blocks.is_near_other(epsg, box, assignment.part);
    }
    if (guarded) assignment.part = "guard";
    if (location.earlier) assignment = *location.earlier;
  }
  // Without a guard, windows that overlap can lie in blocks of two parts: the later id steps back.
  for (const auto& [a, b] : overlapping_locations(locations)) {
    if (of[a].part == of[b].part || of[a].part == "guard" || of[b].part == "guard") continue;
    const bool first_steps_back = locations[a].earlier.has_value() == locations[b].earlier.has_value()
                                      ? locations[a].location_id > locations[b].location_id
                                      : !locations[a].earlier;
    of[first_steps_back ? a : b].part = "guard";
  }
  return of;
}

/// Sets of locations that share a tile (or a component), or overlap.
UnionFind groups_of(std::span<const SplitLocation> locations, SplitUnit unit) {
  UnionFind sets(locations.size());
  std::map<std::string, std::size_t> first_of_tile;
  std::map<int, std::size_t> first_of_component;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    for (const auto& tile : locations[n].tile_ids) sets.join(n, first_of_tile.try_emplace(tile, n).first->second);
    if (unit != SplitUnit::component) continue;
    for (const int component : locations[n].components) sets.join(n, first_of_component.try_emplace(component, n).first->second);
  }
  for (const auto& [a, b] : overlapping_locations(locations)) sets.join(a, b);
  return sets;
}

/// What earlier members of a group have, guards aside.
struct EarlierParts {
  std::map<std::size_t, std::map<std::string, std::optional<int>>> of_root;  ///< part and the fold of its first member

  EarlierParts(std::span<const SplitLocation> locations, UnionFind& sets) {
    for (std::size_t n = 0; n < locations.size(); ++n)
      if (const auto& earlier = locations[n].earlier; earlier && earlier->part != "guard") of_root[sets.root(n)].try_emplace(earlier->part, earlier->fold);
  }
  [[nodiscard]] std::int64_t torn() const {
    return std::ranges::count_if(of_root, [](const auto& entry) { return entry.second.size() > 1; });
  }
};

std::vector<SplitAssignment> by_group(std::span<const SplitLocation> locations, const SplitConfig& config, std::int64_t& torn_groups) {
  auto sets = groups_of(locations, config.unit);
  std::map<std::size_t, std::string> smallest_tile;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    for (const auto& tile : locations[n].tile_ids) {
      auto& smallest = smallest_tile.try_emplace(sets.root(n), tile).first->second;
      smallest = std::min(smallest, tile);
    }
  }
  const EarlierParts earlier(locations, sets);
  torn_groups = earlier.torn();
  const std::string name = config.unit == SplitUnit::acquisition ? "acquisition" : "component";
  const int wanted = (config.train > 0) + (config.val > 0) + (config.test > 0);
  if (wanted > 1 && smallest_tile.size() < 2 && torn_groups == 0)
    throw Error::config("split.unit: " + name + ": all " + std::to_string(locations.size()) +
                        " locations hang together through shared scenes or overlaps (1 group), so nothing can be separated; use unit: block, or more scenes");
  std::vector<SplitAssignment> of;
  for (std::size_t n = 0; n < locations.size(); ++n) {
    const auto text = std::to_string(config.seed) + "/" + name + "/" + smallest_tile[sets.root(n)];
    auto& assignment = of.emplace_back();
    assignment.part = part_of(unit_of(text), config);
    if (config.folds > 0) assignment.fold = fold_of(unit_of(text + "/fold"), config.folds);
    if (const auto parts = earlier.of_root.find(sets.root(n)); parts != earlier.of_root.end()) {
      const auto& [part, fold] = *parts->second.begin();
      assignment = parts->second.size() == 1 ? SplitAssignment{part, fold} : SplitAssignment{"guard", assignment.fold};
    }
    if (locations[n].earlier) assignment = *locations[n].earlier;
  }
  return of;
}

/// Independent draws need not hit every part: say so instead of training without it.
void check_parts(const SplitReport& report, const SplitConfig& config, std::size_t locations) {
  struct Part {
    const char* name;
    double fraction;
    std::int64_t count;
  };
  std::string empty;
  for (const Part& part : {Part{"train", config.train, report.train}, {"val", config.val, report.val}, {"test", config.test, report.test}})
    if (part.fraction > 0 && part.count == 0) empty += (empty.empty() ? "" : " and ") + std::string(part.name);
  if (empty.empty()) return;
  throw Error::failed("split: no location is left for " + empty + ": of " + std::to_string(locations) + " locations " + std::to_string(report.train) +
                      " are train, " + std::to_string(report.val) + " val, " + std::to_string(report.test) + " test, " +
                      std::to_string(report.guard) + " guard; use a smaller block_m or guard_m, or another seed");
}

}  // namespace

BlockIndex block_of(geometry::MapXY point, double block_m) {
  return {static_cast<std::int64_t>(std::floor(point.x / block_m)), static_cast<std::int64_t>(std::floor(point.y / block_m))};
}

BlockKey block_key(const SplitLocation& location, double block_m) {
  const auto block = block_of(centre(location.box), block_m);
  return {location.epsg, block.x, block.y};
}

double hash_of_block(const BlockKey& key, const SplitConfig& config) { return unit_of(block_text(key.epsg, key.x, key.y, config.seed)); }

std::string part_of_block(int epsg, std::int64_t block_x, std::int64_t block_y, const SplitConfig& config) {
  return part_of(hash_of_block({epsg, block_x, block_y}, config), config);
}

int fold_of_block(int epsg, std::int64_t block_x, std::int64_t block_y, const SplitConfig& config) {
  return fold_of(unit_of(block_text(epsg, block_x, block_y, config.seed) + "/fold"), config.folds);
}

SplitReport audit_split(std::span<const SplitLocation> locations, std::span<const SplitAssignment> of) {
  SplitReport report;
  std::vector<std::size_t> train, test;
  std::set<std::string> train_tiles;
  for (std::size_t n = 0; n < of.size(); ++n) {
    const auto& part = of[n].part;
    ++(part == "train" ? report.train : part == "val" ? report.val : part == "test" ? report.test : report.guard);
    if (part == "test") test.push_back(n);
    if (part != "train") continue;
    train.push_back(n);
    train_tiles.insert(locations[n].tile_ids.begin(), locations[n].tile_ids.end());
  }
  const auto shares = std::ranges::count_if(test, [&](std::size_t n) {
    return std::ranges::any_of(locations[n].tile_ids, [&](const auto& tile) { return train_tiles.contains(tile); });
  });
  report.shared_scene_frac = test.empty() ? 0 : static_cast<double>(shares) / static_cast<double>(test.size());
  report.min_train_test_m = least_distance(locations, test, train);
  const auto separated = [&](const auto& pair) {
    const auto &a = of[pair.first].part, &b = of[pair.second].part;
    return (a == "train" && b == "test") || (a == "test" && b == "train");
  };
  report.overlapping_pairs = std::ranges::count_if(overlapping_locations(locations), separated);
  return report;
}

Split split_locations(std::span<const SplitLocation> locations, const SplitConfig& config) {
  Split split;
  std::int64_t torn_groups = 0;
  split.of = config.unit == SplitUnit::block ? by_block(locations, config) : by_group(locations, config, torn_groups);
  split.report = audit_split(locations, split.of);
  split.report.torn_groups = torn_groups;
  check_parts(split.report, config, locations.size());
  return split;
}

}  // namespace tilewright::index
