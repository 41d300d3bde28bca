// SPDX-License-Identifier: Apache-2.0
// Reads the files of a layer, twice where lines meet: first their ends, then the objects.
#include "pipeline/stages/label_objects.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "geometry/error.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/label_maker.h"
#include "pipeline/stages/line_network.h"
#include "pipeline/stages/width_rules.h"

namespace tilewright::pipeline {
namespace {

/// A foreign file that cannot be read stops the stage, with the layer's name in the text.
auto with_name(const std::string& name, const std::filesystem::path& file, const auto& read) {
  try {
    return read();
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + name + ": cannot read " + file.string() + ": " + error.what() + "; repair the file, or name another in the job");
  }
}

std::optional<WidthRules> width_rules_of(const LayerConfig& config, const LabelFiles& files) {
  if (!config.width) return std::nullopt;
  return WidthRules(*config.width, files.width_table);
}

VectorRequest request_of(const LayerConfig& config, const std::optional<WidthRules>& widths) {
  std::set<std::string> fields;
  if (config.class_rule.by_field) fields.insert(config.class_rule.by_field->field);
  if (config.valid && config.valid->field) fields.insert(*config.valid->field);
  if (config.levels)
    for (const auto& field : {config.levels->bridge, config.levels->tunnel, config.levels->level})
      if (field) fields.insert(*field);
  if (widths)
    for (const auto& field : widths->fields()) fields.insert(field);
  VectorRequest request{.layer = config.layer.value_or(""), .fields = {fields.begin(), fields.end()}, .where = config.where.value_or(""), .conditions = {}};
  for (const auto& rule : config.class_rule.by_condition) request.conditions.push_back(rule.where);
  return request;
}

std::vector<std::filesystem::path> all_files(const LabelFiles& files) {
  std::vector<std::filesystem::path> all{files.vector};
  all.insert(all.end(), files.more.begin(), files.more.end());
  return all;
}

/// The files of a layer, one after the other. One file stays open between passes: some drivers read all of it to open it.
class LayerFiles {
 public:
  LayerFiles(const std::string& name, std::vector<std::filesystem::path> files, VectorRequest request, const OpenPolicy& policy)
      : name_(name), files_(std::move(files)), request_(std::move(request)), policy_(policy) {}

  /// Calls `use(reader, file)` for each file.
  template <class Use>
  void each(Use use) {
    for (const auto& file : files_)
      with_name(name_, file, [&] {
        if (files_.size() > 1) {
          VectorReader reader(file, request_, policy_);
          return use(reader, file);
        }
        if (!only_) only_.emplace(file, request_, policy_);
        use(*only_, file);
      });
  }
  /// The CRS that all of them have.
  [[nodiscard]] geometry::Crs crs() {
    geometry::Crs crs;
    each([&](VectorReader& reader, const std::filesystem::path& file) {
      const auto& own = reader.header().crs;
      if (!own.known()) throw Error::failed("layer " + name_ + ": " + file.string() + " does not say its CRS; write it with one, such as EPSG:4326");
      if (crs.known() && !crs.same_as(own))
        throw Error::failed("layer " + name_ + ": " + file.string() + " is in " + own.name() + ", the files before it in " + crs.name() + "; write them in one CRS");
      if (!crs.known()) crs = own;
    });
    return crs;
  }
  [[nodiscard]] bool are_several() const { return files_.size() > 1; }

 private:
  const std::string& name_;
  std::vector<std::filesystem::path> files_;
  VectorRequest request_;
  const OpenPolicy& policy_;
  std::optional<VectorReader> only_;
};

/// The ends of all lines, in a pass of its own.
LineNetwork network_of(const LayerConfig& config, LayerFiles& files) {
  LineNetwork network;
  if (config.draw != Draw::lines) return network;
  files.each([&](VectorReader& reader, const std::filesystem::path&) {
    reader.visit_geometries([&](Feature&& feature) {
      for (const auto& line : feature.lines) network.add_ends(line);
    });
  });
  network.seal();
  return network;
}

}  // namespace

std::vector<geometry::MapMultiPolygon> read_extent(const std::string& name, const std::filesystem::path& file, const geometry::Crs& crs,
                                                   const OpenPolicy& policy, const std::string& file_layer) {
  std::vector<geometry::MapMultiPolygon> extent;
  VectorLayer layer = with_name(name, file, [&] { return read_vector_layer(file, file_layer, {}, policy); });
  for (Feature& feature : layer.features) {
    auto gated = geometry::gate(std::move(feature.polygons));
    if (gated.polygons.empty()) continue;
    auto mapped = geometry::projected(gated.polygons, layer.crs, crs, 500);
    if (mapped) extent.push_back(std::move(*mapped));
  }
  if (extent.empty())
    throw Error::failed("layer " + name + ": the extent " + file.string() + " has no polygon that can be used; give a file with polygons, or bounds, hull, all");
  return extent;
}

void reject(LabelObjects& objects, std::size_t feature, index::Reason reason, const std::string& detail) {
  objects.rows[feature].status = "rejected";
  objects.rows[feature].reason = std::string(index::code(reason));
  objects.details[feature] = detail;
}

void check_label_source(const std::string& name, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy) {
  const auto request = request_of(config, width_rules_of(config, files));
  for (const auto& file : all_files(files)) with_name(name, file, [&] { return vector_header(file, request, policy); });
}

LabelObjects read_label_objects(const std::string& name, const LayerConfig& config, const LabelFiles& paths, const OpenPolicy& policy, const MakeNearTest& near) {
  auto widths = width_rules_of(config, paths);
  LayerFiles files(name, all_files(paths), request_of(config, widths), policy);
  LabelObjects out;
  out.layer = name;
  out.crs = files.crs();
  std::optional<WidthAreas> areas;
  if (config.width && config.width->areas) widths->set_areas(&areas.emplace(name, *config.width->areas, paths.areas, out.crs, policy));
  auto network = network_of(config, files);
  LabelMaker maker(config, widths, network, near ? near(out.crs) : NearTest{}, out);
  files.each([&](VectorReader& reader, const std::filesystem::path& file) {
    reader.visit([&](Feature&& feature) {
      if (files.are_several()) feature.id = file.stem().string() + "/" + feature.id;
      maker.add(std::move(feature));
    });
  });
  maker.finish();
  out.everywhere = config.extent.kind == ExtentKind::all;
  out.extent_margin_m = config.extent.margin_m;
  if (config.extent.kind == ExtentKind::file) std::ranges::fill(out.extents, read_extent(name, paths.extent, out.crs, policy, config.extent.layer.value_or("")));
  return out;
}

}  // namespace tilewright::pipeline
