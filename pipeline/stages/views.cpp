// SPDX-License-Identifier: Apache-2.0
// The views stage: zones, lattices, coverage of every tile, windows and who sees them.
#include <tbb/task_arena.h>

#include <algorithm>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/view_planner.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/plan_history.h"
#include "pipeline/stages/source_lattice.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/view_rows.h"
#include "pipeline/stages/views_append.h"
#include "pipeline/stages/views_points.h"
#include "pipeline/stages/views_sample.h"
#include "pipeline/stages/views_whole.h"
#include "pipeline/stages/zone_border.h"
#include "pipeline/stages/zone_coverage.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;

geometry::LonLat centre_of(const SourceGrid& tile) {
  const geometry::PixelXY middle{static_cast<double>(tile.width) / 2, static_cast<double>(tile.height) / 2};
  const auto place = geometry::geographic(tile.affine.map_from_pixel(middle), tile.crs);
  if (!place) throw index::ItemError(Reason::not_mappable, "its centre has no longitude and latitude");
  return *place;
}

/// Everything that is written at the end, in one transaction.
struct Outcome {
  std::vector<geometry::Lattice> lattices;
  std::vector<index::LocationRow> locations;
  std::vector<index::ViewRow> views;
  std::vector<index::RejectionRow> rejections;
  std::set<std::string> tiles_with_views;
  std::int64_t candidate_windows = 0;

  void reject(const std::string& subject, Reason reason, const std::string& detail) {
    rejections.push_back({"views", subject, std::string(index::code(reason)), detail});
  }
};

class ViewsStage {
 public:
  ViewsStage(const StageInput& in, const RunContext& context) : in_(in), context_(context), views_(*in.job.views), arena_(std::max(context.threads, 1)) {}

  StageReport run() {
    if (context_.replan)
      in_.manifest.in_transaction([&] {
        index::start_over(in_.manifest);
        index::forget_facts(in_.manifest, "lattice_origin/");
      });
    history_ = history();
    if (history_.same && !context_.is_forced) return *history_.same;
    place_tiles();
    if (history_.appends) return append();
    plan();
    reject_unseen_tiles();
    if (outcome_.locations.empty()) throw Error::failed(why_nothing());
    std::ranges::sort(outcome_.locations, {}, &index::LocationRow::location_id);
    for (const auto& why : history_.why_anew) notes_.push_back("planned anew, because a plan goes on only with the same settings: " + why);
    const auto done = report();
    write(done);
    return done;
  }

 private:
  [[nodiscard]] PlanHistory history() const {
    std::vector<index::TileRow> rows;
    for (const auto& source : in_.job.view_sources()) std::ranges::move(index::tiles(in_.manifest, source, "ok"), std::back_inserter(rows));
    return plan_history(in_, rows);
  }

  void plan() {
    if (views_.placement == index::Placement::whole)
      take_whole(plan_whole(tiles_, planner_config(), staying_tiles()));
    else plan_zones();
    if (views_.sample && !grows_by_window()) keep_sample(sampled_locations(in_, outcome_.locations, outcome_.views));
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
    if (!grows_by_window()) growth.adopt(outcome_.locations, outcome_.views);
    else if (views_.sample) sample_growth();
    std::ranges::sort(outcome_.locations, {}, &index::LocationRow::location_id);
    StageReport done;
    in_.manifest.in_transaction([&] {
      growth.write(outcome_.locations, outcome_.views);
      forget_tile_rejections();
      insert_outcome();
      take_from_manifest();
      if (outcome_.locations.empty()) throw Error::failed(why_nothing());
      done = history_.same ? *history_.same : report();
      if (!history_.same) growth.tell(done);
      record_plan(in_.manifest, history_, done);
    });
    return done;
  }

  /// Earlier picks stay; of the new windows those that the sample has room for.
  void sample_growth() {
    auto locations = growth_->staying_locations();
    auto views = growth_->staying_views();
    locations.insert(locations.end(), outcome_.locations.begin(), outcome_.locations.end());
    views.insert(views.end(), outcome_.views.begin(), outcome_.views.end());
    keep_sample(sampled_locations(in_, locations, views));
  }

