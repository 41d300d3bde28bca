// SPDX-License-Identifier: Apache-2.0
// Anchors of tiles: erosion by the window, duplicates inside a window, clouds.
#include "index/coverage.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "geometry/runs.h"
#include "index/cloudy_anchors.h"
#include "index/timestamp.h"
#include "index/union_find.h"

namespace tilewright::index {
namespace {

using geometry::RunMask;

std::int64_t top_of(const TileCoverage& tile) { return -tile.j; }

/// Clears anchors that are no multiple of `step` from the lattice's origin; bit (0, 0) lies at (col, row).
void keep_aligned(geometry::Bitmask& anchors, std::int64_t col, std::int64_t row, std::int64_t step) {
  for (std::int64_t y = 0; y < anchors.height(); ++y) {
    if ((row + y) % step != 0) {
      anchors.set_run(0, anchors.width(), y, false);
      continue;
    }
    for (std::int64_t x = 0; x < anchors.width(); ++x)
      if ((col + x) % step != 0) anchors.set(x, y, false);
  }
}

bool boxes_overlap(const TileCoverage& a, const TileCoverage& b) {
  return a.i < b.i + b.valid.width() && b.i < a.i + a.valid.width() && top_of(a) < top_of(b) + b.valid.height() && top_of(b) < top_of(a) + a.valid.height();
}

std::vector<std::size_t> order_by_id(std::span<const TileCoverage> coverages) {
  std::vector<std::size_t> order(coverages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t n) -> const std::string& { return coverages[n].tile_id; });
  return order;
}

/// Rows of `a` without those of `b`; both in columns of their own tile.
void subtract(TileAnchors& a, const TileAnchors& b) {
  RunMask left(a.usable.width());
  for (std::int64_t row = 0; row < a.usable.height(); ++row) {
    const auto other = row + a.row - b.row;
    if (other < 0 || other >= b.usable.height()) left.append_row(a.usable.row(row));
    else left.append_row(geometry::without(a.usable.row(row), geometry::moved(b.usable.row(other), b.col - a.col, 0, a.usable.width())));
  }
  a.usable = std::move(left);
}

}  // namespace

std::int64_t count_in_window(const RunMask& mask, std::int64_t col, std::int64_t row, int size_px) {
  std::int64_t count = 0;
  for (auto r = std::max<std::int64_t>(row, 0); r < std::min<std::int64_t>(row + size_px, mask.height()); ++r)
    count += geometry::overlap_px(mask.row(r), col, col + size_px);
  return count;
}

bool are_duplicates(const TileCoverage& a, const TileCoverage& b, double same_pass_s) {
  if (a.source != b.source) return false;
  if (!a.content_hash.empty() && a.content_hash == b.content_hash) return true;
  if (!a.time_known || !b.time_known || !a.acquired || !b.acquired) return false;
  const auto first = seconds_of(*a.acquired), second = seconds_of(*b.acquired);
  return first && second && std::abs(*first - *second) <= same_pass_s;
}

CoverageSet::CoverageSet(std::span<const TileCoverage> coverages, const PlannerConfig& config)
    : coverages_(coverages), config_(config), order_(order_by_id(coverages)), preferred_(order_.size()), anchor_count_(order_.size(), 0) {
  find_duplicates();
}

geometry::Window CoverageSet::anchor_box(std::size_t rank) const {
  const auto& t = tile(rank);
  return {t.i, top_of(t), t.valid.width() - config_.patch_px + 1, t.valid.height() - config_.patch_px + 1};
}

/// Per rank, the ranks of tiles that overlap it and show the same acquisition. Found through sorted
/// times and equal hashes, so that a year of scenes is not compared pair by pair.
std::vector<std::vector<std::size_t>> CoverageSet::duplicates() const {
  std::vector<std::vector<std::size_t>> found(size());
  const auto add = [&](std::size_t a, std::size_t b) {
    if (a == b || !boxes_overlap(tile(a), tile(b)) || !are_duplicates(tile(a), tile(b), config_.same_pass_s)) return;
    found[a].push_back(b);
    found[b].push_back(a);
  };
  std::map<std::string, std::vector<std::size_t>> by_hash;
  std::vector<std::pair<double, std::size_t>> by_time;
  for (std::size_t rank = 0; rank < size(); ++rank) {
    if (!tile(rank).content_hash.empty()) by_hash[tile(rank).content_hash].push_back(rank);
    const auto seconds = tile(rank).time_known && tile(rank).acquired ? seconds_of(*tile(rank).acquired) : std::nullopt;
    if (seconds) by_time.emplace_back(*seconds, rank);
  }
  std::sort(by_time.begin(), by_time.end());
  for (std::size_t n = 0; n < by_time.size(); ++n)
    for (auto k = n + 1; k < by_time.size() && by_time[k].first - by_time[n].first <= config_.same_pass_s; ++k)
      add(by_time[n].second, by_time[k].second);
  for (const auto& [hash, ranks] : by_hash)
    for (std::size_t n = 0; n < ranks.size(); ++n)
      for (auto k = n + 1; k < ranks.size(); ++k) add(ranks[n], ranks[k]);
  for (auto& ranks : found) {
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  }
  return found;
}

