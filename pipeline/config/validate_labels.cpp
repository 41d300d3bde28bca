// SPDX-License-Identifier: Apache-2.0
// Checks of `layers` and `targets`.
#include <algorithm>
#include <regex>

#include "pipeline/config/load.h"
#include "pipeline/config/target_rule.h"
#include "pipeline/config/valid_period.h"
#include "pipeline/config/validate.h"

namespace tilewright::pipeline {
namespace {

void check_classes(const std::string& path, const LayerConfig& layer, Findings& findings) {
  static const std::regex color("#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})");
  for (const auto& [id, style] : layer.classes)
    if (!std::regex_match(style.color, color))
      findings.add(path + ".classes." + std::to_string(id) + ".color", "is '" + style.color + "', expected '#rgb' or '#rrggbb' in quotes");
  for (const int id : layer.priority)
    if (id < 1 || id > 255) findings.add(path + ".priority", "class " + std::to_string(id) + " does not exist, expected 1 to 255");
  if (!layer.class_rule.by_field) return;
  for (const auto& [value, id] : layer.class_rule.by_field->values)
    if (id < 1 || id > 255)
      findings.add(path + ".class.values." + value, "class " + std::to_string(id) + " does not exist, expected 1 to 254, or 255 for ignore");
}

void check_width(const Job& job, const std::string& path, const WidthConfig& width, Findings& findings) {
  if (!width.attribute && !width.lanes && !width.classes && !width.constant_m)
    findings.add(path, "has no rule; give attribute, lanes, classes or constant_m");
  if (width.min_m >= width.max_m) findings.add(path + ".min_m", "min_m is not less than max_m");
  if (width.oneway && !width.lanes) findings.add(path + ".oneway", "is used only with lanes");
  if (width.fit != "none" && width.fit.find('.') == std::string::npos) findings.add(path + ".fit", "is '" + width.fit + "', expected none, or a raster of elevation such as data:dtm.tif");
  else if (width.fit != "none") validate_path(job, path + ".fit", width.fit, findings);
  if (!width.classes) return;
  if (width.classes->field.empty()) findings.add(path + ".classes", "field is missing; name the attribute with the road class");
  const std::vector<std::string> tables{"osm", "france", "spacenet"};
  const auto& table = width.classes->table;
  if (std::find(tables.begin(), tables.end(), table) != tables.end()) return;
  if (table.ends_with(".csv")) validate_path(job, path + ".classes.table", table, findings);
  else findings.need_known(path + ".classes.table", "width table", table, {"osm", "france", "spacenet", "<path>.csv"});
}

void check_raster_values(const std::string& path, const NamedList<std::string>& values, Findings& findings) {
  for (const auto& [value, meaning] : values) {
    const auto from = number_of(value), to = number_of(meaning);
    if (!from) findings.add(path + "." + value, "the key '" + value + "' is not a pixel value");
    if (meaning != "ignore" && (!to || *to != static_cast<int>(*to) || *to < 0 || *to > 255))
      findings.add(path + "." + value, "is '" + meaning + "', expected a class 0 to 254, or ignore");
  }
}

void check_valid(const std::string& path, const LayerConfig& layer, Findings& findings) {
  const auto& valid = *layer.valid;
  if (valid.field.has_value() == (valid.from || valid.to)) findings.add(path, "needs from and to, or field; found " + std::string(valid.field ? "both" : "none"));
  if (valid.field && !layer.vector) findings.add(path + ".field", "is used only with vector:; give from and to");
  for (const auto& [key, text] : {std::pair("from", valid.from), std::pair("to", valid.to)})
    if (text && !period_of(*text)) findings.add(path + "." + key, "is '" + *text + "', expected a day such as 2018-05-07, or a year");
  if (valid.from && valid.to && period_of(*valid.from) && !period_of(*valid.from, valid.to)) findings.add(path + ".to", "lies before from");
}

void check_kinds(const Job& job, const std::string& path, const LayerConfig& layer, Findings& findings) {
  constexpr double kMostReachPx = 1024;
  for (std::size_t i = 0; i < layer.kinds.size(); ++i) {
    const auto& kind = layer.kinds[i];
    const auto at = path + ".kinds." + std::to_string(i);
    findings.need_known(at, "kind", kind, {"instances", "boundary", "contact", "distance", "coverage"});
    if (std::find(layer.kinds.begin(), layer.kinds.begin() + static_cast<std::ptrdiff_t>(i), kind) != layer.kinds.begin() + static_cast<std::ptrdiff_t>(i))
      findings.add(at, "is '" + kind + "' twice; name each kind once");
    if (layer.raster && (kind == "instances" || kind == "contact" || kind == "coverage"))
      findings.add(at, "is '" + kind + "', which needs objects; a raster gives boundary and distance");
    if (kind == "coverage" && layer.draw == Draw::points && !layer.width)
      findings.add(at, "is 'coverage', which needs discs; give width, such as width: {constant_m: 6}");
    if (kind == "distance" && layer.distance_m > kMostReachPx * job.grid.resolution_m)
      findings.add(path + ".distance_m", "is more than 1024 pixels of grid.resolution_m; give at most " + std::to_string(kMostReachPx * job.grid.resolution_m));
  }
}

void check_layer(const Job& job, const std::string& path, const LayerConfig& layer, Findings& findings) {
  if (layer.vector.has_value() == layer.raster.has_value())
    findings.add(path, layer.vector ? "has vector and raster; keep one" : "has no file; give vector: or raster:");
  if (layer.vector) validate_path(job, path + ".vector", *layer.vector, findings);
  if (layer.raster) validate_path(job, path + ".raster", *layer.raster, findings);
  if (layer.extent.kind == ExtentKind::file) {
    const auto near = layer.extent.file.find('.') == std::string::npos ? nearest_name(layer.extent.file, {"bounds", "hull", "all"}) : "";
    if (!near.empty()) findings.add(path + ".extent", "is '" + layer.extent.file + "'; did you mean " + near + "?");
    else validate_path(job, path + ".extent", layer.extent.file, findings);
  }
  check_classes(path, layer, findings);
  if (layer.valid) check_valid(path + ".valid", layer, findings);
  if (layer.width) check_width(job, path + ".width", *layer.width, findings);
  if (layer.vector && layer.draw == Draw::lines && !layer.width)
    findings.add(path, "draw: lines needs width: {...}, such as width: {attribute: width, constant_m: 6}");
  if (layer.width && layer.draw == Draw::polygons) findings.add(path + ".width", "is used only with draw: lines and draw: points");
  if (layer.width && layer.width->fit != "none" && layer.draw != Draw::lines) findings.add(path + ".width.fit", "is used only with draw: lines");
  if (layer.values && !layer.raster) findings.add(path + ".values", "is used only with raster:");
  if (layer.values) check_raster_values(path + ".values", *layer.values, findings);
  check_kinds(job, path, layer, findings);
}

/// Keys of a target that belong to tables.
void check_table(const Job& job, const std::string& path, const TargetConfig& target, Findings& findings) {
  if (target.table) {
    validate_path(job, path + ".table", *target.table, findings);
    if (!target.key) findings.add(path, "table needs key: the column with the file, such as key: file");
    if (target.value.empty()) findings.add(path, "table needs value: the column with the value, such as value: class");
    if (target.to && !target.from) findings.add(path + ".to", "is used only with from:");
  } else if (target.key || !target.value.empty() || target.from || target.to) {
    findings.add(path, "key, value, from and to belong to table:");
  }
  const bool may_be_several = target.kind == "classes" || target.kind == "vector";
  if (target.value.size() > 1 && !may_be_several) findings.add(path + ".value", "kind " + target.kind + " has one column; use kind: classes or vector for several");
}

void check_target(const Job& job, const std::string& path, const TargetConfig& target, Findings& findings) {
  const int ways = target.name.has_value() + target.field.has_value() + target.table.has_value() + target.layer.has_value();
  if (ways != 1) findings.add(path, "needs exactly one of name, field, table or layer, found " + std::to_string(ways));
  if (target.field && !(job.views && job.views->points)) findings.add(path + ".field", "is used only with views: {placement: points, points: {file: ...}}");
  if (target.field && target.kind == "vector") findings.add(path + ".kind", "an attribute holds one number; use kind: scalar, or a table");
  if (target.name) validate_pattern(path + ".name", *target.name, findings);
  if (target.name && target.kind == "vector") findings.add(path + ".kind", "a name holds one number; use kind: scalar, or a table");
  check_table(job, path, target, findings);
  if (!target.classes.empty() && (target.layer || (target.kind != "class" && target.kind != "classes")))
    findings.add(path + ".classes", "is used only with names and tables of kind class or classes");
  if (target.unit && target.kind != "scalar" && target.kind != "vector") findings.add(path + ".unit", "is used only with kind: scalar or vector");
  if (!target.layer) {
    if (target.rule) findings.add(path + ".rule", "is used only with layer:");
    return;
  }
  findings.need_known(path + ".layer", "layer", *target.layer, names_of(job.layers));
  if (target.kind != "class") findings.add(path + ".kind", "is used only with name: and table:; the rule says what a layer gives");
  if (!target.rule || !parse_target_rule(*target.rule))
    findings.add(path + ".rule", (target.rule ? "is '" + *target.rule + "'" : "is missing") + std::string(", expected majority, or 'share >= 0.1' with a share above 0 and at most 1"));
}

}  // namespace

void validate_labels(const Job& job, Findings& findings) {
  for (const auto& [name, layer] : job.layers) check_layer(job, "layers." + name, layer, findings);
  for (const auto& [name, target] : job.targets) check_target(job, "targets." + name, target, findings);
}

}  // namespace tilewright::pipeline
