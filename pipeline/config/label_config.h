// SPDX-License-Identifier: Apache-2.0
// `layers` and `targets` of a job: label sources and how they are drawn.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "geometry/describe.h"

namespace tilewright::pipeline {

struct ClassStyle {
  std::string name, color = "#cc3333";
};
template <class V>
void describe(V&& v, ClassStyle& c) {
  v("name", c.name, "class name");
  v("color", c.color, "#rgb or #rrggbb");
}

struct FieldClasses {
  std::string field;
  NamedList<int> values;
};
template <class V>
void describe(V&& v, FieldClasses& c) {
  v("field", c.field, "attribute that holds the class");
  v("values", c.values, "attribute value: class, later entries drawn on top");
}
struct ClassCondition {
  std::string where;
  int value = 1;
};
template <class V>
void describe(V&& v, ClassCondition& c) {
  v("where", c.where, "condition on attributes, as OGR writes them: \"importance < 3 AND nature <> 'Sentier'\"");
  v("class", c.value, "class of the objects that meet it", between(1, 255));
}
/// A constant class, one by attribute, or the first condition that is met.
struct ClassRule {
  int constant = 1;
  std::optional<FieldClasses> by_field;
  std::vector<ClassCondition> by_condition;
};

struct WidthClasses {
  std::string field, table;
};
template <class V>
void describe(V&& v, WidthClasses& c) {
  v("field", c.field, "attribute that holds the road class");
  v("table", c.table, "width table: osm, france, germany, spacenet, or a CSV of class and metres");
}
struct WidthAreaConfig {
  std::string file, width;
  std::optional<std::string> layer, road_class;
};
template <class V>
void describe(V&& v, WidthAreaConfig& c) {
  v("file", c.file, "vector file of polygons with a width each, such as towns");
  v("layer", c.layer, "its layer; default: its only one");
  v("width", c.width, "its attribute with the width");
  v("class", c.road_class, "its attribute with the road class that the width is of (of classes.field); none or empty: all");
}
enum class FitEvidence { elevation, image };
struct WidthConfig {
  std::optional<std::string> attribute, attribute_end, lanes, oneway;
  bool lanes_per_direction = false;
  std::optional<double> lane_m;
  double shoulder_m = 0;
  std::optional<WidthClasses> classes;
  std::optional<WidthAreaConfig> areas;
  std::optional<double> constant_m;
  std::vector<std::string> order{"attribute", "lanes", "classes", "areas", "constant"};
  double min_m = 0.5, max_m = 100;
  std::string fit = "none";
  int fit_band = 1;
  FitEvidence fit_evidence = FitEvidence::elevation;
};
template <class V>
void describe(V&& v, WidthConfig& c) {
  v("attribute", c.attribute, "attribute with a width: 7, \"7 m\", 23', 7,5, \"2.5;3\" (their mean)");
  v("attribute_end", c.attribute_end, "attribute with the width at the end of the line; that at its start is attribute");
  v("lanes", c.lanes, "attribute with the number of lanes, both directions together");
  v("lanes_per_direction", c.lanes_per_direction, "lanes counts one direction: twice as many, unless oneway says otherwise");
  v("oneway", c.oneway, "attribute that says that the line is one direction: yes, true, 1, -1, reverse");
  v("lane_m", c.lane_m, "metres a lane; default: that of the class in the table, else 3.5", above(0));
  v("shoulder_m", c.shoulder_m, "metres added once to lanes x lane_m", at_least(0));
  v("classes", c.classes, "width by road class");
  v("areas", c.areas, "widths that hold inside polygons");
  v("constant_m", c.constant_m, "width where no other rule applies", above(0));
  v("order", c.order, "rules from first to last: attribute, lanes, classes, areas, constant");
  v("min_m", c.min_m, "narrower values are not believed; a table may have limits of a class", above(0));
  v("max_m", c.max_m, "wider values are not believed; a table may have limits of a class", above(0));
  v("fit", c.fit, "none, or a raster: widths that it shows replace those of the rules");
  v("fit_band", c.fit_band, "its band", at_least(1));
  v("fit_evidence", c.fit_evidence, "elevation (metres), or image: a road is more even along the way than what lies beside it");
}

enum class Structure { draw, drop, mark };

struct LevelConfig {
  std::optional<std::string> bridge, tunnel, level;
  Structure bridges = Structure::draw, tunnels = Structure::draw;
};

enum class ExtentKind { bounds, hull, all, file };
/// bounds | hull | all | path of a vector file, or these with more.
struct ExtentConfig {
  ExtentKind kind = ExtentKind::bounds;
  std::string file;
  std::optional<std::string> layer;
  double margin_m = 0;
};
/// The long form of an extent.
struct ExtentParts {
  std::string within = "bounds";
  std::optional<std::string> layer;
  double margin_m = 0;
};
template <class V>
void describe(V&& v, ExtentParts& c) {
  v("within", c.within, "bounds, hull, all or a vector file");
  v("layer", c.layer, "layer of the vector file; default: its only one");
  v("margin_m", c.margin_m, "metres on the ground by which the extent is wider (above 0) or narrower (below 0)", between(-100000, 100000));
}

struct ValidConfig {
  std::optional<std::string> from, to, field;
};
template <class V>
void describe(V&& v, ValidConfig& c) {
  v("from", c.from, "first day on which the labels hold");
  v("to", c.to, "last day on which the labels hold");
  v("field", c.field, "attribute with each object's date");
}

enum class Draw { polygons, lines, points };

struct LayerConfig {
  std::optional<std::string> vector, layer, raster;
  Draw draw = Draw::polygons;
  ClassRule class_rule;                         ///< key `class`
  std::map<int, ClassStyle> classes;
  std::vector<int> priority;
  std::optional<std::string> where;
  std::optional<WidthConfig> width;
  std::optional<LevelConfig> levels;
  ExtentConfig extent;
  std::optional<ValidConfig> valid;
  std::optional<NamedList<std::string>> values; ///< raster: "5": "1", "0": "ignore"
  std::vector<std::string> kinds;               ///< further series beside the class mask
  int boundary_px = 1, contact_px = 3;          ///< of the kinds of these names
  double distance_m = 50;
  std::vector<std::string> exports;             ///< key `export`
  std::vector<std::string> drivers;
};

/// Exactly one of name, table, layer and field is set.
struct TargetConfig {
  std::optional<std::string> name, field, table, key;
  std::vector<std::string> value;               ///< columns of the table
  std::optional<std::string> layer, rule;
  std::string kind = "class";
  std::optional<std::string> unit, from, to;    ///< from, to: columns of the table
  std::vector<std::string> classes;
};
template <class V>
void describe(V&& v, TargetConfig& c) {
  v("name", c.name, "regular expression on the path; capture 1 is the value");
  v("field", c.field, "placement points: attribute of the point that holds the value");
  v("table", c.table, "CSV with values of files or locations");
  v("key", c.key, "its column with the file, or the location_id");
  v("value", c.value, "its column with the value; several for kind classes (flags) and vector");
  v("from", c.from, "its column with the first day (or the year) on which the value holds");
  v("to", c.to, "its column with the last day; default: the day or year of from");
  v("layer", c.layer, "a mask layer");
  v("rule", c.rule, "of a layer: majority (one class), or share >= x (several)");
  v("kind", c.kind, "of names, fields and tables: class, classes (a;b or flags), scalar or vector", one_of({"class", "classes", "scalar", "vector"}));
  v("unit", c.unit, "unit of scalars and vectors");
  v("classes", c.classes, "the classes in the order of their ids; default: those found, sorted");
}

}  // namespace tilewright::pipeline

