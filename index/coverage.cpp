// SPDX-License-Identifier: Apache-2.0
// Anchors of tiles: erosion by the window, duplicates inside a window, clouds.
#include "index/coverage.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "index/timestamp.h"

namespace tilewright::index {
namespace {

using geometry::Bitmask;

/// a without b, where b's bit (0, 0) lies at (dx, dy) of a.
void subtract(Bitmask& a, const Bitmask& b, std::int64_t dx, std::int64_t dy) {
  for (std::int64_t row = 0; row < b.height(); ++row) {
    if (row + dy < 0 || row + dy >= a.height()) continue;
    const auto* words = b.row_words(row);
    for (std::int64_t w = 0; w < b.words_per_row(); ++w) {
      for (auto word = words[w]; word != 0; word &= word - 1) {
        const auto col = w * 64 + std::countr_zero(word) + dx;
        if (col >= 0 && col < a.width()) a.set(col, row + dy, false);
      }
    }
  }
}

bool boxes_overlap(const TileCoverage& a, const TileCoverage& b) {
  return a.i < b.i + b.valid.width() && b.i < a.i + a.valid.width() && -a.j < -b.j + b.valid.height() && -b.j < -a.j + a.valid.height();
}

}  // namespace

Bitmask too_cloudy_anchors(const Bitmask& cloud, int size_px, double max_frac) {
  if (cloud.width() < size_px || cloud.height() < size_px) return {};
  Bitmask anchors(cloud.width() - size_px + 1, cloud.height() - size_px + 1);
  std::vector<std::int64_t> in_column(static_cast<std::size_t>(cloud.width()), 0);
  const auto add_row = [&](std::int64_t row, int sign) {
    for (std::int64_t col = 0; col < cloud.width(); ++col)
      if (cloud.get(col, row)) in_column[static_cast<std::size_t>(col)] += sign;
  };
  const double area = static_cast<double>(size_px) * size_px;
  for (std::int64_t row = 0; row < size_px - 1; ++row) add_row(row, 1);
  for (std::int64_t row = 0; row < anchors.height(); ++row) {
    add_row(row + size_px - 1, 1);
    std::int64_t cloudy = 0;
    for (std::int64_t col = 0; col < size_px - 1; ++col) cloudy += in_column[static_cast<std::size_t>(col)];
    for (std::int64_t col = 0; col < anchors.width(); ++col) {
      cloudy += in_column[static_cast<std::size_t>(col + size_px - 1)];
      if (static_cast<double>(cloudy) / area > max_frac) anchors.set(col, row, true);
      cloudy -= in_column[static_cast<std::size_t>(col)];
    }
    add_row(row, -1);
  }
  return anchors;
}

std::int64_t count_in_window(const Bitmask& mask, std::int64_t col, std::int64_t row, int size_px) {
  const auto col_begin = std::max<std::int64_t>(col, 0), col_end = std::min<std::int64_t>(col + size_px, mask.width());
  const auto row_begin = std::max<std::int64_t>(row, 0), row_end = std::min<std::int64_t>(row + size_px, mask.height());
  if (col_begin >= col_end) return 0;
  const auto first = col_begin >> 6, last = (col_end - 1) >> 6;
  const auto head = ~std::uint64_t{0} << (col_begin & 63), tail = ~std::uint64_t{0} >> (63 - ((col_end - 1) & 63));
  std::int64_t count = 0;
  for (auto r = row_begin; r < row_end; ++r) {
    const auto* words = mask.row_words(r);
    for (auto w = first; w <= last; ++w) {
      auto word = words[w];
      if (w == first) word &= head;
      if (w == last) word &= tail;
      count += std::popcount(word);
    }
  }
  return count;
}

bool are_duplicates(const TileCoverage& a, const TileCoverage& b, double same_pass_s) {
  if (a.source != b.source) return false;
  if (!a.content_hash.empty() && a.content_hash == b.content_hash) return true;
  if (!a.time_known || !b.time_known || !a.acquired || !b.acquired) return false;
  const auto first = seconds_of(*a.acquired), second = seconds_of(*b.acquired);
  return first && second && std::abs(*first - *second) <= same_pass_s;
}

CoverageSet::CoverageSet(std::span<const TileCoverage> coverages, const PlannerConfig& config, std::vector<std::size_t> order)
    : coverages_(coverages), config_(config), order_(std::move(order)), preferred_(order_.size()), kept_(order_.size()) {
  resolve_duplicates();
}

/// Per rank, the ranks of tiles that overlap it and show the same acquisition. Found through sorted
/// times and equal hashes, so that a year of scenes is not compared pair by pair.
std::vector<std::vector<std::size_t>> CoverageSet::duplicates() const {
  std::vector<std::vector<std::size_t>> found(size());
  const auto add = [&](std::size_t a, std::size_t b) {
    if (a == b || !are_duplicates(tile(a), tile(b), config_.same_pass_s) || !boxes_overlap(tile(a), tile(b))) return;
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

/// In order of preference (more anchors, then smaller id) each tile gives up the windows that a
/// preferred duplicate keeps: what is left has no duplicates in any window.
void CoverageSet::resolve_duplicates() {
  const auto others = duplicates();
  struct Candidate {
    std::int64_t anchors;
    std::size_t rank;
  };
  std::vector<Candidate> candidates;
  for (std::size_t rank = 0; rank < size(); ++rank) {
    if (others[rank].empty()) continue;
    kept_[rank] = geometry::window_anchors(tile(rank).valid, config_.patch_px);
    candidates.push_back({kept_[rank]->count(), rank});
  }
  std::ranges::sort(candidates, [](const auto& a, const auto& b) { return a.anchors != b.anchors ? a.anchors > b.anchors : a.rank < b.rank; });
  std::vector<bool> done(size(), false);
  for (const auto& candidate : candidates) {
    const auto& mine = tile(candidate.rank);
    for (const auto other : others[candidate.rank]) {
      if (!done[other]) continue;
      preferred_[candidate.rank].push_back(other);
      subtract(*kept_[candidate.rank], *kept_[other], tile(other).i - mine.i, mine.j - tile(other).j);
    }
    done[candidate.rank] = true;
  }
}

TileAnchors CoverageSet::anchors(std::size_t rank) const {
  const auto& t = tile(rank);
  TileAnchors result{.col = t.i, .row = -t.j, .covers = geometry::window_anchors(t.valid, config_.patch_px), .kept = {}, .usable = {}};
  result.kept = kept_[rank] ? *kept_[rank] : result.covers;
  result.usable = result.kept;
  if (t.cloud) subtract(result.usable, too_cloudy_anchors(*t.cloud, config_.patch_px, config_.max_cloud_frac), 0, 0);
  return result;
}

}  // namespace tilewright::index
