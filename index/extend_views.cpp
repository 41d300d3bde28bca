// SPDX-License-Identifier: Apache-2.0
// Views of windows that stay, and the free ground between them.
#include "index/extend_views.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <numeric>

#include "index/coverage.h"

namespace tilewright::index {
namespace {

std::string percent(double frac) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", frac * 100);
  return text;
}

/// A tile that shows a window.
struct Seen {
  std::size_t rank;
  std::optional<double> cloud_frac;
};

class Extender {
 public:
  Extender(const CoverageSet& tiles, const PlannerConfig& config, std::span<const KeptWindow> windows)
      : tiles_(tiles), config_(config), windows_(windows), rank_of_(tiles.size()), staying_(windows.size()), candidates_(windows.size()) {
    for (std::size_t rank = 0; rank < tiles.size(); ++rank) rank_of_[tiles.index(rank)] = rank;
    for (const auto& window : windows) {
      auto& ranks = pinned_.emplace_back();
      for (const auto tile : window.tiles) ranks.push_back(rank_of_[tile]);
      std::ranges::sort(ranks);
    }
  }

  ViewPlan extend() {
    constexpr std::size_t kBatch = 16;
    for (std::size_t begin = 0; begin < tiles_.size(); begin += kBatch) {
      std::vector<TileAnchors> anchors(std::min(kBatch, tiles_.size() - begin));
      tbb::parallel_for(std::size_t{0}, anchors.size(), [&](std::size_t n) { anchors[n] = tiles_.anchors(begin + n); });
      for (std::size_t n = 0; n < anchors.size(); ++n) look(begin + n, anchors[n]);
    }
    for (std::size_t w = 0; w < windows_.size(); ++w) plan_.locations.push_back(choose(w));
    std::ranges::stable_sort(plan_.rejections, [&](const ViewRejection& a, const ViewRejection& b) {
      if (a.window.i != b.window.i) return a.window.i < b.window.i;
      if (a.window.j != b.window.j) return a.window.j < b.window.j;
      return rank_of_[a.tile] < rank_of_[b.tile];
    });
    return std::move(plan_);
  }

 private:
  void look(std::size_t rank, const TileAnchors& anchors) {
    const auto& tile = tiles_.tile(rank);
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      const auto& at = windows_[w].window;
      const auto col = at.i - tile.i, row = tile.j - at.j;
      if (col <= -at.size_px || row <= -at.size_px || col >= tile.valid.width() || row >= tile.valid.height()) continue;
      if (std::ranges::binary_search(pinned_[w], rank)) staying_[w].push_back({rank, cloud_frac(rank, at)});
      else if (anchors.usable_at(at.i, -at.j)) candidates_[w].push_back({rank, cloud_frac(rank, at)});
      else reject(w, rank, anchors);
    }
  }

  [[nodiscard]] std::optional<double> cloud_frac(std::size_t rank, const geometry::LatticeWindow& at) const {
    const auto& tile = tiles_.tile(rank);
    if (!tile.cloud) return std::nullopt;
    const auto area = static_cast<double>(at.size_px) * at.size_px;
    return static_cast<double>(count_in_window(*tile.cloud, at.i - tile.i, tile.j - at.j, at.size_px)) / area;
  }

  void add_rejection(std::size_t w, std::size_t rank, Reason reason, std::string detail) {
    plan_.rejections.push_back({tiles_.index(rank), windows_[w].window, reason, std::move(detail)});
  }

  void reject(std::size_t w, std::size_t rank, const TileAnchors& anchors) {
    const auto& at = windows_[w].window;
    const auto& tile = tiles_.tile(rank);
    const auto valid = count_in_window(tile.valid, at.i - tile.i, tile.j - at.j, at.size_px);
    if (anchors.kept_at(at.i, -at.j))
      add_rejection(w, rank, Reason::view_cloudy, percent(*cloud_frac(rank, at)) + " of the window is cloudy, allowed are " + percent(config_.max_cloud_frac));
    else if (anchors.covers_at(at.i, -at.j))
      add_rejection(w, rank, Reason::view_duplicate, "the same acquisition as " + preferred_duplicate(rank, at));
    else if (valid > 0)
      add_rejection(w, rank, Reason::view_invalid,
                    percent(static_cast<double>(valid) / (static_cast<double>(at.size_px) * at.size_px)) + " of the window is valid");
  }

  [[nodiscard]] std::string preferred_duplicate(std::size_t rank, const geometry::LatticeWindow& at) const {
    for (const auto other : tiles_.preferred(rank)) {
      const auto& tile = tiles_.tile(other);
      if (count_in_window(tile.valid, at.i - tile.i, tile.j - at.j, at.size_px) == std::int64_t{at.size_px} * at.size_px) return tile.tile_id;
    }
    return "another tile";
  }

  /// Acquisitions that a staying view shows give way to it.
  void drop_duplicates(std::size_t w) {
    std::erase_if(candidates_[w], [&](const Seen& seen) {
      for (const auto& kept : staying_[w]) {
        if (!are_duplicates(tiles_.tile(seen.rank), tiles_.tile(kept.rank), config_.same_pass_s)) continue;
        add_rejection(w, seen.rank, Reason::view_duplicate, "the same acquisition as " + tiles_.tile(kept.rank).tile_id);
        return true;
      }
      return false;
    });
  }

