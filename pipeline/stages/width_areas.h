// SPDX-License-Identifier: Apache-2.0
// Widths that hold inside polygons: towns, districts, countries.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "pipeline/config/label_config.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

class WidthAreas {
 public:
  struct Found {
    double metres = 0;
    std::string id;  ///< of the polygon in its file
  };
  /// Polygons of `file` in `crs`. Those without a usable width or geometry are left out; throws Error::failed
  /// naming `layer` if none is left, Error::config for a field that is missing.
  WidthAreas(const std::string& layer, const WidthAreaConfig& config, const std::filesystem::path& file, const geometry::Crs& crs, const OpenPolicy& policy);
  /// The first polygon that holds `place` and is of `road_class` (lower case) or of all; those of a class go first.
  [[nodiscard]] std::optional<Found> find(geometry::MapXY place, const std::string& road_class) const;

 private:
  struct Area {
    geometry::MapMultiPolygon polygons;
    geometry::Box box;
    std::string road_class;  ///< "" = all
    Found found;
  };
  std::vector<Area> areas_;
};

}  // namespace tilewright::pipeline
