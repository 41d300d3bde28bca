// SPDX-License-Identifier: Apache-2.0
// A plan that goes on: locations stay, their views grow or shrink, new windows go into free ground.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "index/extend_views.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/plan_draft.h"
#include "pipeline/stages/plan_history.h"

namespace tilewright::pipeline {

/// A location of the earlier plan that a scene has come to, changed under or gone from.
struct KeptLocation {
  int epsg = 0;
  geometry::LatticeWindow window;
  std::vector<std::string> views;      ///< tiles that it shows, as the manifest has them
  std::vector<std::string> staying;    ///< those that stay
};

/// Which part of a plan new, changed and gone scenes touch, and what becomes of it.
class PlanGrowth {
 public:
  /// `everything`: look at every location, not only at those that a scene touches.
  PlanGrowth(const StageInput& in, const PlanHistory& history, const std::vector<PlacedTile>& tiles, bool everything);

  /// Zones as zones_of gives them, but a tile stays where it has views and a new one joins a zone
  /// that is there. Only tiles that are needed.
  [[nodiscard]] std::map<int, std::vector<std::size_t>> zones(const std::vector<PlacedTile>& tiles, const GridConfig& grid) const;

  /// Zones of the earlier plan.
  [[nodiscard]] std::set<int> zones_in_use() const;

  /// Views of the touched locations of a zone, and new windows; `coverages` are used up.
  index::ViewPlan grow(int epsg, std::vector<index::TileCoverage>& coverages, const index::PlannerConfig& config);

  /// For placements that find every location again: settles what stays of the earlier plan where
  /// `draft` is the whole of the later one.
  void adopt(const PlanDraft& draft);
  /// Of `draft` what the manifest has already is not written again.
  void leave_out_known(PlanDraft& draft) const;

  /// Tiles of the views that a location of the earlier plan keeps; none where it is not known.
  [[nodiscard]] std::vector<std::string> staying(const std::string& location_id) const;

  /// Locations and views of the earlier plan that stay, as the manifest has them, by id.
  void each_staying_location(const std::function<void(index::LocationRow)>& use) const;
  void each_staying_view(const std::function<void(index::ViewRow)>& use) const;

  /// True if the earlier plan has this view and it stays.
  [[nodiscard]] bool has_view(const std::string& location_id, const std::string& tile_id) const;
  [[nodiscard]] bool has_location(const std::string& location_id) const { return kept_.contains(location_id) && !dropped_.contains(location_id); }

  /// Forgets what goes and records every change; then the caller inserts what is new. In a transaction.
  void write(const PlanDraft& draft) const;

  /// Views and tiles of the manifest after `write`, and what changed since the earlier plan.
  void tell(StageReport& report) const;

 private:
  [[nodiscard]] std::string fate_of(const std::string& tile_id) const;
  [[nodiscard]] std::set<std::string> disturbed() const;
  void read_plan(bool everything);
  void read_views();
  void find_needed();
  void settle(const std::string& id, const KeptLocation& kept, const std::set<std::string>& seen, bool is_dropped);
  void write_changes(const PlanDraft& draft) const;

  const StageInput& in_;
  const PlanHistory& history_;
  const std::vector<PlacedTile>& tiles_;
  std::map<std::string, KeptLocation> kept_;                            ///< touched, by id
  std::map<int, std::vector<geometry::LatticeWindow>> untouched_;       ///< by zone
  std::map<std::string, std::set<int>> zones_of_tile_;                  ///< of tiles that views show
  std::map<std::string, std::vector<geometry::Box>> known_boxes_;       ///< of those tiles
  std::vector<geometry::Box> ground_;                                   ///< of touched locations and new scenes
  std::set<std::string> needed_;                                        ///< tiles whose masks are asked for
  std::map<std::string, int> counts_;                                   ///< views of each touched location that stays
  std::set<std::string> dropped_;                                       ///< locations
  std::set<std::pair<std::string, std::string>> gone_;                  ///< views: location, tile
};

}  // namespace tilewright::pipeline
