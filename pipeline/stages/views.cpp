// SPDX-License-Identifier: Apache-2.0
// The views stage: zones, lattices, coverage of every tile, windows and who sees them.
#include <tbb/task_arena.h>

#include <algorithm>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/plan_rows.h"
#include "index/view_planner.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/plan_draft.h"
#include "pipeline/stages/plan_history.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/split_plane.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/views_append.h"
#include "pipeline/stages/views_points.h"
#include "pipeline/stages/views_sample.h"
#include "pipeline/stages/views_whole.h"
#include "pipeline/stages/zone_border.h"
#include "pipeline/stages/zone_coverage.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;

geometry::LonLat middle_of(const TileGrid& tile) {
  const geometry::PixelXY middle{static_cast<double>(tile.width) / 2, static_cast<double>(tile.height) / 2};
  const auto place = geometry::geographic(tile.affine.map_from_pixel(middle), *tile.crs);
  if (!place) throw index::ItemError(Reason::not_mappable, "its centre has no longitude and latitude");
  return *place;
}

/// Each part of an outline as two corners of its box.
geometry::GeoMultiPolygon boxes_only(const geometry::GeoMultiPolygon& geom) {
  geometry::GeoMultiPolygon boxes;
  for (const auto& polygon : geom) {
    const auto box = geometry::bounds(geometry::GeoMultiPolygon{polygon});
    boxes.push_back({{{box.min_x, box.min_y}, {box.max_x, box.max_y}}, {}});
  }
  return boxes;
}

class ViewsStage {
 public:
  ViewsStage(const StageInput& in, const RunContext& context) : in_(in), context_(context), views_(*in.job.views), arena_(std::max(context.threads, 1)) {}

  StageReport run() {
    if (context_.replan)
      in_.manifest.in_transaction([&] {
        index::start_over(in_.manifest);
        index::forget_facts(in_.manifest, "lattice_origin/");
      });
    history_ = plan_history(in_);
    if (history_.same && !context_.is_forced) return *history_.same;
    place_tiles();
    if (history_.appends) return append();
    plan();
    for (const auto& why : history_.why_anew) notes_.push_back("planned anew, because a plan goes on only with the same settings: " + why);
    StageReport done;
    in_.manifest.in_transaction([&] {  // what masks and parts kept of an earlier plan goes with it
      index::start_over(in_.manifest);
      insert_outcome();
      done = report(complete());
      record_plan(in_.manifest, history_, done);
    });
    return done;
  }

 private:
  void plan() {
    if (views_.placement == index::Placement::whole)
      take_whole(plan_whole(tiles_, planner_config(), staying_tiles()));
    else plan_zones();
    if (views_.sample && !grows_by_window()) keep_sample(sampled_locations(in_, candidates()));
  }

  /// Windows of a lattice are planned where scenes touch; chips and windows around points are found
  /// again, each the same wherever others lie.
  [[nodiscard]] bool grows_by_window() const {
    return growth_ && views_.placement != index::Placement::whole && views_.placement != index::Placement::points;
  }

  /// The earlier plan goes on.
  StageReport append() {
    PlanGrowth growth(in_, history_, tiles_, context_.is_forced || views_.placement == index::Placement::whole || views_.placement == index::Placement::points);
    growth_ = &growth;
    plan();
    if (!grows_by_window()) {
      growth.adopt(draft_);
      growth.leave_out_known(draft_);
    } else if (views_.sample) {
      sample_growth();
    }
    StageReport done;
    in_.manifest.in_transaction([&] {
      growth.write(draft_);
      forget_tile_rejections();
      insert_outcome();
      forget_rejections_of_seen_tiles();
      const auto counts = complete();
      done = history_.same ? *history_.same : report(counts);
      if (!history_.same) growth.tell(done);
      record_plan(in_.manifest, history_, done);
    });
    return done;
  }

