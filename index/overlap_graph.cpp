// SPDX-License-Identifier: Apache-2.0
// Exact overlaps of footprints and their connected components.
#include "index/overlap_graph.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "index/in_parallel.h"
#include "index/self_join.h"
#include "index/timestamp.h"
#include "index/union_find.h"

namespace tilewright::index {
namespace {

constexpr double kLeastShare = 1e-9;  ///< of the smaller footprint: less is touching
constexpr std::size_t kPairsPerTask = 512;

/// One box, or one for the parts on each side of a geometry that is split at 180 degrees: the many
/// parts of a speckled outline are not worth a box each.
std::vector<geometry::Box> boxes_of(const geometry::GeoMultiPolygon& geom) {
  geometry::Box west, east;
  const auto extend = [](geometry::Box& box, const geometry::Box& part) {
    box = box.empty() ? part
                      : geometry::Box{std::min(box.min_x, part.min_x), std::min(box.min_y, part.min_y), std::max(box.max_x, part.max_x),
                                      std::max(box.max_y, part.max_y)};
  };
  for (const auto& polygon : geom) {
    const auto part = geometry::bounds(geometry::GeoMultiPolygon{polygon});
    if (!part.empty()) extend(part.min_x + part.max_x < 0 ? west : east, part);
  }
  if (!west.empty() && !east.empty()) {
    if (east.max_x - west.min_x > 180) return {west, east};
    extend(east, west);
  }
  const geometry::Box& all = east.empty() ? west : east;
  return all.empty() ? std::vector<geometry::Box>{} : std::vector{all};
}

}  // namespace

Footprint footprint_of(std::string tile_id, const geometry::GeoMultiPolygon& geom, const Timestamp& acquired) {
  std::optional<double> seconds;
  if (acquired)
    if (const auto known = seconds_of(*acquired)) seconds = static_cast<double>(*known);
  return {std::move(tile_id), seconds, std::make_shared<geometry::PreparedFootprint>(geom), boxes_of(geom)};
}

OverlapGraph::OverlapGraph(std::vector<Footprint> tiles, int threads, const GraphLimits& limits) : tiles_(std::move(tiles)) {
  std::ranges::sort(tiles_, {}, &Footprint::tile_id);
  group_equal_outlines();
  complete_ = list_candidates(threads, limits.pairs, overlaps_);
  if (complete_) {
    measure(threads, overlaps_);
    row_count_ = count_rows();
    complete_ = row_count_ <= limits.rows;
  }
  if (!complete_) {
    keep_what_joins(threads);
    row_count_ = count_rows();
  }
  number_components();
}

/// Outlines are numbered by their first tile.
void OverlapGraph::group_equal_outlines() {
  std::unordered_multimap<std::size_t, std::uint32_t> by_hash;
  outline_of_.resize(tiles_.size());
  for (std::uint32_t n = 0; n < tiles_.size(); ++n) {
    const auto hash = tiles_[n].shape->hash();
    auto [at, end] = by_hash.equal_range(hash);
    while (at != end && !(*tiles_[members_[at->second][0]].shape == *tiles_[n].shape)) ++at;
    if (at == end) {
      at = by_hash.emplace(hash, static_cast<std::uint32_t>(members_.size()));
      members_.emplace_back();
    }
    outline_of_[n] = at->second;
    members_[at->second].push_back(n);
    tiles_[n].shape = tiles_[members_[at->second][0]].shape;
  }
}

/// Calls `use(a, b)` with outlines a < b whose boxes touch; twice at most for those split at 180.
template <class F>
void each_candidate(const std::vector<Footprint>& tiles, const std::vector<std::vector<std::uint32_t>>& members, int threads, const F& use) {
  std::vector<geometry::Box> boxes;
  std::vector<std::uint32_t> outline_of_box;
  for (std::uint32_t outline = 0; outline < members.size(); ++outline) {
    for (const auto& box : tiles[members[outline][0]].boxes) {
      boxes.push_back(box);
      outline_of_box.push_back(outline);
    }
  }
  SelfJoin(threads).each_run(boxes, [&](const TouchingRun& run) {
    std::uint32_t p = 0;
    for (std::size_t k = 0; k < run.box.size(); ++k) {
      for (; p < run.end[k]; ++p) {
        const auto [a, b] = std::minmax(outline_of_box[run.box[k]], outline_of_box[run.partner[p]]);
        if (a != b) use(a, b);
      }
    }
  });
}

/// False if there are more than `most`; then `pairs` is empty.
bool OverlapGraph::list_candidates(int threads, std::int64_t most, std::vector<Overlap>& pairs) {
  candidate_pairs_ = 0;
  each_candidate(tiles_, members_, threads, [&](std::uint32_t a, std::uint32_t b) {
    if (++candidate_pairs_ <= most) pairs.push_back({a, b, 0});
  });
  if (candidate_pairs_ > most) {
    std::vector<Overlap>().swap(pairs);
    return false;
  }
  const auto key = [](const Overlap& o) { return std::pair(o.a, o.b); };
  std::ranges::sort(pairs, {}, key);
  pairs.erase(std::ranges::unique(pairs, {}, key).begin(), pairs.end());
  candidate_pairs_ = static_cast<std::int64_t>(pairs.size());
  return true;
}

bool OverlapGraph::is_overlap(const Overlap& pair) const {
  const double a = tiles_[members_[pair.a][0]].shape->area(), b = tiles_[members_[pair.b][0]].shape->area();
  return pair.area_m2 > kLeastShare * std::min(a, b);
}

void OverlapGraph::measure(int threads, std::vector<Overlap>& pairs) const {
  in_parallel(threads, (pairs.size() + kPairsPerTask - 1) / kPairsPerTask, [&](std::size_t task) {
    for (std::size_t n = task * kPairsPerTask; n < std::min(pairs.size(), (task + 1) * kPairsPerTask); ++n)
      pairs[n].area_m2 = geometry::overlap_area(*tiles_[members_[pairs[n].a][0]].shape, *tiles_[members_[pairs[n].b][0]].shape);
  });
  std::erase_if(pairs, [&](const Overlap& pair) { return !is_overlap(pair); });
}

/// Without a list: a pair is measured only if its outlines are not yet known to hang together.
void OverlapGraph::keep_what_joins(int threads) {
  overlaps_.clear();
  UnionFind sets(members_.size());
  each_candidate(tiles_, members_, threads, [&](std::uint32_t a, std::uint32_t b) {
    if (sets.root(a) == sets.root(b)) return;
    const Overlap pair{a, b, geometry::overlap_area(*tiles_[members_[a][0]].shape, *tiles_[members_[b][0]].shape)};
    if (!is_overlap(pair)) return;
    sets.join(a, b);
    overlaps_.push_back(pair);
  });
  std::ranges::sort(overlaps_, {}, [](const Overlap& o) { return std::pair(o.a, o.b); });
}

std::int64_t OverlapGraph::count_rows() const {
  const auto size = [&](std::uint32_t outline) { return static_cast<std::int64_t>(members_[outline].size()); };
  std::int64_t rows = 0;
  for (const auto& pair : overlaps_) rows += complete_ ? size(pair.a) * size(pair.b) : 1;
  for (std::uint32_t outline = 0; outline < members_.size(); ++outline) {
    if (!(tiles_[members_[outline][0]].shape->area() > 0)) continue;
    rows += complete_ ? size(outline) * (size(outline) - 1) / 2 : size(outline) - 1;
  }
  return rows;
}

void OverlapGraph::number_components() {
  UnionFind sets(tiles_.size());
  for (const auto& pair : overlaps_) sets.join(members_[pair.a][0], members_[pair.b][0]);
  for (const auto& tiles : members_)
    if (tiles_[tiles[0]].shape->area() > 0)
      for (const auto tile : tiles) sets.join(tiles[0], tile);
  components_.assign(tiles_.size(), 0);
  std::vector<int> number_of_root(tiles_.size(), 0);
  int components = 0;
  for (std::size_t n = 0; n < tiles_.size(); ++n) {
    auto& number = number_of_root[sets.root(n)];
    if (number == 0) number = ++components;
    components_[n] = number;
  }
}

OverlapRow OverlapGraph::row(std::uint32_t a, std::uint32_t b, double area_m2) const {
  const Footprint &first = tiles_[a], &second = tiles_[b];
  std::optional<double> days;
  if (first.acquired_s && second.acquired_s) days = std::abs(*second.acquired_s - *first.acquired_s) / 86400.0;
  return {first.tile_id, second.tile_id, area_m2, std::min(1.0, area_m2 / first.shape->area()), std::min(1.0, area_m2 / second.shape->area()), days};
}

void OverlapGraph::each_row(const std::function<void(const OverlapRow&)>& use) const {
  std::vector<std::vector<std::pair<std::uint32_t, double>>> reached(members_.size());  // both ways
  for (const auto& pair : overlaps_) {
    reached[pair.a].emplace_back(pair.b, pair.area_m2);
    reached[pair.b].emplace_back(pair.a, pair.area_m2);
  }
  std::vector<std::pair<std::uint32_t, double>> partners;  // tile, area
  const auto add_members = [&](std::uint32_t tile, std::uint32_t outline, double area_m2) {
    const auto& members = members_[outline];
    if (complete_) {
      for (auto at = std::ranges::upper_bound(members, tile); at != members.end(); ++at) partners.emplace_back(*at, area_m2);
    } else if (members[0] > tile) {
      partners.emplace_back(members[0], area_m2);
    }
  };
  for (std::uint32_t tile = 0; tile < tiles_.size(); ++tile) {
    const std::uint32_t own = outline_of_[tile];
    const bool is_first = members_[own][0] == tile;
    const double own_area = tiles_[tile].shape->area();
    partners.clear();
    if (complete_ || is_first)
      for (const auto& [outline, area_m2] : reached[own]) add_members(tile, outline, area_m2);
    if (own_area > 0 && (complete_ || is_first))
      for (auto at = std::ranges::upper_bound(members_[own], tile); at != members_[own].end(); ++at) partners.emplace_back(*at, own_area);
    std::ranges::sort(partners);
    for (const auto& [other, area_m2] : partners) use(row(tile, other, area_m2));
  }
}

std::optional<double> days_apart(const Timestamp& a, const Timestamp& b) {
  if (!a || !b) return std::nullopt;
  const auto first = seconds_of(*a), second = seconds_of(*b);
  if (!first || !second) return std::nullopt;
  return std::abs(*second - *first) / 86400.0;
}

}  // namespace tilewright::index
