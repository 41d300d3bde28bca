// SPDX-License-Identifier: Apache-2.0
// Placement `points`: the window of the lattice around each point of a vector layer.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "index/view_planner.h"
#include "pipeline/stages/grid_zone.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/views_whole.h"

namespace tilewright::pipeline {

/// Window of `size_px` in which the pixel that holds the point has index floor(size_px / 2) in column and
/// row, from the upper left: the middle pixel of an odd size, the one below right of the middle of an even
/// one. A point on the border of pixels belongs to the pixel right of it and below.
geometry::LatticeWindow window_around(const geometry::Lattice& lattice, geometry::MapXY point, int size_px);

/// Windows around the points of `views.points`, and who sees them.
class PointPlanner {
 public:
  /// Reads the points and gives each a zone: the only one, else WGS84 UTM of the point, else the nearest
  /// one that has tiles. Throws Error::config for a file or layer that is not there or has no points.
  PointPlanner(const StageInput& in, const RunContext& context,
               const std::vector<PlacedTile>& tiles, const std::vector<int>& zones,
               StayingTiles staying);

  /// Locations of a zone. Any tile may show one, whatever its own zone; `tile_of`: index into tiles of the
  /// plan's tile numbers. Windows may overlap. Each point becomes a location or is rejected.
  index::ViewPlan plan_zone(const geometry::Lattice& lattice, const index::PlannerConfig& config, std::vector<std::size_t>& tile_of);

  /// Subject `points/<feature id>`: null_geometry, bad_geometry, not_mappable, same_place, outside_rasters,
  /// view_invalid (too near the edge of every tile), view_cloudy, too_few_views; and tiles without masks.
  [[nodiscard]] std::vector<index::RejectionRow> take_rejections() { return std::move(rejections_); }

 private:
  struct Point {
    std::string id;      ///< feature id of the layer
    geometry::MapXY at;  ///< in the layer's CRS
  };
  struct Window;
  void reject(const std::string& id, index::Reason reason, const std::string& detail);
  std::vector<Window> windows_of(const geometry::Lattice& lattice, int size_px);
  void cut_tile(std::size_t tile, std::size_t number, const geometry::Lattice& lattice, std::vector<Window>& windows);
  [[nodiscard]] index::ViewPlan views_of(const Window& window,
                                         const std::vector<std::string>& staying,
                                         const index::PlannerConfig& config) const;
  void decide(const Window& window, const std::vector<std::string>& staying,
              const index::PlannerConfig& config, const std::vector<std::size_t>& tile_of,
              index::ViewPlan& plan);

  const StageInput& in_;
  const RunContext& context_;
  const std::vector<PlacedTile>& tiles_;
  StayingTiles staying_;
  geometry::Crs layer_crs_;
  std::map<int, std::vector<Point>> by_zone_;
  std::vector<index::RejectionRow> rejections_;
};

/// An attribute of the point of each location (`placement: points`), by location_id; features without the
/// attribute are left out. Throws as PointPlanner does.
std::map<std::string, std::string> point_attributes(const StageInput& in, const std::vector<std::string>& location_ids, const std::string& field);

}  // namespace tilewright::pipeline