  [[nodiscard]] bool is_earlier(const Seen& a, const Seen& b) const {
    const auto &first = tiles_.tile(a.rank), &second = tiles_.tile(b.rank);
    return first.acquired != second.acquired ? first.acquired < second.acquired : a.rank < b.rank;
  }

  /// New views while there is room under max_views: the least cloudy, then the earliest.
  void keep_room(std::size_t w) {
    auto& candidates = candidates_[w];
    const auto all = staying_[w].size() + candidates.size();
    if (config_.max_views == 0 || all <= static_cast<std::size_t>(config_.max_views)) return;
    const auto most = static_cast<std::size_t>(config_.max_views);
    const auto room = most > staying_[w].size() ? most - staying_[w].size() : 0;
    std::ranges::sort(candidates, [&](const Seen& a, const Seen& b) {
      const auto first = a.cloud_frac.value_or(0), second = b.cloud_frac.value_or(0);
      return first != second ? first < second : is_earlier(a, b);
    });
    for (auto n = room; n < candidates.size(); ++n)
      add_rejection(w, candidates[n].rank, Reason::view_limit, std::to_string(config_.max_views) + " of " + std::to_string(all) + " views are kept");
    candidates.resize(std::min(room, candidates.size()));
  }

  PlannedLocation choose(std::size_t w) {
    drop_duplicates(w);
    keep_room(w);
    auto& seen = staying_[w];
    seen.insert(seen.end(), candidates_[w].begin(), candidates_[w].end());
    std::ranges::sort(seen, [&](const Seen& a, const Seen& b) { return is_earlier(a, b); });
    PlannedLocation location{.window = windows_[w].window, .views = {}};
    for (const auto& one : seen) location.views.push_back({tiles_.index(one.rank), one.cloud_frac});
    return location;
  }

  const CoverageSet& tiles_;
  const PlannerConfig& config_;
  std::span<const KeptWindow> windows_;
  std::vector<std::size_t> rank_of_;                        ///< by index into the coverages
  std::vector<std::vector<std::size_t>> pinned_;            ///< ranks, sorted
  std::vector<std::vector<Seen>> staying_, candidates_;
  ViewPlan plan_;
};

/// Sets in `to` the bits of `from` that lie on it.
void unite(const TileCoverage& from, const TileCoverage& to, geometry::Bitmask& mask) {
  const auto dx = from.i - to.i, dy = to.j - from.j;
  if (dx >= mask.width() || dx <= -from.valid.width()) return;
  for (std::int64_t row = std::max<std::int64_t>(0, -dy); row < from.valid.height() && row + dy < mask.height(); ++row) {
    const auto* words = from.valid.row_words(row);
    for (std::int64_t w = 0; w < from.valid.words_per_row(); ++w)
      for (auto word = words[w]; word != 0;) {
        const auto first = std::countr_zero(word), length = std::countr_one(word >> first);
        const auto begin = std::max<std::int64_t>(0, w * 64 + first + dx), end = std::min(mask.width(), w * 64 + first + length + dx);
        if (begin < end) mask.set_run(begin, end, row + dy, true);
        if (first + length >= 64) break;
        word &= ~std::uint64_t{0} << (first + length);
      }
  }
}

void erase(TileCoverage& tile, const geometry::LatticeWindow& window) {
  const auto col = std::max<std::int64_t>(0, window.i - tile.i), col_end = std::min(tile.valid.width(), window.i - tile.i + window.size_px);
  const auto row = std::max<std::int64_t>(0, tile.j - window.j), row_end = std::min(tile.valid.height(), tile.j - window.j + window.size_px);
  if (col >= col_end) return;
  for (auto r = row; r < row_end; ++r) tile.valid.set_run(col, col_end, r, false);
}

}  // namespace

ViewPlan extend_views(std::span<const TileCoverage> coverages, const PlannerConfig& config, std::span<const KeptWindow> windows) {
  std::vector<std::size_t> order(coverages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t n) -> const std::string& { return coverages[n].tile_id; });
  const CoverageSet tiles(coverages, config, std::move(order));
  return Extender(tiles, config, windows).extend();
}

void confine_to_free_ground(std::span<TileCoverage> coverages, const std::vector<bool>& is_new,
                            std::span<const geometry::LatticeWindow> taken) {
  std::vector<std::size_t> fresh;
  for (std::size_t n = 0; n < coverages.size(); ++n)
    if (is_new[n]) fresh.push_back(n);
  tbb::parallel_for(std::size_t{0}, coverages.size(), [&](std::size_t n) {
    if (is_new[n]) return;
    auto& tile = coverages[n];
    geometry::Bitmask shown(tile.valid.width(), tile.valid.height());
    for (const auto other : fresh) unite(coverages[other], tile, shown);
    tile.valid = tile.valid & shown;
  });
  // Only now: what a new tile shows must not depend on what is taken.
  tbb::parallel_for(std::size_t{0}, coverages.size(), [&](std::size_t n) {
    for (const auto& window : taken) erase(coverages[n], window);
  });
}

}  // namespace tilewright::index