  /// New locations as the sample sees them.
  [[nodiscard]] std::vector<SampleCandidate> candidates() const {
    std::vector<SampleCandidate> found;
    for (std::size_t n = 0; n < draft_.size(); ++n) {
      if (!draft_.is_new(n)) continue;
      const auto row = draft_.row(n);
      auto& candidate = found.emplace_back(SampleCandidate{{row.location_id, {}}, centre_of(row.geom), row.epsg, row.view_count});
      if (needs_tiles(in_.job))
        for (const auto tile : draft_.tiles_of(n)) candidate.place.tile_ids.push_back(tiles_[tile].row.tile_id);
    }
    return found;
  }

  /// Earlier picks stay; of the new windows those that the sample has room for.
  void sample_growth() {
    auto all = candidates();
    std::map<std::string, std::vector<std::string>> tiles_of;
    if (needs_tiles(in_.job)) {
      growth_->each_staying_view([&](const auto& view) { tiles_of[view.location_id].push_back(view.tile_id); });
      for (std::size_t n = 0; n < draft_.size(); ++n)
        if (!draft_.is_new(n))
          for (const auto tile : draft_.tiles_of(n)) tiles_of[draft_.id(n)].push_back(tiles_[tile].row.tile_id);
    }
    growth_->each_staying_location([&](const auto& row) {
      all.push_back({{row.location_id, std::move(tiles_of[row.location_id])}, centre_of(row.geom), row.epsg, row.view_count});
    });
    keep_sample(sampled_locations(in_, all));
  }

  /// Of scenes that are looked at anew or gone.
  void forget_tile_rejections() {
    if (!grows_by_window()) return index::remove_rejections(in_.manifest, "views");  // all are found again
    std::set<std::string> subjects;
    for (const auto& rejection : rejections_)
      if (rejection.subject.find('/') == std::string::npos) subjects.insert(rejection.subject);
    index::each_rejection(in_.manifest, "views", [&](const auto& rejection) {
      if (history_.is_new(rejection.subject) || history_.removed.contains(rejection.subject)) subjects.insert(rejection.subject);
    });
    for (const auto& subject : subjects) index::remove_rejections(in_.manifest, "views", subject);
  }

  void forget_rejections_of_seen_tiles() {
    const auto seen = index::plan_counts(in_.manifest).tiles;
    std::set<std::string> subjects;
    index::each_rejection(in_.manifest, "views", [&](const auto& rejection) {
      if (seen.contains(rejection.subject)) subjects.insert(rejection.subject);
    });
    for (const auto& subject : subjects) index::remove_rejections(in_.manifest, "views", subject);
  }

  /// Grids as scan kept them: no raster is opened in this stage.
  void place_tiles() {
    std::map<std::string, std::shared_ptr<const geometry::Crs>> known;
    for (const auto& source : in_.job.view_sources()) {
      std::vector<std::pair<std::string, TileGrid>> grids;
      index::each_tile_grid(in_.manifest, source, [&](const index::TileGridRow& row) {
        auto& crs = known[row.crs_wkt];
        if (!crs) crs = std::make_shared<const geometry::Crs>(geometry::Crs::from_text(row.crs_wkt));
        grids.emplace_back(row.tile_id, TileGrid{row.affine, row.width_px, row.height_px, crs});
      });
      const double resolution_m = in_.job.source(source).resolution_m.value_or(0);
      index::each_tile(in_.manifest, source, "ok", [&](index::TileRow row) {
        context_.check_stop();
        ++ok_tiles_;
        const auto grid = std::ranges::lower_bound(grids, row.tile_id, {}, &std::pair<std::string, TileGrid>::first);
        if (grid == grids.end() || grid->first != row.tile_id) throw Error::failed("views: the manifest has no grid of tile " + row.tile_id + "; run scan again with --force scan");
        place_tile(std::move(row), grid->second, resolution_m);
      });
    }
  }

  void place_tile(index::TileRow row, const TileGrid& grid, double resolution_m) {
    try {
      const auto middle = middle_of(grid);
      row.geom = boxes_only(row.geom);
      row.sha256 = std::string();
      tiles_.push_back({std::move(row), grid, middle, resolution_m});
    } catch (const index::ItemError& error) {
      reject(row.tile_id, error.reason(), error.what());
    }
  }

