// SPDX-License-Identifier: Apache-2.0
// Exact overlaps of footprints and their connected components.
#include "index/overlap_graph.h"

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "index/timestamp.h"
#include "index/union_find.h"

namespace tilewright::index {
namespace {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

constexpr double kLeastShare = 1e-9;  ///< of the smaller footprint: less is touching

/// Indices of the input in order of tile_id: all work below is on ranks in this order.
std::vector<std::size_t> order_by_id(std::span<const Footprint> footprints) {
  std::vector<std::size_t> order(footprints.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t n) -> const std::string& { return footprints[n].tile_id; });
  return order;
}

/// Pairs of ranks of which two parts have touching boxes.
std::vector<Pair> candidate_pairs(std::span<const Footprint> footprints, const std::vector<std::size_t>& order) {
  std::vector<geometry::Box> boxes;
  std::vector<std::uint32_t> rank_of;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    for (const auto& part : footprints[order[rank]].geom) {
      boxes.push_back(geometry::bounds(geometry::GeoMultiPolygon{part}));
      rank_of.push_back(static_cast<std::uint32_t>(rank));
    }
  }
  std::vector<Pair> pairs;
  for (const auto& [a, b] : touching_pairs(boxes))
    if (rank_of[a] != rank_of[b]) pairs.emplace_back(std::min(rank_of[a], rank_of[b]), std::max(rank_of[a], rank_of[b]));
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  return pairs;
}

/// Calls `work(n)` for 0..count-1 on `threads` threads; each writes only its own result.
template <class F>
void in_parallel(int threads, std::size_t count, const F& work) {
  tbb::task_arena arena(std::max(threads, 1));
  arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count, 4), [&](const auto& range) {
      for (auto n = range.begin(); n != range.end(); ++n) work(n);
    });
  });
}

OverlapRow edge_between(const Footprint& a, const Footprint& b, double overlap_m2, double area_a_m2, double area_b_m2) {
  return {a.tile_id, b.tile_id, overlap_m2, std::min(1.0, overlap_m2 / area_a_m2), std::min(1.0, overlap_m2 / area_b_m2),
          days_apart(a.acquired, b.acquired)};
}

}  // namespace

OverlapGraph build_overlap_graph(std::span<const Footprint> footprints, int threads) {
  const auto order = order_by_id(footprints);
  const auto pairs = candidate_pairs(footprints, order);
  std::vector<double> area_m2(order.size()), overlap_m2(pairs.size());
  in_parallel(threads, order.size(), [&](std::size_t rank) { area_m2[rank] = geometry::geodesic_area_m2(footprints[order[rank]].geom); });
  in_parallel(threads, pairs.size(), [&](std::size_t n) {
    const auto [a, b] = pairs[n];
    overlap_m2[n] = geometry::geodesic_area_m2(geometry::intersection(footprints[order[a]].geom, footprints[order[b]].geom));
  });

  OverlapGraph graph;
  graph.candidate_pairs = static_cast<std::int64_t>(pairs.size());
  UnionFind sets(order.size());
  for (std::size_t n = 0; n < pairs.size(); ++n) {
    const auto [a, b] = pairs[n];
    if (!(overlap_m2[n] > kLeastShare * std::min(area_m2[a], area_m2[b]))) continue;
    graph.edges.push_back(edge_between(footprints[order[a]], footprints[order[b]], overlap_m2[n], area_m2[a], area_m2[b]));
    sets.join(a, b);
  }
  graph.component_of.assign(order.size(), 0);
  std::vector<int> number_of_root(order.size(), 0);
  int components = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    auto& number = number_of_root[sets.root(rank)];
    if (number == 0) number = ++components;
    graph.component_of[order[rank]] = number;
  }
  return graph;
}

std::optional<double> days_apart(const Timestamp& a, const Timestamp& b) {
  if (!a || !b) return std::nullopt;
  const auto first = seconds_of(*a), second = seconds_of(*b);
  if (!first || !second) return std::nullopt;
  return std::abs(*second - *first) / 86400.0;
}

}  // namespace tilewright::index
