// SPDX-License-Identifier: Apache-2.0
// The temporal multi-view planner: coverage maps on the zone's lattice (criteria C1-C9).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "geometry/grid.h"
#include "geometry/run_mask.h"
#include "index/placement.h"
#include "index/reason.h"
#include "index/rows.h"

namespace tilewright::index {

/// One tile on the lattice. `valid` already counts kernel erosion for resampled tiles; bit (0, 0)
/// is the lattice cell whose upper-left corner is (i, j).
struct TileCoverage {
  std::string tile_id, source;
  Timestamp acquired;
  bool time_known = false;
  std::int64_t i = 0, j = 0;
  geometry::RunMask valid;
  std::optional<geometry::RunMask> cloud;  ///< same shape; set = cloudy
  bool copied = true;                      ///< false: resampled
  std::string content_hash;                ///< equal = duplicate whatever the time; "" unknown
};

struct PlannerConfig {
  int patch_px = 128;
  Placement placement = Placement::best_phase;
  int min_views = 1;
  int max_views = 0;              ///< 0 = all
  double min_days_apart = 0;      ///< between views of one source; 0 = no rule
  std::vector<Period> periods = {};    ///< one view a period and source; empty = no rule
  std::vector<PairRule> pairs = {};    ///< empty = no rule; one anchor source for all
  std::vector<std::string> sources = {};  ///< with gaps in periods though none of them is seen
  double max_cloud_frac = 0.1;
  double same_pass_s = 60;        ///< known times nearer than this are one acquisition
  /// Columns [first, second) of a row (raster order) that windows may be anchored at; null = all. Called
  /// from several threads.
  std::function<std::pair<std::int64_t, std::int64_t>(std::int64_t row)> home = {};
  int anchor_step = 1;            ///< corners of windows lie at multiples of so many cells from the origin
};

struct PlannedView {
  std::size_t tile = 0;               ///< index into the coverages
  std::optional<double> cloud_frac;
};
struct PlannedLocation {
  geometry::LatticeWindow window;
  std::vector<PlannedView> views;     ///< ordered by (acquired, tile_id)
  std::size_t counted = 0;            ///< what min_views counts
};
struct ViewRejection {
  std::optional<std::size_t> tile;    ///< nullopt: what no tile shows
  geometry::LatticeWindow window;
  Reason reason;
  std::string detail;
};
struct ViewPlan {
  std::vector<PlannedLocation> locations;    ///< ordered by location id's (i, j)
  std::vector<ViewRejection> rejections;     ///< of the chosen locations, by window, then tile_id
  std::int64_t phase_col = 0, phase_row = 0; ///< of best_phase, modulo patch_px
  std::int64_t candidate_windows = 0;        ///< anchors with at least one view
};

/// One zone. Objective: most windows with >= max(2, min_views) acquisitions, then most views, then
/// single-date windows; ties to the smaller (row phase, column phase). A pure function of the set
/// of coverages: input order and thread count change nothing. `taken` windows are kept free.
/// What min_views counts: acquisitions; with periods the filled ones, with pairs the anchor's views
/// that have a partner, with min_days_apart the most that lie so far apart.
ViewPlan plan_views(std::span<const TileCoverage> coverages, const PlannerConfig& config,
                    std::span<const geometry::LatticeWindow> taken = {});

/// Phase (position modulo resolution, to 0.01 px) that most origins have, tie to (0, 0).
geometry::MapXY most_common_phase(std::span<const geometry::MapXY> origins, double resolution);

}  // namespace tilewright::index
