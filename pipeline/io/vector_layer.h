// SPDX-License-Identifier: Apache-2.0
// Features of a vector layer with geometry and attributes, in the CRS that is asked for.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "geometry/crs.h"
#include "geometry/polygon.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

/// Exactly one of polygons, lines, points is filled; all empty = NULL or empty geometry.
struct Feature {
  std::string id;                                    ///< feature id of the layer
  std::map<std::string, std::string> attributes;     ///< wanted fields that are not NULL, as text
  geometry::MapMultiPolygon polygons;                ///< as read: not gated
  std::vector<geometry::MapLine> lines;
  std::vector<geometry::MapXY> points;
};

struct VectorLayer {
  std::string name;
  geometry::Crs crs;                                 ///< of the coordinates in `features`
  std::vector<std::string> fields;                   ///< all fields of the layer
  std::vector<Feature> features;                     ///< in layer order
};

/// Reads a whole layer. `layer` empty = the only one (else Error::config that lists them);
/// `wanted` fields must exist (Error::config with the nearest name). Curves are linearized, Z and M
/// dropped, GeometryCollections flattened.
VectorLayer read_vector_layer(const std::filesystem::path& file, const std::string& layer,
                              const std::vector<std::string>& wanted, const OpenPolicy& policy);

/// Throws what read_vector_layer would throw before its first feature: the file, layer or a field is not there.
/// Fields of the layer are the result.
std::vector<std::string> check_vector_layer(const std::filesystem::path& file, const std::string& layer, const std::vector<std::string>& wanted, const OpenPolicy& policy);

}  // namespace tilewright::pipeline
