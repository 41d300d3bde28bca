// SPDX-License-Identifier: Apache-2.0
// Reads a vector layer through OGR into plain rings, lines and points.
#include "pipeline/io/vector_layer.h"

#include <cpl_error.h>
#include <ogrsf_frmts.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>

#include "pipeline/config/load.h"
#include "pipeline/io/gdal_crs.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;

struct FeatureCloser {
  void operator()(OGRFeature* feature) const noexcept { OGRFeature::DestroyFeature(feature); }
};
using FeatureHandle = std::unique_ptr<OGRFeature, FeatureCloser>;

struct GeometryCloser {
  void operator()(OGRGeometry* geometry) const noexcept { OGRGeometryFactory::destroyGeometry(geometry); }
};
using GeometryHandle = std::unique_ptr<OGRGeometry, GeometryCloser>;

std::vector<MapXY> points_of(const OGRSimpleCurve& curve) {
  std::vector<MapXY> out(static_cast<std::size_t>(curve.getNumPoints()));
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {curve.getX(static_cast<int>(i)), curve.getY(static_cast<int>(i))};
  return out;
}

geometry::MapPolygon polygon_of(const OGRPolygon& polygon) {
  geometry::MapPolygon out;
  if (const auto* shell = polygon.getExteriorRing()) out.outer = points_of(*shell);
  for (int i = 0; i < polygon.getNumInteriorRings(); ++i) out.holes.push_back(points_of(*polygon.getInteriorRing(i)));
  return out;
}

/// Everything in a geometry, collections flattened; OGR's readers bound the nesting.
void collect(const OGRGeometry& geometry, Feature& out) {
  const auto each = [&](const auto& parts) {
    for (const auto* part : parts) collect(*part, out);
  };
  switch (wkbFlatten(geometry.getGeometryType())) {
    case wkbPoint: {
      const auto& point = *geometry.toPoint();
      if (!point.IsEmpty()) out.points.push_back({point.getX(), point.getY()});
      return;
    }
    case wkbLineString: {
      auto line = points_of(*geometry.toLineString());
      if (!line.empty()) out.lines.push_back(std::move(line));
      return;
    }
    case wkbTriangle:
    case wkbPolygon: {
      auto polygon = polygon_of(*geometry.toPolygon());
      if (!polygon.outer.empty()) out.polygons.push_back(std::move(polygon));
      return;
    }
    case wkbPolyhedralSurface:
    case wkbTIN: return each(*geometry.toPolyhedralSurface());
    case wkbMultiPoint:
    case wkbMultiLineString:
    case wkbMultiPolygon:
    case wkbGeometryCollection: return each(*geometry.toGeometryCollection());
    default: return;
  }
}

/// Exactly one kind: the parts of the highest dimension.
void keep_one_kind(Feature& feature) {
  if (!feature.polygons.empty()) feature.lines.clear();
  if (!feature.polygons.empty() || !feature.lines.empty()) feature.points.clear();
}

void read_geometry(const OGRFeature& feature, Feature& out) {
  const auto* raw = feature.GetGeometryRef();
  if (!raw) return;
  if (raw->hasCurveGeometry()) {
    const GeometryHandle linear(raw->getLinearGeometry());
    if (linear) collect(*linear, out);
  } else {
    collect(*raw, out);
  }
  keep_one_kind(out);
}

/// The value of `key` in OSM's `"key"=>"value","key"=>"value"`, nullopt if it is not there.
std::optional<std::string> tag_of(const std::string& tags, const std::string& key) {
  std::size_t at = 0;
  const auto quoted = [&]() -> std::optional<std::string> {
    at = tags.find('"', at);
    if (at == std::string::npos) return std::nullopt;
    std::string out;
    for (++at; at < tags.size() && tags[at] != '"'; ++at) {
      if (tags[at] == '\\' && at + 1 < tags.size()) ++at;
      out += tags[at];
    }
    ++at;
    return out;
  };
  while (const auto name = quoted()) {
    const auto value = quoted();
    if (value && *name == key) return value;
  }
  return std::nullopt;
}

constexpr const char* kOsmTags = "other_tags";

