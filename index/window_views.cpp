// SPDX-License-Identifier: Apache-2.0
// Views of chosen windows, counted in the masks: no coverage map is needed where the window is known.
#include "index/window_views.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <map>
#include <utility>

namespace tilewright::index {
namespace {

std::string percent(double frac) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", frac * 100);
  return text;
}

/// One window and the tiles that may touch it.
class WindowJury {
 public:
  WindowJury(const CoverageSet& tiles, const PlannerConfig& config, const WindowToSee& window)
      : tiles_(tiles), config_(config), window_(window), at_(window.at), area_px_(static_cast<std::int64_t>(config.patch_px) * config.patch_px) {}

  /// Usable tiles; the others become rejections. Both in order of rank.
  std::vector<Seen> judge(std::span<const std::size_t> ranks, std::vector<ViewChoice::LeftOut>& rejections) {
    for (const auto rank : ranks) look_at(rank, rejections);
    std::vector<Seen> usable;
    for (const auto rank : covering_) {
      if (stays(rank)) {
        usable.push_back({rank, cloud_frac(rank), true});
        continue;
      }
      if (const auto kept = kept_duplicate(rank)) {
        rejections.push_back({rank, Reason::view_duplicate, "the same acquisition as " + tiles_.tile(*kept).tile_id});
        continue;
      }
      const auto cloud = cloud_frac(rank);
      if (cloud && *cloud > config_.max_cloud_frac)
        rejections.push_back({rank, Reason::view_cloudy, percent(*cloud) + " of the window is cloudy, allowed are " + percent(config_.max_cloud_frac)});
      else usable.push_back({rank, cloud});
    }
    return usable;
  }

 private:
  void look_at(std::size_t rank, std::vector<ViewChoice::LeftOut>& rejections) {
    const auto& tile = tiles_.tile(rank);
    const auto valid = count_in_window(tile.valid, at_.col - tile.i, at_.row + tile.j, config_.patch_px);
    if (valid == area_px_) covering_.push_back(rank);
    else if (valid > 0) rejections.push_back({rank, Reason::view_invalid, percent(static_cast<double>(valid) / static_cast<double>(area_px_)) + " of the window is valid"});
  }

  [[nodiscard]] std::optional<double> cloud_frac(std::size_t rank) const {
    const auto& tile = tiles_.tile(rank);
    if (!tile.cloud) return std::nullopt;
    return static_cast<double>(count_in_window(*tile.cloud, at_.col - tile.i, at_.row + tile.j, config_.patch_px)) / static_cast<double>(area_px_);
  }

  [[nodiscard]] bool stays(std::size_t rank) const { return std::ranges::binary_search(window_.staying, rank); }

  /// A view that stays and shows the same acquisition, else the most preferred duplicate that is
  /// itself kept in this window.
  [[nodiscard]] std::optional<std::size_t> kept_duplicate(std::size_t rank) const {
    for (const auto other : window_.staying)
      if (are_duplicates(tiles_.tile(rank), tiles_.tile(other), config_.same_pass_s)) return other;
    for (const auto other : tiles_.preferred(rank))
      if (std::ranges::binary_search(covering_, other) && !kept_duplicate(other)) return other;
    return std::nullopt;
  }

  const CoverageSet& tiles_;
  const PlannerConfig& config_;
  const WindowToSee& window_;
  Anchor at_;
  std::int64_t area_px_;
  std::vector<std::size_t> covering_;  ///< ascending
};

struct Found {
  PlannedLocation location;
  std::vector<ViewRejection> rejections;
};

Found views_of(const CoverageSet& tiles, const ViewChooser& chooser, const PlannerConfig& config, std::span<const std::size_t> ranks, const WindowToSee& window) {
  Found found{.location = {.window = {window.at.col, -window.at.row, config.patch_px}, .views = {}}, .rejections = {}};
  std::vector<ViewChoice::LeftOut> left_out;
  auto usable = WindowJury(tiles, config, window).judge(ranks, left_out);
  std::vector<std::uint32_t> usable_ranks;
  for (const auto& seen : usable) usable_ranks.push_back(static_cast<std::uint32_t>(seen.rank));
  found.location.counted = chooser.count(usable_ranks);
  auto choice = chooser.choose(std::move(usable));
  for (const auto& seen : choice.kept) found.location.views.push_back({tiles.index(seen.rank), seen.cloud_frac});
  left_out.insert(left_out.end(), choice.left_out.begin(), choice.left_out.end());
  std::ranges::stable_sort(left_out, {}, [](const auto& item) { return item.rank.value_or(SIZE_MAX); });
  for (auto& item : left_out)
    found.rejections.push_back({item.rank ? std::optional(tiles.index(*item.rank)) : std::nullopt, found.location.window, item.reason, std::move(item.detail)});
  return found;
}

/// Windows anchored in one cell of the plane and the tiles that may touch them.
struct Cell {
  std::vector<std::size_t> windows;  ///< numbers
  std::vector<std::size_t> ranks;    ///< ascending
};

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Cells that hold windows. Far tiles never meet: each tile is entered only where it lies.
std::vector<Cell> cells_of(const CoverageSet& tiles, std::span<const WindowToSee> windows, int patch_px) {
  const std::int64_t edge = std::max<std::int64_t>(512, 2 * std::int64_t{patch_px});
  std::map<std::pair<std::int64_t, std::int64_t>, Cell> cells;
  for (std::size_t n = 0; n < windows.size(); ++n) cells[{floor_div(windows[n].at.row, edge), floor_div(windows[n].at.col, edge)}].windows.push_back(n);
  for (std::size_t rank = 0; rank < tiles.size(); ++rank) {
    const auto& tile = tiles.tile(rank);
    const auto left = floor_div(tile.i - patch_px + 1, edge), right = floor_div(tile.i + tile.valid.width() - 1, edge);
    const auto top = floor_div(-tile.j - patch_px + 1, edge), bottom = floor_div(-tile.j + tile.valid.height() - 1, edge);
    for (auto row = top; row <= bottom; ++row)
      for (auto at = cells.lower_bound({row, left}); at != cells.end() && at->first <= std::pair(row, right); ++at) at->second.ranks.push_back(rank);
  }
  std::vector<Cell> out;
  for (auto& [key, cell] : cells) out.push_back(std::move(cell));
  return out;
}

}  // namespace

void add_views(const CoverageSet& tiles, const ViewChooser& chooser, const PlannerConfig& config, std::span<const WindowToSee> windows, ViewPlan& plan) {
  const auto cells = cells_of(tiles, windows, config.patch_px);
  std::vector<Found> found(windows.size());
  tbb::parallel_for(std::size_t{0}, cells.size(), [&](std::size_t c) {
    for (const auto n : cells[c].windows) found[n] = views_of(tiles, chooser, config, cells[c].ranks, windows[n]);
  });
  for (auto& one : found) {
    plan.locations.push_back(std::move(one.location));
    std::ranges::move(one.rejections, std::back_inserter(plan.rejections));
  }
}

}  // namespace tilewright::index
