// SPDX-License-Identifier: Apache-2.0
// Goes through the tiles from the best to the worst; one that equals a kept one is its duplicate.
#include "pipeline/stages/scan_duplicates.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>

namespace tilewright::pipeline {
namespace {

constexpr std::int64_t kMostSecondsApart = 60;
constexpr double kLeastIou = 0.9;

bool is_better(const ScannedTile& a, const ScannedTile& b) {
  if (a.valid_area_m2 != b.valid_area_m2) return a.valid_area_m2 > b.valid_area_m2;
  if (a.version != b.version) return a.version > b.version;
  return a.row.tile_id < b.row.tile_id;
}

double iou(const ScannedTile& a, const ScannedTile& b) {
  const double shared = geometry::geodesic_area_m2(geometry::intersection(a.row.geom, b.row.geom));
  const double all = a.valid_area_m2 + b.valid_area_m2 - shared;
  return all > 0 ? shared / all : 0;
}

/// A ratio of areas below the limit makes the intersection unnecessary.
bool same_footprint(const ScannedTile& a, const ScannedTile& b) {
  const auto [low, high] = std::minmax(a.valid_area_m2, b.valid_area_m2);
  return high > 0 && low / high >= kLeastIou && iou(a, b) >= kLeastIou;
}

/// Kept tiles by content and by time.
class Kept {
 public:
  [[nodiscard]] const ScannedTile* equal_to(const ScannedTile& tile) const {
    if (const auto found = by_content_.find(tile.content); found != by_content_.end()) return found->second;
    if (!tile.row.time_known || !tile.row.acquired) return nullptr;
    const auto at = seconds_of(*tile.row.acquired);
    const ScannedTile* best = nullptr;
    for (auto it = by_time_.lower_bound(at - kMostSecondsApart); it != by_time_.end() && it->first <= at + kMostSecondsApart; ++it)
      if ((!best || is_better(*it->second, *best)) && same_footprint(*it->second, tile)) best = it->second;
    return best;
  }
  void add(const ScannedTile& tile) {
    by_content_.emplace(tile.content, &tile);
    if (tile.row.time_known && tile.row.acquired) by_time_.emplace(seconds_of(*tile.row.acquired), &tile);
  }

 private:
  std::map<std::string, const ScannedTile*> by_content_;
  std::multimap<std::int64_t, const ScannedTile*> by_time_;
};

}  // namespace

void mark_duplicates(std::vector<ScannedTile>& tiles) {
  std::vector<ScannedTile*> order;
  for (auto& tile : tiles)
    if (tile.row.status == "ok") order.push_back(&tile);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return is_better(*a, *b); });
  Kept kept;
  for (auto* tile : order) {
    const auto* same = kept.equal_to(*tile);
    if (!same) {
      kept.add(*tile);
      continue;
    }
    reject(*tile, "duplicate", index::Reason::duplicate, "the same acquisition as " + same->row.path + " (" + same->row.tile_id + "), which is kept");
    tile->row.duplicate_of = same->row.tile_id;
  }
}

}  // namespace tilewright::pipeline