std::vector<std::string> field_names(OGRLayer& layer) {
  std::vector<std::string> out;
  const auto& definition = *layer.GetLayerDefn();
  for (int i = 0; i < definition.GetFieldCount(); ++i) out.emplace_back(definition.GetFieldDefn(i)->GetNameRef());
  return out;
}

bool contains(const std::vector<std::string>& list, const std::string& text) { return std::find(list.begin(), list.end(), text) != list.end(); }

void check_fields(const std::filesystem::path& file, const VectorLayer& layer, const std::vector<std::string>& wanted) {
  if (contains(layer.fields, kOsmTags)) return;  // any key may be in other_tags
  for (const auto& name : wanted) {
    if (contains(layer.fields, name)) continue;
    const auto near = nearest_name(name, layer.fields);
    std::string all;
    for (const auto& field : layer.fields) all += (all.empty() ? "" : ", ") + field;
    throw Error::config("layer " + layer.name + " of " + file.filename().string() + " has no field '" + name + "'" +
                        (near.empty() ? "; it has: " + all : "; did you mean '" + near + "'?"));
  }
}

/// Conditions as OGR evaluates them, feature by feature.
class Conditions {
 public:
  Conditions(OGRLayer& layer, const std::vector<std::string>& texts) : queries_(texts.size()) {
    for (std::size_t k = 0; k < texts.size(); ++k)
      if (queries_[k].Compile(&layer, texts[k].c_str()) != OGRERR_NONE) refuse(layer, texts[k]);
  }
  [[nodiscard]] std::optional<std::size_t> first_met(OGRFeature& feature) {
    for (std::size_t k = 0; k < queries_.size(); ++k)
      if (queries_[k].Evaluate(&feature) != 0) return k;
    return std::nullopt;
  }
  [[noreturn]] static void refuse(OGRLayer& layer, const std::string& text) {
    std::string all;
    for (const auto& field : field_names(layer)) all += (all.empty() ? "" : ", ") + field;
    throw Error::config("layer " + std::string(layer.GetName()) + ": the condition '" + text + "' is not understood" + gdal_message() +
                        "; write it like: highway IS NOT NULL, with the fields " + all);
  }

 private:
  std::vector<OGRFeatureQuery> queries_;
};

/// The layer without features; its fields are checked.
VectorLayer header_of(OGRLayer& source, const std::filesystem::path& file, const VectorRequest& request) {
  VectorLayer out;
  out.name = source.GetName();
  out.crs = crs_of(source.GetSpatialRef(), file.filename().string());
  if (out.crs.name().starts_with("Undefined ")) out.crs = {};  // what a GeoPackage writes where it knows none
  out.fields = field_names(source);
  check_fields(file, out, request.fields);
  if (!request.where.empty() && source.SetAttributeFilter(request.where.c_str()) != OGRERR_NONE) Conditions::refuse(source, request.where);
  return out;
}

/// OGR writes numbers with 15 digits, which do not always read back to the same number.
std::string text_of(const OGRFeature& raw, int field) {
  if (raw.GetFieldDefnRef(field)->GetType() != OFTReal) return raw.GetFieldAsString(field);
  std::array<char, 32> text;
  const double value = raw.GetFieldAsDouble(field);
  const bool is_plain = value == 0 || (std::abs(value) >= 1e-5 && std::abs(value) < 1e15);  // 100000, not 1e+05
  const auto format = is_plain ? std::chars_format::fixed : std::chars_format::general;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, format).ptr;
  return {text.data(), end};
}

Feature feature_of(const OGRFeature& raw, const std::vector<std::string>& wanted) {
  Feature out;
  out.id = std::to_string(raw.GetFID());
  const int tags = raw.GetFieldIndex(kOsmTags);
  for (const auto& name : wanted) {
    const int field = raw.GetFieldIndex(name.c_str());
    if (field >= 0 && raw.IsFieldSetAndNotNull(field)) {
      out.attributes[name] = text_of(raw, field);
    } else if (field < 0 && tags >= 0 && raw.IsFieldSetAndNotNull(tags)) {
      if (auto value = tag_of(raw.GetFieldAsString(tags), name)) out.attributes[name] = std::move(*value);
    }
  }
  read_geometry(raw, out);
  return out;
}

