// SPDX-License-Identifier: Apache-2.0
// A plan of views while it is made: numbers, of which rows are made one by one when they are
// written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <unordered_map>
#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/manifest.h"
#include "index/view_planner.h"
#include "pipeline/config/job.h"
#include "pipeline/context.h"
#include "pipeline/stages/grid_zone.h"

namespace tilewright::pipeline {

/// Locations, their views and why other tiles are none: some 50 bytes a location, 16 a view and 16
/// a rejection. `job` and `tiles` outlive it.
class PlanDraft {
 public:
  PlanDraft(const Job& job, const std::vector<PlacedTile>& tiles) : job_(job), tiles_(tiles) {}

  /// What the planner chose on a lattice; `shown_by`: the tiles behind each of its tile numbers.
  void add_zone(const geometry::Lattice& lattice, const index::ViewPlan& plan,
                const std::vector<std::vector<std::size_t>>& shown_by);
  /// A pre-cut chip that these tiles show.
  void add_chip(const std::vector<std::size_t>& tiles);

  [[nodiscard]] std::size_t size() const { return locations_.size(); }
  [[nodiscard]] std::string id(std::size_t n) const;
  [[nodiscard]] int view_count(std::size_t n) const {
    return static_cast<int>(locations_[n].view_count);
  }
  [[nodiscard]] index::LocationRow row(std::size_t n) const;
  struct Zone {
    geometry::Lattice lattice;
    geometry::Crs crs;
  };
  [[nodiscard]] const std::vector<Zone>& zones() const { return zones_; }

  /// Locations and views that the manifest has already are not written again.
  void leave_out(const std::function<bool(const std::string& location_id)>& has_location,
                 const std::function<bool(const std::string& location_id,
                                          const std::string& tile_id)>& has_view);
  /// Neither the location nor its views and rejections are written.
  void drop(std::size_t n) { locations_[n].is_dropped = true; }
  [[nodiscard]] bool is_dropped(std::size_t n) const { return locations_[n].is_dropped; }
  /// The location's row is to be written.
  [[nodiscard]] bool is_new(std::size_t n) const {
    return !locations_[n].is_known && !locations_[n].is_dropped;
  }
  /// Tiles of the views of a location that are to be written, in order.
  [[nodiscard]] std::vector<std::size_t> tiles_of(std::size_t n) const;
  /// By tile: whether such a view shows it.
  [[nodiscard]] std::vector<bool> shown_tiles() const;

  /// Rows by location_id, then views, then rejections. Call in a transaction.
  void write(index::Manifest& manifest, const RunContext& context) const;

 private:
  static constexpr std::uint32_t kChip = std::numeric_limits<std::uint32_t>::max();  ///< as zone
  static constexpr std::uint32_t kNoTile = std::numeric_limits<std::uint32_t>::max();
  struct Location {
    std::int64_t i = 0, j = 0;  ///< of its window; of a chip nothing
    std::size_t first_view = 0;
    std::uint32_t zone = 0, views = 0,
                  view_count =
                      0;  ///< number of the lattice; rows; what the planner counts as views
    bool is_known = false, is_dropped = false;
  };
  struct View {
    double cloud_frac = 0;  ///< NaN: not known
    std::uint32_t tile = 0;
    bool is_known = false;
  };
  struct Rejection {
    std::uint32_t location = 0, tile = 0, detail = 0;
    index::Reason reason{};
  };
  class ViewWriter;

  [[nodiscard]] geometry::LatticeWindow window(const Location& location) const {
    return {location.i, location.j, job_.views->patch_px};
  }
  [[nodiscard]] std::vector<std::uint32_t> by_id() const;
  void add_rejections(const index::ViewPlan& plan, std::size_t first,
                      const std::vector<std::vector<std::size_t>>& shown_by);
  std::uint32_t detail_number(const std::string& text);

  const Job& job_;
  const std::vector<PlacedTile>& tiles_;
  std::vector<Zone> zones_;
  std::deque<Location> locations_;
  std::deque<View> views_;
  std::deque<Rejection> rejections_;
  std::unordered_map<std::string, std::uint32_t> detail_numbers_;
  std::vector<const std::string*> details_;  ///< few texts, each once
};

}  // namespace tilewright::pipeline