  /// What is not sampled is as if it had not been planned; only tiles that nothing shows any more say so.
  void keep_sample(const std::set<std::string>& kept) {
    const auto seen = draft_.shown_tiles();
    for (std::size_t n = 0; n < draft_.size(); ++n) {
      if (draft_.is_dropped(n) || kept.contains(draft_.id(n))) continue;
      not_sampled_ += draft_.is_new(n) ? 1 : 0;
      draft_.drop(n);
    }
    std::erase_if(rejections_, [&](const auto& row) {
      const auto slash = row.subject.find('/');
      return slash != std::string::npos && !kept.contains(row.subject.substr(0, slash));
    });
    const auto shown = draft_.shown_tiles();
    for (std::size_t tile = 0; tile < tiles_.size(); ++tile)
      if (seen[tile] && !shown[tile]) reject(tiles_[tile].row.tile_id, Reason::not_sampled, "none of the locations that show this tile is among the " + std::to_string(kept.size()) + " kept ones");
  }

  [[nodiscard]] StayingTiles staying_tiles() const {
    return [growth = growth_](const std::string& location_id) {
      return growth ? growth->staying(location_id) : std::vector<std::string>{};
    };
  }

  [[nodiscard]] index::PlannerConfig planner_config() const {
    return {.patch_px = views_.patch_px,
            .placement = views_.placement,
            .min_views = views_.min_views,
            .max_views = views_.max_views,
            .min_days_apart = views_.min_days_apart,
            .periods = views_.periods,
            .pairs = views_.pairs,
            .sources = in_.job.view_sources(),
            .max_cloud_frac = views_.max_cloud_frac,
            .anchor_step = anchor_step(in_.job)};
  }

  void take_whole(WholePlan plan) {
    zones_ = plan.crs_count;
    candidate_windows_ = plan.candidates;
    for (const auto& tiles : plan.locations) draft_.add_chip(tiles);
    std::ranges::move(plan.rejections, std::back_inserter(rejections_));
  }

  void plan_zones() {
    homes_ = growth_ ? growth_->zones(tiles_, in_.job.grid) : zones_of(tiles_, in_.job.grid);
    if (growth_) zones_in_use_ = growth_->zones_in_use();
    for (const auto& [epsg, members] : homes_) zones_in_use_.insert(epsg);
    if (views_.placement == index::Placement::points) {
      std::vector<int> codes;
      for (const auto& [epsg, members] : homes_) codes.push_back(epsg);
      points_.emplace(in_, context_, tiles_, codes, staying_tiles());
      for (const auto& [epsg, members] : homes_) plan_zone(epsg, members);
      std::ranges::move(points_->take_rejections(), std::back_inserter(rejections_));
    } else {
      for (const auto& [epsg, members] : with_neighbours(homes_, tiles_)) plan_zone(epsg, members);
      if (growth_) growth_->leave_out_known(draft_);
      drop_claimed_elsewhere();
    }
  }

  void plan_zone(int epsg, const std::vector<std::size_t>& members) {
    const auto lattice = lattice_of_zone(in_.manifest, in_.job.grid, epsg, tiles_, homes_.at(epsg), notes_, anchor_step(in_.job));
    ++zones_;
    auto config = planner_config();
    std::vector<std::vector<std::size_t>> shown_by;
    index::ViewPlan plan;
    if (points_) {
      std::vector<std::size_t> tile_of;
      plan = points_->plan_zone(lattice, config, tile_of);
      for (const auto tile : tile_of) shown_by.push_back({tile});
    } else {
      auto zone = cover(lattice, members);
      config.home = home_of(lattice, zone);
      arena_.execute([&] { plan = grows_by_window() ? growth_->grow(epsg, zone.coverages, config) : index::plan_views(zone.coverages, config); });
      shown_by = std::move(zone.shown_by);
    }
    candidate_windows_ += plan.candidate_windows;
    draft_.add_zone(lattice, plan, shown_by);
  }

