// SPDX-License-Identifier: Apache-2.0
// Windows on the chosen phase, the tiles that see them, and why other tiles do not.
#include "index/view_planner.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>

#include "geometry/error.h"
#include "index/best_phase.h"
#include "index/coverage.h"

namespace tilewright::index {
namespace {

std::int64_t modulo(std::int64_t a, std::int64_t p) { return ((a % p) + p) % p; }

/// Anchor in raster order, ordered as location ids are: by i, then by j.
struct Anchor {
  std::int64_t col = 0, row = 0;
  bool operator<(const Anchor& other) const { return col != other.col ? col < other.col : row > other.row; }
};
struct SeenBy {
  std::size_t rank;
  std::optional<double> cloud_frac;
};
using Windows = std::map<Anchor, std::vector<SeenBy>>;

geometry::LatticeWindow window_at(const Anchor& anchor, int size_px) { return {anchor.col, -anchor.row, size_px}; }

std::string percent(double frac) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", frac * 100);
  return text;
}

/// Least position >= begin that is congruent to phase.
std::int64_t first_at_phase(std::int64_t begin, std::int64_t phase, std::int64_t patch) { return begin + modulo(phase - begin, patch); }

class Planner {
 public:
  Planner(const CoverageSet& tiles, const PlannerConfig& config, std::span<const geometry::LatticeWindow> taken, Phase phase)
      : tiles_(tiles), config_(config), taken_(taken), phase_(phase), patch_(config.patch_px) {}

  ViewPlan plan() {
    in_batches([&](std::size_t rank, const TileAnchors& anchors) { collect(rank, anchors); });
    std::erase_if(windows_, [&](const auto& entry) { return static_cast<int>(entry.second.size()) < config_.min_views; });
    ViewPlan plan;
    plan.phase_col = phase_.col;
    plan.phase_row = phase_.row;
    plan.candidate_windows = phase_.candidate_windows;
    in_batches([&](std::size_t rank, const TileAnchors& anchors) { reject(rank, anchors, plan); });
    for (auto& [anchor, seen_by] : windows_) plan.locations.push_back(location(anchor, seen_by, plan));
    sort_rejections(plan);
    return plan;
  }

 private:
  /// Computes anchors of some tiles at once and hands them out in order.
  template <class F>
  void in_batches(const F& use) const {
    constexpr std::size_t kBatch = 16;
    for (std::size_t begin = 0; begin < tiles_.size(); begin += kBatch) {
      const auto count = std::min(kBatch, tiles_.size() - begin);
      std::vector<TileAnchors> anchors(count);
      tbb::parallel_for(std::size_t{0}, count, [&](std::size_t n) { anchors[n] = tiles_.anchors(begin + n); });
      for (std::size_t n = 0; n < count; ++n) use(begin + n, anchors[n]);
    }
  }

  /// Calls `each(anchor)` for anchors of the phase whose window touches [col, col_end) x [row, row_end).
  template <class F>
  void on_phase(std::int64_t col, std::int64_t col_end, std::int64_t row, std::int64_t row_end, const F& each) const {
    for (auto r = first_at_phase(row, phase_.row, patch_); r < row_end; r += patch_)
      for (auto c = first_at_phase(col, phase_.col, patch_); c < col_end; c += patch_) each(Anchor{c, r});
  }

  void collect(std::size_t rank, const TileAnchors& anchors) {
    const auto& mask = anchors.usable;
    on_phase(anchors.col, anchors.col + mask.width(), anchors.row, anchors.row + mask.height(), [&](const Anchor& at) {
      if (!anchors.usable_at(at.col, at.row) || is_taken(taken_, at.col, at.row, config_.patch_px)) return;
      windows_[at].push_back({rank, cloud_frac(rank, at)});
    });
  }

  [[nodiscard]] std::optional<double> cloud_frac(std::size_t rank, const Anchor& at) const {
    const auto& tile = tiles_.tile(rank);
    if (!tile.cloud) return std::nullopt;
    const auto count = count_in_window(*tile.cloud, at.col - tile.i, at.row + tile.j, config_.patch_px);
    return static_cast<double>(count) / (static_cast<double>(patch_) * static_cast<double>(patch_));
  }

  /// Tiles that touch a chosen window and do not show it.
  void reject(std::size_t rank, const TileAnchors& anchors, ViewPlan& plan) const {
    const auto& tile = tiles_.tile(rank);
    on_phase(anchors.col - patch_ + 1, anchors.col + tile.valid.width(), anchors.row - patch_ + 1, anchors.row + tile.valid.height(),
             [&](const Anchor& at) {
               if (anchors.usable_at(at.col, at.row) || !windows_.contains(at)) return;
               if (auto rejection = why_not(rank, anchors, at)) plan.rejections.push_back(std::move(*rejection));
             });
  }

