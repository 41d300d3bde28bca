// SPDX-License-Identifier: Apache-2.0
// One feature at a time: geometry gate, class by attribute, width by rule, ends by the network.
#include "pipeline/stages/label_objects.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "geometry/error.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/width_rules.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapLine;
using geometry::MapXY;
using index::Reason;

constexpr double kNodesAUnit = 1e7;  // two ends are one node if equal to 1e-7 of a layer unit
constexpr double kMostCoordinate = 1e9;

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Value and rank of a feature's class.
class Classes {
 public:
  explicit Classes(const LayerConfig& config) : config_(config) {
    if (config.class_rule.by_field) {
      const auto& values = config.class_rule.by_field->values;
      for (std::size_t k = 0; k < values.size(); ++k) ranks_[values[k].second] = static_cast<int>(k);
    }
    if (config.priority.empty()) return;
    ranks_.clear();
    for (std::size_t k = 0; k < config.priority.size(); ++k) ranks_[config.priority[k]] = static_cast<int>(k);
  }

  /// The class, or nullopt and why.
  std::optional<int> of(const Feature& feature, std::string& why) const {
    if (!config_.class_rule.by_field) return config_.class_rule.constant;
    const auto& rule = *config_.class_rule.by_field;
    const auto found = feature.attributes.find(rule.field);
    if (found == feature.attributes.end()) {
      why = rule.field + " is NULL";
      return std::nullopt;
    }
    const auto as_number = number(found->second);
    for (const auto& [text, value] : rule.values)
      if (text == found->second || (as_number && number(text) == as_number)) return value;
    why = rule.field + " is '" + found->second + "', which `class.values` does not list";
    return std::nullopt;
  }
  /// Classes that a priority does not list lie below all that it lists.
  [[nodiscard]] int rank(int value) const {
    const auto found = ranks_.find(value);
    return found == ranks_.end() ? -1 : found->second;
  }

 private:
  const LayerConfig& config_;
  std::map<int, int> ranks_;
};

/// How many line ends and passing lines meet at the ends of lines.
class Network {
 public:
  explicit Network(const std::vector<Feature>& features) {
    for (const Feature& feature : features)
      for (const MapLine& line : feature.lines)
        if (is_drawable(line)) {
          ++degrees_[node(line.front())];
          ++degrees_[node(line.back())];
        }
    for (const Feature& feature : features)
      for (const MapLine& line : feature.lines)
        if (is_drawable(line))
          for (std::size_t k = 1; k + 1 < line.size(); ++k)
            if (const auto found = degrees_.find(node(line[k])); found != degrees_.end()) found->second += 2;
  }
  [[nodiscard]] bool goes_on(MapXY end) const {
    const auto found = degrees_.find(node(end));
    return found != degrees_.end() && found->second >= 2;
  }
  static bool is_drawable(const MapLine& line) {
    return line.size() >= 2 && std::all_of(line.begin(), line.end(), [](const MapXY& p) {
             return std::isfinite(p.x) && std::isfinite(p.y) && std::abs(p.x) < kMostCoordinate && std::abs(p.y) < kMostCoordinate;
           });
  }

 private:
  using Node = std::pair<std::int64_t, std::int64_t>;
  static Node node(MapXY p) { return {std::llround(p.x * kNodesAUnit), std::llround(p.y * kNodesAUnit)}; }
  std::map<Node, int> degrees_;
};

double length_of(const MapLine& line) {
  double sum = 0;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) sum += std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y);
  return sum;
}

geometry::Box joined(const geometry::Box& a, const geometry::Box& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.min_x, b.min_x), std::min(a.min_y, b.min_y), std::max(a.max_x, b.max_x), std::max(a.max_y, b.max_y)};
}

/// Turns features into objects, or into rejections.
class Maker {
 public:
  Maker(const LayerConfig& config, const std::optional<WidthRules>& widths, const std::vector<Feature>& features, LabelObjects& out)
      : config_(config), widths_(widths), classes_(config), network_(features), out_(out) {}

  void add(Feature& feature) {
    const std::size_t index = out_.rows.size();
    out_.rows.push_back({out_.layer, feature.id, {}, {}, {}, {}, {}, "drawn", {}});
    out_.details.emplace_back();
    LabelObject object;
    object.feature = index;
    const bool is_ready = config_.draw == Draw::lines ? add_lines(feature, object) : config_.draw == Draw::points ? add_points(feature, object) : add_polygons(feature, object);
    if (!is_ready) return;
    std::string why;
    const auto value = classes_.of(feature, why);
    if (!value) return reject(out_, index, Reason::no_class, why);
    object.value = static_cast<std::uint8_t>(*value);
    object.rank = classes_.rank(*value);
    if (config_.valid && config_.valid->field) {
      const auto date = feature.attributes.find(*config_.valid->field);
      const auto period = date == feature.attributes.end() ? std::nullopt : period_of(date->second);
      if (!period)
        return reject(out_, index, Reason::bad_date, *config_.valid->field + (date == feature.attributes.end() ? " is NULL" : " is '" + date->second + "', expected a day such as 2018-05-07, or a year"));
      periods_.push_back(*period);
    }
    out_.rows[index].object_class = *value;
    out_.objects.push_back(std::move(object));
  }

