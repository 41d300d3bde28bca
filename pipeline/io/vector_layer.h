// SPDX-License-Identifier: Apache-2.0
// Features of a vector layer with geometry and attributes, in the CRS that is asked for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
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
  std::optional<std::size_t> met;                    ///< first of VectorRequest::conditions that holds
};

struct VectorLayer {
  std::string name;
  geometry::Crs crs;                                 ///< of the coordinates in `features`
  std::vector<std::string> fields;                   ///< all fields of the layer
  std::vector<Feature> features;                     ///< in layer order
};

/// What is asked of a layer.
struct VectorRequest {
  std::string layer;                                 ///< empty = the only one
  std::vector<std::string> fields;                   ///< must exist, except in OSM files: other_tags may hold any
  std::string where;                                 ///< OGR condition: others are not read; empty = all
  std::vector<std::string> conditions;               ///< OGR conditions on the fields of the layer
};

/// The layer without its features. Throws what reading it would throw before its first feature: Error::config
/// for a layer, field or condition, ItemError for the file.
VectorLayer vector_header(const std::filesystem::path& file, const VectorRequest& request, const OpenPolicy& policy);
/// An open layer that may be read more than once. Not for several threads.
class VectorReader {
 public:
  /// Throws as vector_header.
  VectorReader(const std::filesystem::path& file, VectorRequest request, const OpenPolicy& policy);
  VectorReader(VectorReader&&) noexcept;
  ~VectorReader();
  [[nodiscard]] const VectorLayer& header() const;  ///< without features
  /// Calls `take` with one feature after the other, in layer order: memory does not grow with the layer, as far
  /// as OGR's driver reads it bit by bit. Throws ItemError where reading stops.
  void visit(const std::function<void(Feature&&)>& take);
  void visit_geometries(const std::function<void(Feature&&)>& take);  ///< without attributes and conditions

 private:
  struct State;
  std::unique_ptr<State> state_;
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
