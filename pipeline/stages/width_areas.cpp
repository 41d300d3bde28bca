// SPDX-License-Identifier: Apache-2.0
// Reads polygons with a width and looks places up in them.
#include "pipeline/stages/width_areas.h"

#include <algorithm>

#include "geometry/error.h"
#include "index/reason.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/io/width_table.h"

namespace tilewright::pipeline {

WidthAreas::WidthAreas(const std::string& layer, const WidthAreaConfig& config, const std::filesystem::path& file, const geometry::Crs& crs, const OpenPolicy& policy) {
  std::vector<std::string> wanted{config.width};
  if (config.road_class) wanted.push_back(*config.road_class);
  VectorLayer source;
  try {
    source = read_vector_layer(file, config.layer.value_or(""), wanted, policy);
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + layer + ": width.areas: cannot read " + file.string() + ": " + error.what() + "; repair the file, or name another in the job");
  }
  for (Feature& feature : source.features) {
    const auto width = feature.attributes.find(config.width);
    const auto metres = width == feature.attributes.end() ? std::nullopt : parse_width_m(width->second);
    auto gated = geometry::gate(std::move(feature.polygons));
    if (!metres || gated.polygons.empty()) continue;
    auto mapped = geometry::projected(gated.polygons, source.crs, crs, 500);
    if (!mapped) continue;
    const auto road_class = config.road_class ? feature.attributes.find(*config.road_class) : feature.attributes.end();
    const auto box = geometry::bounds(*mapped);
    areas_.push_back({std::move(*mapped), box, road_class == feature.attributes.end() ? "" : lower_case(trimmed(road_class->second)), {*metres, feature.id}});
  }
  if (areas_.empty())
    throw Error::failed("layer " + layer + ": width.areas: none of the " + std::to_string(source.features.size()) + " features of " + file.string() +
                        " is a polygon with a width in " + config.width + "; give metres such as 6.5");
  std::ranges::stable_sort(areas_, {}, [](const Area& area) { return area.road_class.empty(); });
}

std::optional<WidthAreas::Found> WidthAreas::find(geometry::MapXY place, const std::string& road_class) const {
  for (const Area& area : areas_) {
    if (!area.road_class.empty() && area.road_class != road_class) continue;
    const auto& b = area.box;
    if (place.x < b.min_x || place.x > b.max_x || place.y < b.min_y || place.y > b.max_y) continue;
    if (geometry::contains(area.polygons, place)) return area.found;
  }
  return std::nullopt;
}

}  // namespace tilewright::pipeline