  /// Numbers the periods of the objects in order of time.
  void finish() {
    if (!config_.valid || !config_.valid->field) {
      out_.periods = {constant_period(config_.valid)};
      return;
    }
    const std::set<ValidPeriod> sorted(periods_.begin(), periods_.end());
    out_.periods.assign(sorted.begin(), sorted.end());
    const auto same = std::ranges::adjacent_find(out_.periods, {}, &ValidPeriod::from);
    if (same != out_.periods.end())
      throw Error::failed("layer " + out_.layer + ": " + *config_.valid->field + " holds the day " + same->from->substr(0, 10) + " and a year that begins with it; write all dates as days, or all as years");
    for (std::size_t k = 0; k < periods_.size(); ++k)
      out_.objects[k].period = static_cast<std::size_t>(std::distance(sorted.begin(), sorted.find(periods_[k])));
  }

 private:
  bool refuse(const LabelObject& object, Reason reason, const std::string& detail) {
    reject(out_, object.feature, reason, detail);
    return false;
  }

  bool add_polygons(Feature& feature, LabelObject& object) {
    if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty())
      return refuse(object, Reason::null_geometry, "NULL or empty");
    if (feature.polygons.empty()) return refuse(object, Reason::bad_geometry, "not a polygon; layers of lines need draw: lines");
    auto gated = geometry::gate(std::move(feature.polygons));
    if (gated.outcome == geometry::Gate::empty) return refuse(object, Reason::null_geometry, "empty");
    if (gated.outcome == geometry::Gate::rejected)
      return refuse(object, std::string(gated.reason) == "no area" ? Reason::empty_geometry : Reason::bad_geometry, gated.reason);
    if (gated.outcome == geometry::Gate::repaired) {
      out_.rows[object.feature].status = "repaired";
      out_.rows[object.feature].reason = std::string(index::code(Reason::repaired_geometry));
    }
    object.polygons = std::move(gated.polygons);
    object.box = geometry::bounds(object.polygons);
    return true;
  }

  bool add_lines(Feature& feature, LabelObject& object) {
    if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty())
      return refuse(object, Reason::null_geometry, "NULL or empty");
    if (feature.lines.empty()) return refuse(object, Reason::bad_geometry, "not a line; layers of polygons need draw: polygons");
    for (MapLine& line : feature.lines) {
      if (!Network::is_drawable(line)) return refuse(object, Reason::bad_geometry, "a point is not finite, or there is only one");
      if (length_of(line) == 0) continue;
      object.box = joined(object.box, geometry::bounds(line));
      const bool start = network_.goes_on(line.front()), end = network_.goes_on(line.back());
      object.lines.push_back({std::move(line), start, end});
    }
    if (object.lines.empty()) return refuse(object, Reason::empty_geometry, "no length");
    return set_width(feature, object);
  }

  /// Points are lines without length: discs as wide as the rules say, else single pixels.
  bool add_points(Feature& feature, LabelObject& object) {
    if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty())
      return refuse(object, Reason::null_geometry, "NULL or empty");
    if (feature.points.empty()) return refuse(object, Reason::bad_geometry, "not a point; layers of lines and polygons need draw: lines or polygons");
    for (const MapXY& point : feature.points) {
      if (!Network::is_drawable({point, point})) return refuse(object, Reason::bad_geometry, "a point is not finite");
      object.box = joined(object.box, {point.x, point.y, point.x, point.y});
      object.lines.push_back({{point}, true, true});
    }
    return !widths_ || set_width(feature, object);
  }

  bool set_width(const Feature& feature, LabelObject& object) {
    const auto width = widths_ ? widths_->width_of(feature.attributes) : std::nullopt;
    if (!width) return refuse(object, Reason::no_width, "no rule of `width` gives a believable number; add constant_m");
    object.half_width_m = width->metres / 2;
    out_.rows[object.feature].rule = std::string(width->rule);
    out_.rows[object.feature].width_m = width->metres;
    return true;
  }

  const LayerConfig& config_;
  const std::optional<WidthRules>& widths_;
  Classes classes_;
  Network network_;
  LabelObjects& out_;
  std::vector<ValidPeriod> periods_;  ///< of out_.objects
};

