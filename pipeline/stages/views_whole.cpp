// SPDX-License-Identifier: Apache-2.0
// Groups chips by their grid and chooses the views of each.
#include "pipeline/stages/views_whole.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "index/coverage.h"
#include "index/reason.h"
#include "index/view_choice.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;
using Chips = std::vector<const PlacedTile*>;

std::string percent(double frac) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", frac * 100);
  return text;
}

/// The planner's view of a chip: one pixel, so that its rules of choice can be asked.
index::TileCoverage coverage_of(const index::TileRow& row) {
  geometry::Bitmask one(1, 1);
  one.set(0, 0, true);
  return {.tile_id = row.tile_id, .source = row.source, .acquired = row.acquired, .time_known = row.time_known, .i = 0, .j = 0,
          .valid = geometry::RunMask::from(one), .cloud = {}, .copied = true, .content_hash = ""};
}

class WholePlanner {
 public:
  WholePlanner(const std::vector<PlacedTile>& tiles, const index::PlannerConfig& config) : first_(tiles.data()), config_(config) { config_.patch_px = 1; }

  void take(const std::string& id, const Chips& chips, const std::vector<std::string>& staying) {
    const auto first = plan_.rejections.size();
    std::vector<index::TileCoverage> coverages;
    Chips clear;
    for (const auto* chip : chips) {
      if (!is_usable(*chip)) continue;
      clear.push_back(chip);
      coverages.push_back(coverage_of(chip->row));
    }
    const index::CoverageSet set(coverages, config_);
    const index::ViewChooser chooser(set, config_);
    std::vector<index::Seen> seen;
    std::vector<std::uint32_t> ranks;
    for (std::size_t rank = 0; rank < set.size(); ++rank) {
      const auto& chip = *clear[set.index(rank)];
      const bool stays = is_in(staying, chip.row.tile_id);
      const auto twin = stays ? std::nullopt : twin_of(set, rank, staying);
      if (twin) {
        reject(chip, Reason::view_duplicate, "the same acquisition as " + set.tile(*twin).tile_id);
        continue;
      }
      seen.push_back({rank, chip.row.cloud_frac, stays});
      ranks.push_back(static_cast<std::uint32_t>(rank));
    }
    plan_.candidates += seen.empty() ? 0 : 1;
    if (seen.empty() || static_cast<int>(chooser.count(ranks)) < config_.min_views) {
      for (const auto& view : seen)
        reject(*clear[set.index(view.rank)], Reason::too_few_views, std::to_string(chooser.count(ranks)) + " of its " + std::to_string(chips.size()) + " chips count, min_views is " + std::to_string(config_.min_views));
      return;
    }
    const auto choice = chooser.choose(std::move(seen));
    Chips kept;
    for (const auto& view : choice.kept) kept.push_back(clear[set.index(view.rank)]);
    crs_.insert(kept.front()->grid.crs->wkt());
    auto& tiles = plan_.locations.emplace_back();
    for (const auto* chip : kept) tiles.push_back(static_cast<std::size_t>(chip - first_));
    for (const auto& left_out : choice.left_out)
      if (left_out.rank) reject(*clear[set.index(*left_out.rank)], left_out.reason, left_out.detail);
    for (auto n = first; n < plan_.rejections.size(); ++n) plan_.rejections[n].subject = id + "/" + plan_.rejections[n].subject;
    for (const auto& gap : choice.left_out)
      if (!gap.rank) plan_.rejections.push_back({"views", id, std::string(index::code(gap.reason)), gap.detail});
  }

  WholePlan finish() {
    plan_.crs_count = static_cast<std::int64_t>(crs_.size());
    return std::move(plan_);
  }

 private:
  static bool is_in(const std::vector<std::string>& staying, const std::string& tile_id) {
    return std::ranges::find(staying, tile_id) != staying.end();
  }
  /// A chip of the same acquisition that stays, else the most preferred one.
  [[nodiscard]] std::optional<std::size_t> twin_of(const index::CoverageSet& set, std::size_t rank,
                                                   const std::vector<std::string>& staying) const {
    for (std::size_t other = 0; other < set.size(); ++other)
      if (is_in(staying, set.tile(other).tile_id) &&
          index::are_duplicates(set.tile(rank), set.tile(other), config_.same_pass_s))
        return other;
    return set.preferred(rank).empty() ? std::nullopt
                                       : std::optional<std::size_t>(set.preferred(rank).front());
  }
  void reject(const PlacedTile& chip, Reason reason, const std::string& detail) {
    plan_.rejections.push_back({"views", chip.row.tile_id, std::string(index::code(reason)), detail});
  }
  bool is_usable(const PlacedTile& chip) {
    const auto& row = chip.row;
    if (row.valid_frac < 1) {
      reject(chip, Reason::view_invalid, percent(row.valid_frac) + " of the chip is valid; a whole chip needs all of it: see nodata of source " + row.source);
      return false;
    }
    if (row.cloud_frac.value_or(0) <= config_.max_cloud_frac) return true;
    reject(chip, Reason::view_cloudy, percent(*row.cloud_frac) + " of the chip is cloudy, allowed are " + percent(config_.max_cloud_frac));
    return false;
  }

  const PlacedTile* first_;
  index::PlannerConfig config_;
  WholePlan plan_;
  std::set<std::string> crs_;
};

}  // namespace

WholePlan plan_whole(const std::vector<PlacedTile>& tiles, const index::PlannerConfig& config,
                     const StayingTiles& staying) {
  std::map<std::string, Chips> by_grid;
  for (const auto& tile : tiles) by_grid[whole_location_id(tile.grid)].push_back(&tile);
  WholePlanner planner(tiles, config);
  for (const auto& [id, chips] : by_grid) planner.take(id, chips, staying(id));
  return planner.finish();
}

}  // namespace tilewright::pipeline