  ZoneCoverage cover(const geometry::Lattice& lattice, const std::vector<std::size_t>& members) {
    auto zone = cover_zone(in_, context_, arena_, lattice, tiles_, members, [&](std::size_t count) {
      covered_ += static_cast<std::int64_t>(count);
      context_.on_progress({"views", "tiles", covered_, static_cast<std::int64_t>(tiles_.size())});
    });
    const auto& at_home = homes_.at(lattice.epsg);  // a neighbour that cannot be seen from here is seen from its own zone
    for (const auto& failure : zone.failures)
      if (std::ranges::binary_search(at_home, failure.tile)) reject(tiles_[failure.tile].row.tile_id, failure.reason, failure.detail);
    return zone;
  }

  /// Windows of a zone that borders on another: those whose centre lies in it.
  [[nodiscard]] HomeColumns home_of(const geometry::Lattice& lattice, const ZoneCoverage& zone) const {
    RowSpans rows;
    std::pair<std::int64_t, std::int64_t> cols{INT64_MAX, INT64_MIN};
    for (std::size_t n = 0; n < zone.coverages.size(); ++n) {
      const auto& coverage = zone.coverages[n];
      const auto tile = zone.shown_by[n].front();
      cols = {std::min(cols.first, coverage.i), std::max(cols.second, coverage.i + coverage.valid.width())};
      const bool is_at_home = std::ranges::binary_search(homes_.at(lattice.epsg), tile);
      if (!is_at_home || crosses_border(tiles_[tile].row, lattice.epsg, zones_in_use_)) rows.emplace_back(-coverage.j, -coverage.j + coverage.valid.height());
    }
    return home_columns(lattice, views_.patch_px, zones_in_use_, std::move(rows), cols);
  }

  /// A place that two zones show belongs to one of them, to the earlier one where a plan goes on.
  void drop_claimed_elsewhere() {
    if (zones_in_use_.size() < 2) return;
    double farthest = 0;
    const auto measure = [&](const index::LocationRow& row) { farthest = std::max(farthest, beyond_own_zone(row)); };
    if (growth_) growth_->each_staying_location(measure);
    for (std::size_t n = 0; n < draft_.size(); ++n)
      if (draft_.is_new(n)) measure(draft_.row(n));
    std::vector<index::LocationRow> near;
    std::vector<std::size_t> number;  // in the draft, of those behind the settled ones
    const auto keep = [&](index::LocationRow row) {
      const bool is_near = beyond_own_zone(row) >= -farthest;
      if (is_near) near.push_back(std::move(row));
      return is_near;
    };
    if (growth_) growth_->each_staying_location(keep);
    const auto settled = near.size();
    for (std::size_t n = 0; n < draft_.size(); ++n)
      if (draft_.is_new(n) && keep(draft_.row(n))) number.push_back(n);
    for (const auto n : claimed_elsewhere(near, settled)) {
      draft_.drop(number[n - settled]);
      reject(near[n].location_id, Reason::same_place, "a window of the neighbouring zone shows more than half of this ground with as many views or more");
    }
  }

  void reject(const std::string& subject, Reason reason, const std::string& detail) {
    rejections_.push_back({"views", subject, std::string(index::code(reason)), detail});
  }

  /// Nothing is lost silently: an ok tile that no location sees says so. Then the plan is in the manifest.
  index::PlanCounts complete() {
    auto counts = index::plan_counts(in_.manifest);
    std::set<std::string> rejected;
    const bool is_whole = views_.placement == index::Placement::whole;  // then a view's reason is its tile's
    index::each_rejection(in_.manifest, "views", [&](const auto& rejection) {
      const auto slash = rejection.subject.find('/');
      if (slash == std::string::npos) rejected.insert(rejection.subject);
      else if (is_whole) rejected.insert(rejection.subject.substr(slash + 1));
    });
    for (const auto& tile : tiles_) {
      const auto& id = tile.row.tile_id;
      if (counts.tiles.contains(id) || rejected.contains(id)) continue;
      index::insert(in_.manifest, index::RejectionRow{"views", id, std::string(index::code(Reason::too_few_views)),
                                                      "no chosen location shows this tile: it is too small, too cloudy, or too few others see its ground"});
    }
    if (counts.locations == 0) throw Error::failed(why_nothing());
    return counts;
  }