std::vector<std::string> wanted_fields(const LayerConfig& config, const std::optional<WidthRules>& widths) {
  std::set<std::string> fields;
  if (config.class_rule.by_field) fields.insert(config.class_rule.by_field->field);
  if (config.valid && config.valid->field) fields.insert(*config.valid->field);
  if (widths)
    for (const auto& field : widths->fields()) fields.insert(field);
  return {fields.begin(), fields.end()};
}

/// A foreign file that cannot be read stops the stage, with the layer's name in the text.
auto with_name(const std::string& name, const std::filesystem::path& file, const auto& read) {
  try {
    return read();
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + name + ": cannot read " + file.string() + ": " + error.what() + "; repair the file, or name another in the job");
  }
}

VectorLayer read_named(const std::string& name, const std::filesystem::path& file, const std::string& layer,
                       const std::vector<std::string>& wanted, const OpenPolicy& policy) {
  return with_name(name, file, [&] { return read_vector_layer(file, layer, wanted, policy); });
}

std::optional<WidthRules> width_rules_of(const LayerConfig& config, const LabelFiles& files) {
  if (!config.width) return std::nullopt;
  return WidthRules(*config.width, files.width_table);
}

/// Points of the drawable objects of a period.
std::vector<MapXY> points_of(const LabelObjects& objects, std::size_t period) {
  std::vector<MapXY> points;
  for (const LabelObject& object : objects.objects) {
    if (object.period != period) continue;
    for (const auto& polygon : object.polygons) points.insert(points.end(), polygon.outer.begin(), polygon.outer.end());
    for (const auto& line : object.lines) points.insert(points.end(), line.line.begin(), line.line.end());
  }
  return points;
}

geometry::MapMultiPolygon rectangle(const geometry::Box& b) {
  return {geometry::MapPolygon{{{b.min_x, b.min_y}, {b.max_x, b.min_y}, {b.max_x, b.max_y}, {b.min_x, b.max_y}, {b.min_x, b.min_y}}, {}}};
}

/// Each period has an extent of its own: a survey says nothing of ground that another one covers.
void set_extents(LabelObjects& out, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy) {
  out.everywhere = config.extent.kind == ExtentKind::all;
  out.extents.resize(out.periods.size());
  if (config.extent.kind == ExtentKind::file) std::ranges::fill(out.extents, read_extent(out.layer, files.extent, out.crs, policy));
  for (std::size_t period = 0; period < out.periods.size(); ++period) {
    if (config.extent.kind == ExtentKind::hull) out.extents[period].push_back(geometry::convex_hull(points_of(out, period)));
    if (config.extent.kind != ExtentKind::bounds) continue;
    geometry::Box box;
    for (const LabelObject& object : out.objects)
      if (object.period == period) box = joined(box, object.box);
    if (!box.empty()) out.extents[period].push_back(rectangle(box));
  }
}

}  // namespace

std::vector<geometry::MapMultiPolygon> read_extent(const std::string& name, const std::filesystem::path& file,
                                                   const geometry::Crs& crs, const OpenPolicy& policy) {
  std::vector<geometry::MapMultiPolygon> extent;
  VectorLayer layer = read_named(name, file, "", {}, policy);
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

void reject(LabelObjects& objects, std::size_t feature, Reason reason, const std::string& detail) {
  objects.rows[feature].status = "rejected";
  objects.rows[feature].reason = std::string(index::code(reason));
  objects.details[feature] = detail;
}

void check_label_source(const std::string& name, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy) {
  const auto wanted = wanted_fields(config, width_rules_of(config, files));
  with_name(name, files.vector, [&] { check_vector_layer(files.vector, config.layer.value_or(""), wanted, policy); });
}

LabelObjects read_label_objects(const std::string& name, const LayerConfig& config, const LabelFiles& files, const OpenPolicy& policy) {
  const auto widths = width_rules_of(config, files);
  VectorLayer layer = read_named(name, files.vector, config.layer.value_or(""), wanted_fields(config, widths), policy);
  if (!layer.crs.known())
    throw Error::failed("layer " + name + ": " + files.vector.string() + " does not say its CRS; write it with one, such as EPSG:4326");
  LabelObjects out;
  out.layer = name;
  out.crs = layer.crs;
  Maker maker(config, widths, layer.features, out);
  for (Feature& feature : layer.features) maker.add(feature);
  maker.finish();
  set_extents(out, config, files, policy);
  return out;
}

}  // namespace tilewright::pipeline
