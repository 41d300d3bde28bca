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
/// A constant class, or one by attribute.
struct ClassRule {
  int constant = 1;
  std::optional<FieldClasses> by_field;
};

struct WidthClasses {
  std::string field, table;
};
template <class V>
void describe(V&& v, WidthClasses& c) {
  v("field", c.field, "attribute that holds the road class");
  v("table", c.table, "width table: osm, france, spacenet, or a CSV of class and metres");
}
struct WidthConfig {
  std::optional<std::string> attribute, lanes, oneway;
  double lane_m = 3.5, shoulder_m = 0;
  std::optional<WidthClasses> classes;
  std::optional<double> constant_m;
  double min_m = 0.5, max_m = 100;
  std::string fit = "none";
};
template <class V>
void describe(V&& v, WidthConfig& c) {
  v("attribute", c.attribute, "attribute with a width: 7, \"7 m\", 23', 7,5");
  v("lanes", c.lanes, "attribute with the number of lanes, both directions together");
  v("lane_m", c.lane_m, "metres a lane", above(0));
  v("shoulder_m", c.shoulder_m, "metres added once to lanes x lane_m", at_least(0));
  v("classes", c.classes, "width by road class");
  v("constant_m", c.constant_m, "width where no other rule applies", above(0));
  v("min_m", c.min_m, "narrower values are not believed", above(0));
  v("max_m", c.max_m, "wider values are not believed", above(0));
  v("fit", c.fit, "none, or a raster of elevation: widths that it shows replace those of the rules");
}

enum class ExtentKind { bounds, hull, all, file };
/// bounds | hull | all | path of a vector file.
struct ExtentConfig {
  ExtentKind kind = ExtentKind::bounds;
  std::string file;
};

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
  std::optional<WidthConfig> width;
  ExtentConfig extent;
  std::optional<ValidConfig> valid;
  std::optional<NamedList<std::string>> values; ///< raster: "5": "1", "0": "ignore"
  std::vector<std::string> kinds;               ///< further series beside the class mask
  int boundary_px = 1, contact_px = 3;          ///< of the kinds of these names
  double distance_m = 50;
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
}  // namespace tilewright

namespace tilewright::pipeline {

template <class V>
void describe(V&& v, LayerConfig& c) {
  v("vector", c.vector, "vector file with labels");
  v("layer", c.layer, "layer of the vector file; default: its only one");
  v("raster", c.raster, "raster with classes");
  v("draw", c.draw, "polygons, lines or points");
  v("class", c.class_rule, "class of the objects: 1, or {field: nature, values: {...}}");
  v("classes", c.classes, "class number: {name, color}");
  v("priority", c.priority, "classes from lowest to highest; default: by number");
  v("width", c.width, "how wide lines and the discs of points are; the first rule that applies");
  v("extent", c.extent, "where the source is complete: bounds, hull, all or a vector file; outside is 255");
  v("valid", c.valid, "period in which the labels hold");
  v("values", c.values, "raster value: class or ignore");
  v("kinds", c.kinds, "further series <layer>_<kind>: instances, boundary, contact, distance, coverage");
  v("boundary_px", c.boundary_px, "kind boundary: pixels of objects this near to something else", between(1, 64));
  v("contact_px", c.contact_px, "kind contact: background this near to two objects, pixels", between(1, 64));
  v("distance_m", c.distance_m, "kind distance: clipped at this many metres", above(0));
  v("drivers", c.drivers, "further GDAL drivers to allow");
}

}  // namespace tilewright::pipeline