  /// Of scenes that are looked at anew or gone.
  void forget_tile_rejections() {
    if (!grows_by_window()) return index::remove_rejections(in_.manifest, "views");  // all are found again
    std::set<std::string> subjects;
    for (const auto& rejection : outcome_.rejections)
      if (rejection.subject.find('/') == std::string::npos) subjects.insert(rejection.subject);
    for (const auto& rejection : index::rejections(in_.manifest, "views"))
      if (history_.is_new(rejection.subject) || history_.removed.contains(rejection.subject)) subjects.insert(rejection.subject);
    for (const auto& subject : subjects) index::remove_rejections(in_.manifest, "views", subject);
  }

  /// What is reported of a plan that goes on is the whole of it.
  void take_from_manifest() {
    outcome_.locations = index::locations(in_.manifest);
    outcome_.views = index::views(in_.manifest);
    for (const auto& view : outcome_.views) outcome_.tiles_with_views.insert(view.tile_id);
    for (const auto& rejection : index::rejections(in_.manifest, "views"))
      if (outcome_.tiles_with_views.contains(rejection.subject)) index::remove_rejections(in_.manifest, "views", rejection.subject);
    outcome_.rejections = index::rejections(in_.manifest, "views");
    const auto known = outcome_.rejections.size();
    reject_unseen_tiles();
    for (auto n = known; n < outcome_.rejections.size(); ++n) index::insert(in_.manifest, outcome_.rejections[n]);
  }

  /// Grids as scan kept them: no raster is opened in this stage.
  void place_tiles() {
    std::map<std::string, geometry::Crs> known;
    for (const auto& source : in_.job.view_sources()) {
      std::map<std::string, SourceGrid> grids;
      for (const auto& row : index::tile_grids(in_.manifest, source)) grids.emplace(row.tile_id, grid_of(row, known));
      for (auto& row : index::tiles(in_.manifest, source, "ok")) {
        context_.check_stop();
        ++ok_tiles_;
        const auto grid = grids.find(row.tile_id);
        if (grid == grids.end()) throw Error::failed("views: the manifest has no grid of tile " + row.tile_id + "; run scan again with --force scan");
        try {
          tiles_.push_back({row, grid->second, centre_of(grid->second), in_.job.source(source).resolution_m.value_or(0)});
        } catch (const index::ItemError& error) {
          outcome_.reject(row.tile_id, error.reason(), error.what());
        }
      }
    }
  }