/// A tile gives up the windows that a preferred duplicate keeps: what is left has no duplicates in
/// any window.
void CoverageSet::find_duplicates() {
  const auto others = duplicates();
  tbb::parallel_for(std::size_t{0}, size(), [&](std::size_t rank) {
    if (others[rank].empty()) return;
    const auto box = anchor_box(rank);
    anchor_count_[rank] = valid_anchors(rank, box.row, box.row + box.height).count();
  });
  const auto is_preferred = [&](std::size_t a, std::size_t b) {
    return anchor_count_[a] != anchor_count_[b] ? anchor_count_[a] > anchor_count_[b] : a < b;
  };
  for (std::size_t rank = 0; rank < size(); ++rank)
    for (const auto other : others[rank])
      if (is_preferred(other, rank)) preferred_[rank].push_back(other);
  for (auto& ranks : preferred_) std::ranges::sort(ranks, is_preferred);
}

/// F on rows [row, row_end) of the lattice, cut to the tile; row 0 is the first of them.
RunMask CoverageSet::valid_anchors(std::size_t rank, std::int64_t row, std::int64_t row_end) const {
  const auto box = anchor_box(rank);
  const auto begin = std::max(row, box.row) - box.row, end = std::min(row_end, box.row + box.height) - box.row;
  if (box.empty() || begin >= end) return {};
  auto anchors = geometry::window_anchors(tile(rank).valid.bits(begin, end + config_.patch_px - 1), config_.patch_px);
  if (config_.anchor_step > 1) keep_aligned(anchors, tile(rank).i, box.row + begin, config_.anchor_step);
  return RunMask::from(anchors);
}

void CoverageSet::subtract_clouds(TileAnchors& anchors) const {
  const auto& t = tile(anchors.rank);
  if (!t.cloud || anchors.usable.empty()) return;
  const auto begin = anchors.row - top_of(t);
  const auto cloudy = too_cloudy_anchors(*t.cloud, begin, begin + anchors.usable.height(), config_.patch_px, config_.max_cloud_frac);
  if (cloudy.empty()) return;
  RunMask left(anchors.usable.width());
  for (std::int64_t row = 0; row < anchors.usable.height(); ++row) left.append_row(geometry::without(anchors.usable.row(row), cloudy.row(row)));
  anchors.usable = std::move(left);
}

std::vector<TileAnchors> CoverageSet::usable(std::span<const std::size_t> ranks, std::int64_t row, std::int64_t row_end) const {
  std::vector<TileAnchors> found;
  for (const auto rank : ranks) {
    auto anchors = valid_anchors(rank, row, row_end);
    if (!anchors.empty()) found.push_back({rank, tile(rank).i, std::max(row, top_of(tile(rank))), std::move(anchors)});
  }
  std::ranges::sort(found, {}, &TileAnchors::rank);
  // Preferred tiles first: what they keep is known before others ask for it.
  std::vector<std::size_t> by_preference(found.size());
  std::iota(by_preference.begin(), by_preference.end(), std::size_t{0});
  std::ranges::stable_sort(by_preference, [&](auto a, auto b) { return anchor_count_[found[a].rank] > anchor_count_[found[b].rank]; });
  for (const auto n : by_preference)
    for (const auto other : preferred_[found[n].rank]) {
      const auto at = std::ranges::lower_bound(found, other, {}, &TileAnchors::rank);
      if (at != found.end() && at->rank == other) subtract(found[n], *at);
    }
  for (auto& anchors : found) subtract_clouds(anchors);
  return found;
}

std::vector<std::vector<std::size_t>> CoverageSet::components() const {
  std::vector<std::size_t> by_row(size());
  std::iota(by_row.begin(), by_row.end(), std::size_t{0});
  std::ranges::stable_sort(by_row, {}, [&](auto rank) { return top_of(tile(rank)); });
  UnionFind sets(size());
  std::vector<std::size_t> open;
  for (const auto rank : by_row) {
    std::erase_if(open, [&](auto other) { return top_of(tile(other)) + tile(other).valid.height() <= top_of(tile(rank)); });
    for (const auto other : open)
      if (boxes_overlap(tile(rank), tile(other))) sets.join(rank, other);
    open.push_back(rank);
  }
  std::map<std::size_t, std::size_t> number_of;
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t rank = 0; rank < size(); ++rank) {
    const auto [at, is_new] = number_of.try_emplace(sets.root(rank), groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(rank);
  }
  return groups;
}

}  // namespace tilewright::index
