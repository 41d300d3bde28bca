// SPDX-License-Identifier: Apache-2.0
// Goes through the tiles from the best to the worst; one that equals a kept one is its duplicate.
#include "pipeline/stages/scan_duplicates.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

#include "index/self_join.h"

namespace tilewright::pipeline {
namespace {

constexpr std::int64_t kMostSecondsApart = 60;
constexpr double kLeastIou = 0.9;

/// Numbers in a version count as numbers: 5.9 is older than 5.10. Negative: a is older.
int compare_versions(const std::string& a, const std::string& b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0, j = 0;;) {
    if (i == a.size() || j == b.size()) return i < a.size() ? 1 : j < b.size() ? -1 : 0;
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return a[i] < b[j] ? -1 : 1;
      ++i;
      ++j;
      continue;
    }
    const auto number = [&](const std::string& text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const auto begin = at;
      while (at < text.size() && is_digit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const auto x = number(a, i), y = number(b, j);
    if (x.size() != y.size()) return x.size() < y.size() ? -1 : 1;
    if (x != y) return x < y ? -1 : 1;
  }
}

bool is_better(const ScannedTile& a, const ScannedTile& b) {
  if (a.valid_area_m2 != b.valid_area_m2) return a.valid_area_m2 > b.valid_area_m2;
  if (const int order = compare_versions(a.version, b.version); order != 0) return order > 0;
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

/// For each tile those with known times at most a minute apart whose boxes touch: a hundred thousand
/// chips of one second are compared with their neighbours only.
std::vector<std::vector<std::size_t>> neighbours(const std::vector<ScannedTile*>& tiles) {
  std::vector<std::pair<std::int64_t, std::size_t>> timed;
  for (std::size_t i = 0; i < tiles.size(); ++i)
    if (tiles[i]->row.time_known && tiles[i]->row.acquired) timed.emplace_back(seconds_of(*tiles[i]->row.acquired), i);
  std::sort(timed.begin(), timed.end());
  std::vector<std::vector<std::size_t>> out(tiles.size());
  for (std::size_t begin = 0, end = 0; begin < timed.size(); begin = end) {
    std::vector<geometry::Box> boxes;
    for (end = begin; end < timed.size() && (end == begin || timed[end].first - timed[end - 1].first <= kMostSecondsApart); ++end)
      boxes.push_back(geometry::bounds(tiles[timed[end].second]->row.geom));
    if (boxes.size() < 2) continue;
    for (const auto& [a, b] : index::touching_pairs(boxes)) {
      const auto &x = timed[begin + a], &y = timed[begin + b];
      if (std::abs(x.first - y.first) > kMostSecondsApart) continue;
      out[x.second].push_back(y.second);
      out[y.second].push_back(x.second);
    }
  }
  return out;
}

}  // namespace

void mark_duplicates(std::vector<ScannedTile>& tiles) {
  std::vector<ScannedTile*> order;
  for (auto& tile : tiles)
    if (tile.row.status == "ok") order.push_back(&tile);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return is_better(*a, *b); });
  const auto near = neighbours(order);
  std::map<std::string, std::size_t> by_content;
  for (std::size_t i = 0; i < order.size(); ++i) {
    auto& tile = *order[i];
    std::optional<std::size_t> same;
    if (const auto found = by_content.find(tile.content); found != by_content.end()) same = found->second;
    // The best of the kept ones: order is from the best on.
    for (const auto other : near[i])
      if (!same || (other < *same && tile.content != order[*same]->content))
        if (other < i && order[other]->row.status == "ok" && same_footprint(*order[other], tile)) same = other;
    if (!same) {
      by_content.emplace(tile.content, i);
      continue;
    }
    const auto& kept = order[*same]->row;
    reject(tile, "duplicate", index::Reason::duplicate, "the same acquisition as " + kept.path + " (" + kept.tile_id + "), which is kept");
    tile.row.duplicate_of = kept.tile_id;
  }
}

}  // namespace tilewright::pipeline