  /// What is not sampled is as if it had not been planned; only tiles that nothing shows any more say so.
  void keep_sample(const std::set<std::string>& kept) {
    const auto is_dropped = [&](const std::string& id) { return !kept.contains(id); };
    const auto seen = std::move(outcome_.tiles_with_views);
    outcome_.tiles_with_views.clear();
    not_sampled_ = static_cast<std::int64_t>(std::erase_if(outcome_.locations, [&](const auto& row) { return is_dropped(row.location_id); }));
    std::erase_if(outcome_.views, [&](const auto& row) { return is_dropped(row.location_id); });
    std::erase_if(outcome_.rejections, [&](const auto& row) {
      const auto slash = row.subject.find('/');
      return slash != std::string::npos && is_dropped(row.subject.substr(0, slash));
    });
    for (const auto& view : outcome_.views) outcome_.tiles_with_views.insert(view.tile_id);
    for (const auto& tile : seen)
      if (!outcome_.tiles_with_views.contains(tile)) outcome_.reject(tile, Reason::not_sampled, "none of the locations that show this tile is among the " + std::to_string(kept.size()) + " kept ones");
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
    outcome_.candidate_windows = plan.candidates;
    for (const auto& view : plan.views) outcome_.tiles_with_views.insert(view.tile_id);
    outcome_.locations = std::move(plan.locations);
    outcome_.views = std::move(plan.views);
    std::ranges::move(plan.rejections, std::back_inserter(outcome_.rejections));
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
      std::ranges::move(points_->take_rejections(), std::back_inserter(outcome_.rejections));
    } else {
      for (const auto& [epsg, members] : with_neighbours(homes_, tiles_)) plan_zone(epsg, members);
      drop_claimed_elsewhere();
    }
  }

  void plan_zone(int epsg, const std::vector<std::size_t>& members) {
    const auto lattice = lattice_of_zone(in_.manifest, in_.job.grid, epsg, tiles_, homes_.at(epsg), notes_, anchor_step(in_.job));
    outcome_.lattices.push_back(lattice);
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
    take_zone(lattice, plan, shown_by);
  }

  ZoneCoverage cover(const geometry::Lattice& lattice, const std::vector<std::size_t>& members) {
    auto zone = cover_zone(in_, context_, arena_, lattice, tiles_, members, [&](std::size_t count) {
      covered_ += static_cast<std::int64_t>(count);
      context_.on_progress({"views", "tiles", covered_, static_cast<std::int64_t>(tiles_.size())});
    });
    const auto& at_home = homes_.at(lattice.epsg);  // a neighbour that cannot be seen from here is seen from its own zone
    for (const auto& failure : zone.failures)
      if (std::ranges::binary_search(at_home, failure.tile)) outcome_.reject(tiles_[failure.tile].row.tile_id, failure.reason, failure.detail);
    return zone;
  }

  /// Rows of what the planner chose in a zone.
  void take_zone(const geometry::Lattice& lattice, const index::ViewPlan& plan, const std::vector<std::vector<std::size_t>>& shown_by) {
    outcome_.candidate_windows += plan.candidate_windows;
    const auto crs = geometry::Crs::from_epsg(lattice.epsg);
    std::map<std::string, geometry::Transform> source_from_zone;  // by the source's system
    for (const auto& planned : plan.locations) {
      const auto id = geometry::location_id(lattice, planned.window);
      if (!grows_by_window() || !growth_->has_location(id)) outcome_.locations.push_back(location_row(lattice, crs, planned));
      for (const auto& view : planned.views) {
        for (const auto n : shown_by[view.tile]) {
          const auto& tile = tiles_[n];
          if (grows_by_window() && growth_->has_view(id, tile.row.tile_id)) continue;
          outcome_.views.push_back(view_row(in_.job, lattice, planned.window, tile, source_from_zone.try_emplace(tile.grid.crs.wkt(), crs, tile.grid.crs).first->second, view));
          outcome_.tiles_with_views.insert(tile.row.tile_id);
        }
      }
    }
    for (const auto& rejection : plan.rejections)
      outcome_.reject(geometry::location_id(lattice, rejection.window) + (rejection.tile ? "/" + tiles_[shown_by[*rejection.tile].front()].row.tile_id : ""),
                      rejection.reason, rejection.detail);
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
    auto all = grows_by_window() ? growth_->staying_locations() : std::vector<index::LocationRow>{};
    const auto settled = all.size();
    all.insert(all.end(), outcome_.locations.begin(), outcome_.locations.end());
    std::set<std::string> dropped;
    for (const auto n : claimed_elsewhere(all, settled)) dropped.insert(all[n].location_id);
    if (dropped.empty()) return;
    const auto is_of = [&](const std::string& subject) { return dropped.contains(subject.substr(0, subject.find('/'))); };
    std::erase_if(outcome_.locations, [&](const auto& row) { return is_of(row.location_id); });
    std::erase_if(outcome_.views, [&](const auto& row) { return is_of(row.location_id); });
    std::erase_if(outcome_.rejections, [&](const auto& row) { return is_of(row.subject); });
    for (const auto& id : dropped) outcome_.reject(id, Reason::same_place, "a window of the neighbouring zone shows more than half of this ground with as many views or more");
    outcome_.tiles_with_views.clear();
    for (const auto& view : outcome_.views) outcome_.tiles_with_views.insert(view.tile_id);
  }

  /// Nothing is lost silently: an ok tile that no location sees says so.
  void reject_unseen_tiles() {
    std::set<std::string> rejected;
    const bool is_whole = views_.placement == index::Placement::whole;  // then a view's reason is its tile's
    for (const auto& rejection : outcome_.rejections) rejected.insert(is_whole ? rejection.subject.substr(rejection.subject.find('/') + 1) : rejection.subject);
    for (const auto& tile : tiles_) {
      if (outcome_.tiles_with_views.contains(tile.row.tile_id) || rejected.contains(tile.row.tile_id)) continue;
      outcome_.reject(tile.row.tile_id, Reason::too_few_views, "no chosen location shows this tile: it is too small, too cloudy, or too few others see its ground");
    }
  }

  [[nodiscard]] std::string why_nothing() const {
    if (ok_tiles_ == 0) {
      std::string names;
      for (const auto& source : in_.job.view_sources()) names += (names.empty() ? "" : ", ") + source;
      return "views: none of the tiles of " + names + " can be used; `tilewright explain JOB scan` counts the reasons";
    }
    std::map<std::string, std::int64_t> by_reason;
    for (const auto& rejection : outcome_.rejections) ++by_reason[rejection.reason];
    std::string reasons;
    for (const auto& [reason, count] : by_reason) reasons += (reasons.empty() ? "" : ", ") + std::to_string(count) + " " + reason;
    if (views_.placement == index::Placement::whole)
      return "views: no location results from " + std::to_string(ok_tiles_) + " ok tiles: " + std::to_string(outcome_.candidate_windows) +
             " chips have a usable view, min_views is " + std::to_string(views_.min_views) + (reasons.empty() ? "" : "; rejected: " + reasons) +
             "; use a smaller min_views, a larger max_cloud_frac, or another nodata rule of the source";
    return "views: no location results from " + std::to_string(ok_tiles_) + " ok tiles: " + std::to_string(outcome_.candidate_windows) +
           " windows of " + std::to_string(views_.patch_px) + " px at " + std::to_string(in_.job.grid.resolution_m) +
           " m have a usable view, min_views is " + std::to_string(views_.min_views) + (reasons.empty() ? "" : "; rejected: " + reasons) +
           "; use a smaller views.patch_px or min_views, or a larger max_cloud_frac" +
           (views_.placement == index::Placement::lattice ? ", or placement: best_phase, whose windows need not stand at multiples of their size" : "");
  }

  void insert_outcome() {
    remember_sample(in_);
    for (const auto& lattice : outcome_.lattices) freeze_origin(in_.manifest, lattice);
    for (const auto& location : outcome_.locations) index::insert(in_.manifest, location);
    for (const auto& view : outcome_.views) index::insert(in_.manifest, view);
    for (const auto& rejection : outcome_.rejections) index::insert(in_.manifest, rejection);
  }

  /// A plan from scratch: what masks and parts kept of the earlier one goes with it.
  void write(const StageReport& done) {
    in_.manifest.in_transaction([&] {
      index::start_over(in_.manifest);
      insert_outcome();
      record_plan(in_.manifest, history_, done);
    });
  }

  [[nodiscard]] std::int64_t zone_count() const {
    if (!growth_) return zones_;
    std::set<int> zones;
    for (const auto& lattice : outcome_.lattices) zones.insert(lattice.epsg);
    for (const auto& location : outcome_.locations) zones.insert(location.epsg);
    return static_cast<std::int64_t>(zones.size());
  }

  [[nodiscard]] StageReport report() const {
    const auto resampled = std::ranges::count_if(outcome_.views, [](const auto& view) { return view.resampled; });
    StageReport report;
    report.notes = notes_;
    report.counts = {{"tiles", ok_tiles_},
                     {"tiles_without_view", ok_tiles_ - static_cast<std::int64_t>(outcome_.tiles_with_views.size())},
                     {"zones", zone_count()},
                     {"candidate_windows", outcome_.candidate_windows},
                     {"locations", static_cast<std::int64_t>(outcome_.locations.size())},
                     {"views", static_cast<std::int64_t>(outcome_.views.size())},
                     {"views_copied", static_cast<std::int64_t>(outcome_.views.size()) - resampled},
                     {"views_resampled", resampled}};
    if (views_.sample) report.counts.emplace_back("locations_not_sampled", not_sampled_);
    std::map<std::string, std::int64_t> by_reason;
    for (const auto& rejection : outcome_.rejections) ++by_reason[rejection.reason];
    for (const auto& [reason, count] : by_reason) report.counts.emplace_back("rejected_" + reason, count);
    return report;
  }

  const StageInput& in_;
  const RunContext& context_;
  const ViewsConfig& views_;
  tbb::task_arena arena_;
  std::vector<PlacedTile> tiles_;
  std::map<int, std::vector<std::size_t>> homes_;  ///< tiles by the zone that they belong to
  std::set<int> zones_in_use_;
  Outcome outcome_;
  std::optional<PointPlanner> points_;  ///< placement points only
  std::vector<std::string> notes_;
  PlanHistory history_;
  PlanGrowth* growth_ = nullptr;  ///< where the earlier plan goes on
  std::int64_t ok_tiles_ = 0, covered_ = 0, zones_ = 0, not_sampled_ = 0;
};

}  // namespace

StageReport run_views(const StageInput& in, const RunContext& context) { return ViewsStage(in, context).run(); }

}  // namespace tilewright::pipeline