OGRLayer& find_layer(GDALDataset& dataset, const std::filesystem::path& file, const std::string& name) {
  std::vector<std::string> names;
  for (int i = 0; i < dataset.GetLayerCount(); ++i) names.emplace_back(dataset.GetLayer(i)->GetName());
  std::string all;
  for (const auto& n : names) all += (all.empty() ? "" : ", ") + n;
  if (name.empty() && names.size() == 1) return *dataset.GetLayer(0);
  if (names.empty()) throw Error::config(file.filename().string() + " has no layers; name a file with vector features");
  if (name.empty()) throw Error::config(file.filename().string() + " has " + std::to_string(names.size()) + " layers: name one with `layer:`: " + all);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error::config(file.filename().string() + " has no layer '" + name + "'; it has: " + all);
  return *dataset.GetLayer(static_cast<int>(found - names.begin()));
}

/// Features of one layer in its order. OSM files must be read across all layers at once: the
/// driver would hold back (and finally refuse) the features of layers that nobody asks for.
template <class Take>
void each_feature(GDALDataset& dataset, OGRLayer& wanted, const Take& take) {
  if (!dataset.TestCapability(ODsCRandomLayerRead)) {
    wanted.ResetReading();
    while (const FeatureHandle feature{wanted.GetNextFeature()}) take(*feature);
    return;
  }
  dataset.ResetReading();
  while (true) {
    OGRLayer* layer = nullptr;
    const FeatureHandle feature{dataset.GetNextFeature(&layer, nullptr, nullptr, nullptr)};
    if (!feature) return;
    if (layer == &wanted) take(*feature);
  }
}

}  // namespace

struct VectorReader::State {
  std::filesystem::path file;
  VectorRequest request;
  DatasetHandle dataset;
  OGRLayer* source = nullptr;
  VectorLayer header;

  void read(const VectorRequest& wanted, const std::function<void(Feature&&)>& take) {
    Conditions conditions(*source, wanted.conditions);
    CPLErrorReset();
    std::size_t count = 0;
    each_feature(*dataset, *source, [&](OGRFeature& raw) {
      auto feature = feature_of(raw, wanted.fields);
      feature.met = conditions.first_met(raw);
      ++count;
      take(std::move(feature));
    });
    if (CPLGetLastErrorType() >= CE_Failure)
      throw index::ItemError(index::Reason::unreadable, "reading layer " + header.name + " of " + file.filename().string() + " stopped after " +
                                                            std::to_string(count) + " features" + gdal_message(file));
  }
};

VectorReader::VectorReader(const std::filesystem::path& file, VectorRequest request, const OpenPolicy& policy)
    : state_(std::make_unique<State>(State{file, std::move(request), open_vector_dataset(file, policy), nullptr, {}})) {
  state_->source = &find_layer(*state_->dataset, file, state_->request.layer);
  state_->header = header_of(*state_->source, file, state_->request);
  const Conditions checked(*state_->source, state_->request.conditions);
}
VectorReader::VectorReader(VectorReader&&) noexcept = default;
VectorReader::~VectorReader() = default;

const VectorLayer& VectorReader::header() const { return state_->header; }
void VectorReader::visit(const std::function<void(Feature&&)>& take) { state_->read(state_->request, take); }
void VectorReader::visit_geometries(const std::function<void(Feature&&)>& take) { state_->read({}, take); }

VectorLayer vector_header(const std::filesystem::path& file, const VectorRequest& request, const OpenPolicy& policy) {
  return VectorReader(file, request, policy).header();
}

VectorLayer read_vector_layer(const std::filesystem::path& file, const std::string& layer, const std::vector<std::string>& wanted,
                              const OpenPolicy& policy) {
  VectorReader reader(file, {.layer = layer, .fields = wanted, .where = {}, .conditions = {}}, policy);
  auto out = reader.header();
  reader.visit([&](Feature&& feature) { out.features.push_back(std::move(feature)); });
  return out;
}

std::vector<std::string> check_vector_layer(const std::filesystem::path& file, const std::string& layer, const std::vector<std::string>& wanted, const OpenPolicy& policy) {
  return vector_header(file, {.layer = layer, .fields = wanted, .where = {}, .conditions = {}}, policy).fields;
}

}  // namespace tilewright::pipeline
