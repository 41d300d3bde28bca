// SPDX-License-Identifier: Apache-2.0
// Groups chips by their grid and chooses the views of each.
#include "pipeline/stages/views_whole.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/reason.h"
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

index::LocationRow location_row(const std::string& id, const Chips& chips) {
  const SourceGrid& grid = chips.front()->grid;
  const auto w = static_cast<double>(grid.width), h = static_cast<double>(grid.height);
  const auto outline = geometry::map_from_pixel(grid.affine, {{{{0, h}, {w, h}, {w, 0}, {0, 0}, {0, h}}, {}}});
  index::LocationRow row;
  row.location_id = id;
  auto geom = geometry::geographic(outline, grid.crs);
  if (!geom)
    throw Error::failed("location " + id + " of " + chips.front()->row.path + " cannot be mapped to longitude and latitude; correct the file's CRS, or leave it out of `files`");
  row.geom = std::move(*geom);
  row.epsg = grid.crs.epsg();
  row.ulx = grid.affine.c;
  row.uly = grid.affine.f;
  row.res_m = std::hypot(grid.affine.a, grid.affine.d);
  row.size_px = static_cast<int>(grid.width);
  row.view_count = static_cast<int>(chips.size());
  return row;
}

index::ViewRow view_row(const std::string& id, const index::TileRow& tile) {
  index::ViewRow view;
  view.location_id = id;
  view.tile_id = tile.tile_id;
  view.acquired = tile.acquired;
  view.cloud_frac = tile.cloud_frac;  // all pixels are valid: the tile's share is the window's
  view.shift_px = view.shift_x_px = view.shift_y_px = 0.0;
  return view;
}

bool earlier(const PlacedTile* a, const PlacedTile* b) {
  return a->row.acquired != b->row.acquired ? a->row.acquired < b->row.acquired : a->row.tile_id < b->row.tile_id;
}

bool clearer(const PlacedTile* a, const PlacedTile* b) {
  const double first = a->row.cloud_frac.value_or(0), second = b->row.cloud_frac.value_or(0);
  return first != second ? first < second : earlier(a, b);
}

class WholePlanner {
 public:
  explicit WholePlanner(const ViewsConfig& views) : views_(views) {}

  void take(const std::string& id, const Chips& chips) {
    Chips seen;
    const auto first = plan_.rejections.size();
    const auto reject = [&](const PlacedTile* chip, Reason reason, const std::string& detail) {
      plan_.rejections.push_back({"views", chip->row.tile_id, std::string(index::code(reason)), detail});
    };
    for (const auto* chip : chips) {
      const auto& row = chip->row;
      if (row.valid_frac < 1)
        reject(chip, Reason::view_invalid, percent(row.valid_frac) + " of the chip is valid; a whole chip needs all of it: see nodata of source " + row.source);
      else if (row.cloud_frac.value_or(0) > views_.max_cloud_frac)
        reject(chip, Reason::view_cloudy, percent(*row.cloud_frac) + " of the chip is cloudy, allowed are " + percent(views_.max_cloud_frac));
      else
        seen.push_back(chip);
    }
    plan_.candidates += seen.empty() ? 0 : 1;
    if (seen.empty() || static_cast<int>(seen.size()) < views_.min_views) {
      for (const auto* chip : seen)
        reject(chip, Reason::too_few_views, std::to_string(seen.size()) + " of its " + std::to_string(chips.size()) + " chips can be used, min_views is " + std::to_string(views_.min_views));
      return;
    }
    for (const auto* chip : beyond_limit(seen))
      reject(chip, Reason::view_limit, std::to_string(views_.max_views) + " views are kept");
    std::ranges::sort(seen, earlier);
    plan_.locations.push_back(location_row(id, seen));
    crs_.insert(seen.front()->grid.crs.wkt());
    for (const auto* chip : seen) plan_.views.push_back(view_row(id, chip->row));
    for (auto n = first; n < plan_.rejections.size(); ++n) plan_.rejections[n].subject = id + "/" + plan_.rejections[n].subject;
  }

  WholePlan finish() {
    plan_.crs_count = static_cast<std::int64_t>(crs_.size());
    return std::move(plan_);
  }

 private:
  /// Takes what is over max_views out of `seen`.
  [[nodiscard]] Chips beyond_limit(Chips& seen) const {
    const auto limit = static_cast<std::size_t>(views_.max_views);
    if (limit == 0 || seen.size() <= limit) return {};
    std::ranges::sort(seen, clearer);
    Chips over(seen.begin() + static_cast<std::ptrdiff_t>(limit), seen.end());
    seen.resize(limit);
    return over;
  }

  const ViewsConfig& views_;
  WholePlan plan_;
  std::set<std::string> crs_;
};

}  // namespace

WholePlan plan_whole(const std::vector<PlacedTile>& tiles, const ViewsConfig& views) {
  std::map<std::string, Chips> by_grid;
  for (const auto& tile : tiles) by_grid[whole_location_id(tile.grid)].push_back(&tile);
  WholePlanner planner(views);
  for (const auto& [id, chips] : by_grid) planner.take(id, chips);
  return planner.finish();
}

}  // namespace tilewright::pipeline