  [[nodiscard]] std::string why_nothing() const {
    if (ok_tiles_ == 0) {
      std::string names;
      for (const auto& source : in_.job.view_sources()) names += (names.empty() ? "" : ", ") + source;
      return "views: none of the tiles of " + names + " can be used; `tilewright explain JOB scan` counts the reasons";
    }
    std::string reasons;
    for (const auto& [reason, count] : index::rejection_counts(in_.manifest, "views")) reasons += (reasons.empty() ? "" : ", ") + std::to_string(count) + " " + reason;
    if (views_.placement == index::Placement::whole)
      return "views: no location results from " + std::to_string(ok_tiles_) + " ok tiles: " + std::to_string(candidate_windows_) +
             " chips have a usable view, min_views is " + std::to_string(views_.min_views) + (reasons.empty() ? "" : "; rejected: " + reasons) +
             "; use a smaller min_views, a larger max_cloud_frac, or another nodata rule of the source";
    return "views: no location results from " + std::to_string(ok_tiles_) + " ok tiles: " + std::to_string(candidate_windows_) +
           " windows of " + std::to_string(views_.patch_px) + " px at " + std::to_string(in_.job.grid.resolution_m) +
           " m have a usable view, min_views is " + std::to_string(views_.min_views) + (reasons.empty() ? "" : "; rejected: " + reasons) +
           "; use a smaller views.patch_px or min_views, or a larger max_cloud_frac" +
           (views_.placement == index::Placement::lattice ? ", or placement: best_phase, whose windows need not stand at multiples of their size" : "");
  }

  void insert_outcome() {
    remember_sample(in_);
    for (const auto& zone : draft_.zones()) freeze_origin(in_.manifest, zone.lattice);
    draft_.write(in_.manifest, context_);
    for (const auto& rejection : rejections_) index::insert(in_.manifest, rejection);
  }

  [[nodiscard]] std::int64_t zone_count(const index::PlanCounts& counts) const {
    if (!growth_) return zones_;
    auto zones = counts.zones;
    for (const auto& zone : draft_.zones()) zones.insert(zone.lattice.epsg);
    return static_cast<std::int64_t>(zones.size());
  }

  /// Of the whole plan, also where it only went on.
  [[nodiscard]] StageReport report(const index::PlanCounts& counts) const {
    StageReport report;
    report.notes = notes_;
    report.counts = {{"tiles", ok_tiles_},
                     {"tiles_without_view", ok_tiles_ - static_cast<std::int64_t>(counts.tiles.size())},
                     {"zones", zone_count(counts)},
                     {"candidate_windows", candidate_windows_},
                     {"locations", counts.locations},
                     {"views", counts.views},
                     {"views_copied", counts.views - counts.resampled},
                     {"views_resampled", counts.resampled}};
    if (views_.sample) report.counts.emplace_back("locations_not_sampled", not_sampled_);
    for (const auto& [reason, count] : index::rejection_counts(in_.manifest, "views")) report.counts.emplace_back("rejected_" + reason, count);
    return report;
  }

  const StageInput& in_;
  const RunContext& context_;
  const ViewsConfig& views_;
  tbb::task_arena arena_;
  std::vector<PlacedTile> tiles_;
  std::map<int, std::vector<std::size_t>> homes_;  ///< tiles by the zone that they belong to
  std::set<int> zones_in_use_;
  PlanDraft draft_{in_.job, tiles_};
  std::vector<index::RejectionRow> rejections_;    ///< of tiles, chips and points; those of windows are in the draft
  std::optional<PointPlanner> points_;  ///< placement points only
  std::vector<std::string> notes_;
  PlanHistory history_;
  PlanGrowth* growth_ = nullptr;  ///< where the earlier plan goes on
  std::int64_t ok_tiles_ = 0, covered_ = 0, zones_ = 0, not_sampled_ = 0, candidate_windows_ = 0;
};

}  // namespace

StageReport run_views(const StageInput& in, const RunContext& context) { return ViewsStage(in, context).run(); }

}  // namespace tilewright::pipeline