  [[nodiscard]] std::optional<ViewRejection> why_not(std::size_t rank, const TileAnchors& anchors, const Anchor& at) const {
    const auto& tile = tiles_.tile(rank);
    ViewRejection rejection{tiles_.index(rank), window_at(at, config_.patch_px), Reason::view_cloudy, ""};
    if (anchors.kept_at(at.col, at.row)) {
      rejection.detail = percent(*cloud_frac(rank, at)) + " of the window is cloudy, allowed are " + percent(config_.max_cloud_frac);
    } else if (anchors.covers_at(at.col, at.row)) {
      rejection.reason = Reason::view_duplicate;
      rejection.detail = "the same acquisition as " + kept_duplicate(rank, at);
    } else {
      const auto valid = count_in_window(tile.valid, at.col - tile.i, at.row + tile.j, config_.patch_px);
      if (valid == 0) return std::nullopt;
      rejection.reason = Reason::view_invalid;
      rejection.detail = percent(static_cast<double>(valid) / (static_cast<double>(patch_) * static_cast<double>(patch_))) + " of the window is valid";
    }
    return rejection;
  }

  /// The preferred duplicate that covers the window, in order of id.
  [[nodiscard]] std::string kept_duplicate(std::size_t rank, const Anchor& at) const {
    const auto area = patch_ * patch_;
    for (const auto other : tiles_.preferred(rank)) {
      const auto& tile = tiles_.tile(other);
      if (count_in_window(tile.valid, at.col - tile.i, at.row + tile.j, config_.patch_px) == area) return tile.tile_id;
    }
    return "another tile";
  }

  /// Views of one window, at most max_views: the least cloudy, then the earliest.
  PlannedLocation location(const Anchor& anchor, std::vector<SeenBy>& seen_by, ViewPlan& plan) const {
    const auto earlier = [&](const SeenBy& a, const SeenBy& b) {
      const auto &first = tiles_.tile(a.rank), &second = tiles_.tile(b.rank);
      return first.acquired != second.acquired ? first.acquired < second.acquired : a.rank < b.rank;
    };
    if (config_.max_views > 0 && seen_by.size() > static_cast<std::size_t>(config_.max_views)) {
      std::ranges::sort(seen_by, [&](const SeenBy& a, const SeenBy& b) {
        const auto first = a.cloud_frac.value_or(0), second = b.cloud_frac.value_or(0);
        return first != second ? first < second : earlier(a, b);
      });
      for (auto n = static_cast<std::size_t>(config_.max_views); n < seen_by.size(); ++n)
        plan.rejections.push_back({tiles_.index(seen_by[n].rank), window_at(anchor, config_.patch_px), Reason::view_limit,
                                   std::to_string(config_.max_views) + " of " + std::to_string(seen_by.size()) + " views are kept"});
      seen_by.resize(static_cast<std::size_t>(config_.max_views));
    }
    std::ranges::sort(seen_by, earlier);
    PlannedLocation location{.window = window_at(anchor, config_.patch_px), .views = {}};
    for (const auto& seen : seen_by) location.views.push_back({tiles_.index(seen.rank), seen.cloud_frac});
    return location;
  }

  void sort_rejections(ViewPlan& plan) const {
    std::map<std::size_t, std::size_t> rank_of;
    for (std::size_t rank = 0; rank < tiles_.size(); ++rank) rank_of[tiles_.index(rank)] = rank;
    std::ranges::sort(plan.rejections, [&](const ViewRejection& a, const ViewRejection& b) {
      if (a.window.i != b.window.i) return a.window.i < b.window.i;
      if (a.window.j != b.window.j) return a.window.j < b.window.j;
      return rank_of.at(a.tile) < rank_of.at(b.tile);
    });
  }

  const CoverageSet& tiles_;
  const PlannerConfig& config_;
  std::span<const geometry::LatticeWindow> taken_;
  Phase phase_;
  std::int64_t patch_;
  Windows windows_;
};

std::vector<std::size_t> order_by_id(std::span<const TileCoverage> coverages) {
  std::vector<std::size_t> order(coverages.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t n) -> const std::string& { return coverages[n].tile_id; });
  return order;
}

}  // namespace

ViewPlan plan_views(std::span<const TileCoverage> coverages, const PlannerConfig& config,
                    std::span<const geometry::LatticeWindow> taken) {
  if (config.placement != Placement::lattice && config.placement != Placement::best_phase)
    throw Error::config("views.placement: shelf, whole and points are not in this version; use best_phase or lattice");
  const CoverageSet tiles(coverages, config, order_by_id(coverages));
  auto phase = best_phase(tiles, config, taken);
  if (config.placement == Placement::lattice) phase.col = phase.row = 0;
  return Planner(tiles, config, taken, phase).plan();
}

}  // namespace tilewright::index
