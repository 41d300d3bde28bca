// SPDX-License-Identifier: Apache-2.0
// Checks of `layers` and `targets`.
#include <algorithm>
#include <regex>

#include "pipeline/config/load.h"
#include "pipeline/config/target_rule.h"
#include "pipeline/config/valid_period.h"
#include "pipeline/config/validate.h"
#include "pipeline/io/width_table.h"

namespace tilewright::pipeline {
namespace {

void check_classes(const std::string& path, const LayerConfig& layer, Findings& findings) {
  static const std::regex color("#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})");
  for (const auto& [id, style] : layer.classes)
    if (!std::regex_match(style.color, color))
      findings.add(path + ".classes." + std::to_string(id) + ".color", "is '" + style.color + "', expected '#rgb' or '#rrggbb' in quotes");
  for (const int id : layer.priority)
    if (id < 1 || id > 255) findings.add(path + ".priority", "class " + std::to_string(id) + " does not exist, expected 1 to 255");
  for (std::size_t i = 0; i < layer.class_rule.by_condition.size(); ++i)
    if (layer.class_rule.by_condition[i].where.empty())
      findings.add(path + ".class." + std::to_string(i), "where is missing; give a condition such as \"importance < 3\"");
  if (!layer.class_rule.by_field) return;
  for (const auto& [value, id] : layer.class_rule.by_field->values)
    if (id < 1 || id > 255)
      findings.add(path + ".class.values." + value, "class " + std::to_string(id) + " does not exist, expected 1 to 254, or 255 for ignore");
}

void check_width_order(const std::string& path, const std::vector<std::string>& order, Findings& findings) {
  const std::vector<std::string> rules{"attribute", "lanes", "classes", "areas", "constant"};
  for (std::size_t i = 0; i < order.size(); ++i) {
    findings.need_known(path + "." + std::to_string(i), "width rule", order[i], rules);
    if (std::count(order.begin(), order.end(), order[i]) > 1 && std::find(order.begin(), order.end(), order[i]) == order.begin() + static_cast<std::ptrdiff_t>(i))
      findings.add(path + "." + std::to_string(i), "is '" + order[i] + "' twice; name each rule once");
  }
  for (const auto& rule : rules)
    if (std::find(order.begin(), order.end(), rule) == order.end()) findings.add(path, "does not name " + rule + "; name all five rules");
}

void check_width_areas(const Job& job, const std::string& path, const WidthConfig& width, Findings& findings) {
  const auto& areas = *width.areas;
  if (areas.file.empty() || areas.width.empty()) findings.add(path, "needs file and width, such as {file: data:towns.gpkg, width: road_width}");
  else validate_path(job, path + ".file", areas.file, findings);
  if (areas.road_class && !width.classes) findings.add(path + ".class", "is compared with classes.field, which is missing; give classes: {field: ..., table: ...}");
}

void check_width(const Job& job, const std::string& path, const WidthConfig& width, Findings& findings) {
  if (!width.attribute && !width.lanes && !width.classes && !width.areas && !width.constant_m)
    findings.add(path, "has no rule; give attribute, lanes, classes, areas or constant_m");
  if (width.min_m >= width.max_m) findings.add(path + ".min_m", "min_m is not less than max_m");
  if (width.oneway && !width.lanes && !width.classes) findings.add(path + ".oneway", "is used only with lanes and classes");
  if (width.lanes_per_direction && !width.lanes) findings.add(path + ".lanes_per_direction", "is used only with lanes");
  if (width.attribute_end && !width.attribute) findings.add(path + ".attribute_end", "is used only with attribute, the width at the start");
  if (width.fit != "none" && width.fit.find('.') == std::string::npos) findings.add(path + ".fit", "is '" + width.fit + "', expected none, or a raster of elevation such as data:dtm.tif");
  else if (width.fit != "none") validate_path(job, path + ".fit", width.fit, findings);
  if (width.fit == "none" && (width.fit_band != 1 || width.fit_evidence != FitEvidence::elevation)) findings.add(path, "fit_band and fit_evidence are used only with fit");
  check_width_order(path + ".order", width.order, findings);
  if (width.areas) check_width_areas(job, path + ".areas", width, findings);
  if (!width.classes) return;
  if (width.classes->field.empty()) findings.add(path + ".classes", "field is missing; name the attribute with the road class");
  auto tables = width_table_names();
  const auto& table = width.classes->table;
  if (std::find(tables.begin(), tables.end(), table) != tables.end()) return;
  tables.emplace_back("<path>.csv");
  if (table.ends_with(".csv")) validate_path(job, path + ".classes.table", table, findings);
  else findings.need_known(path + ".classes.table", "width table", table, tables);
}

void check_levels(const std::string& path, const LayerConfig& layer, Findings& findings) {
  const auto& levels = *layer.levels;
  if (!layer.vector) findings.add(path, "is used only with vector:");
  if (!levels.bridge && !levels.tunnel && !levels.level) findings.add(path, "names no attribute; give bridge, tunnel or level");
  if (levels.bridges != Structure::draw && !levels.bridge && !levels.level) findings.add(path + ".bridges", "needs bridge or level: the attribute that tells a bridge");
  if (levels.tunnels != Structure::draw && !levels.tunnel && !levels.level) findings.add(path + ".tunnels", "needs tunnel or level: the attribute that tells a tunnel");
}

void check_extent(const Job& job, const std::string& path, const ExtentConfig& extent, Findings& findings) {
  if (extent.layer && extent.kind != ExtentKind::file) findings.add(path + ".layer", "is used only with a vector file");
  if (extent.margin_m != 0 && extent.kind == ExtentKind::all) findings.add(path + ".margin_m", "has no meaning with all, which has no edge");
  if (extent.kind != ExtentKind::file) return;
  const auto near = extent.file.find('.') == std::string::npos ? nearest_name(extent.file, {"bounds", "hull", "all"}) : "";
  if (!near.empty()) findings.add(path, "is '" + extent.file + "'; did you mean " + near + "?");
  else validate_path(job, path, extent.file, findings);
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
    findings.need_known(at, "kind", kind, {"instances", "boundary", "contact", "distance", "coverage", "touched"});
    if (std::find(layer.kinds.begin(), layer.kinds.begin() + static_cast<std::ptrdiff_t>(i), kind) != layer.kinds.begin() + static_cast<std::ptrdiff_t>(i))
      findings.add(at, "is '" + kind + "' twice; name each kind once");
    if (layer.raster && (kind == "instances" || kind == "contact" || kind == "coverage" || kind == "touched"))
      findings.add(at, "is '" + kind + "', which needs objects; a raster gives boundary and distance");
    if (kind == "coverage" && layer.draw == Draw::points && !layer.width)
      findings.add(at, "is 'coverage', which needs discs; give width, such as width: {constant_m: 6}");
    if (kind == "distance" && layer.distance_m > kMostReachPx * job.grid.resolution_m)
      findings.add(path + ".distance_m", "is more than 1024 pixels of grid.resolution_m; give at most " + std::to_string(kMostReachPx * job.grid.resolution_m));
  }
}

void check_exports(const std::string& path, const LayerConfig& layer, Findings& findings) {
  for (std::size_t i = 0; i < layer.exports.size(); ++i) {
    const auto at = path + "." + std::to_string(i);
    findings.need_known(at, "export", layer.exports[i], {"buffer", "centre"});
    if (!layer.vector || layer.draw != Draw::lines) findings.add(at, "is used only with draw: lines");
    if (layer.exports[i] == "centre" && !(layer.width && layer.width->fit != "none")) findings.add(at, "is 'centre', which needs width.fit: the raster that shows where roads are");
  }
}

void check_layer(const Job& job, const std::string& path, const LayerConfig& layer, Findings& findings) {
  if (layer.vector.has_value() == layer.raster.has_value())
    findings.add(path, layer.vector ? "has vector and raster; keep one" : "has no file; give vector: or raster:");
  if (layer.vector) validate_path(job, path + ".vector", *layer.vector, findings);
  if (layer.raster) validate_path(job, path + ".raster", *layer.raster, findings);
  check_extent(job, path + ".extent", layer.extent, findings);
  if (layer.extent.margin_m != 0 && layer.raster) findings.add(path + ".extent.margin_m", "is used only with vector:; give a vector file that is as wide as you want");
  if (layer.levels) check_levels(path + ".levels", layer, findings);
  if (layer.where && !layer.vector) findings.add(path + ".where", "is used only with vector:");
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
  check_exports(path + ".export", layer, findings);
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