namespace tilewright {
template <>
struct EnumNames<pipeline::Draw> {
  static constexpr EnumName<pipeline::Draw> values[] = {{"polygons", pipeline::Draw::polygons},
                                                        {"lines", pipeline::Draw::lines},
                                                        {"points", pipeline::Draw::points}};
};
template <>
struct EnumNames<pipeline::FitEvidence> {
  static constexpr EnumName<pipeline::FitEvidence> values[] = {{"elevation", pipeline::FitEvidence::elevation}, {"image", pipeline::FitEvidence::image}};
};
template <>
struct EnumNames<pipeline::Structure> {
  static constexpr EnumName<pipeline::Structure> values[] = {{"draw", pipeline::Structure::draw},
                                                             {"drop", pipeline::Structure::drop},
                                                             {"mark", pipeline::Structure::mark}};
};
}  // namespace tilewright

namespace tilewright::pipeline {

template <class V>
void describe(V&& v, LevelConfig& c) {
  v("bridge", c.bridge, "attribute that says that the object is a bridge");
  v("tunnel", c.tunnel, "attribute that says that the object is in a tunnel");
  v("level", c.level, "attribute with its level: above 0 a bridge, below 0 a tunnel; higher ones are drawn on top");
  v("bridges", c.bridges, "draw; drop: not on the ground; mark: 255");
  v("tunnels", c.tunnels, "draw; drop: not to be seen; mark: 255");
}

template <class V>
void describe(V&& v, LayerConfig& c) {
  v("vector", c.vector, "vector file with labels, or a pattern of several of one kind");
  v("layer", c.layer, "layer of the vector file; default: its only one");
  v("raster", c.raster, "raster with classes");
  v("draw", c.draw, "polygons, lines or points");
  v("where", c.where, "only objects that meet this condition, as OGR writes it: highway IS NOT NULL; others are no part of the layer");
  v("class", c.class_rule, "class of the objects: 1, {field: nature, values: {...}}, or a list of {where: ..., class: ...}");
  v("classes", c.classes, "class number: {name, color}");
  v("priority", c.priority, "classes from lowest to highest; default: by number");
  v("width", c.width, "how wide lines and the discs of points are; the first rule that applies");
  v("levels", c.levels, "bridges and tunnels");
  v("extent", c.extent, "where the source is complete: bounds, hull, all, a vector file, or {within: ..., layer: ..., margin_m: ...}; outside is 255");
  v("valid", c.valid, "period in which the labels hold");
  v("values", c.values, "raster value: class or ignore");
  v("kinds", c.kinds, "further series <layer>_<kind>: instances, boundary, contact, distance, coverage, touched");
  v("boundary_px", c.boundary_px, "kind boundary: pixels of objects this near to something else", between(1, 64));
  v("contact_px", c.contact_px, "kind contact: background this near to two objects, pixels", between(1, 64));
  v("distance_m", c.distance_m, "kind distance: clipped at this many metres", above(0));
  v("export", c.exports, "GeoJSON files beside the masks: buffer (lines as polygons), centre (fitted lines where the raster shows them)");
  v("drivers", c.drivers, "further GDAL drivers to allow");
}

}  // namespace tilewright::pipeline
