// SPDX-License-Identifier: Apache-2.0
// One feature at a time: geometry gate, class by attribute, width by rule, what a rejection leaves unknown.
#include "pipeline/stages/label_maker.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapLine;
using geometry::MapXY;
using index::Reason;

constexpr double kUnknownWidthM = 12;        // a line that no rule gives a width may lie this far and wide
constexpr std::size_t kMostHullPoints = 100'000;
constexpr int kMostLevel = 100;

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

geometry::Box joined(const geometry::Box& a, const geometry::Box& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.min_x, b.min_x), std::min(a.min_y, b.min_y), std::max(a.max_x, b.max_x), std::max(a.max_y, b.max_y)};
}

std::optional<std::string> value_of(const Feature& feature, const std::optional<std::string>& field) {
  if (!field) return std::nullopt;
  const auto found = feature.attributes.find(*field);
  return found == feature.attributes.end() ? std::nullopt : std::optional(found->second);
}

/// Flags of OSM (`yes`, `viaduct`, `building_passage`) and of registers (1, true).
bool is_set(const std::optional<std::string>& text) {
  if (!text) return false;
  const auto value = lower_case(trimmed(*text));
  return !value.empty() && value != "no" && value != "0" && value != "false" && value != "none" && value != "null" && value != "n" && value != "f";
}

geometry::MapMultiPolygon rectangle(const geometry::Box& b) {
  return {geometry::MapPolygon{{{b.min_x, b.min_y}, {b.max_x, b.min_y}, {b.max_x, b.max_y}, {b.min_x, b.max_y}, {b.min_x, b.min_y}}, {}}};
}

}  // namespace

ObjectClasses::ObjectClasses(const LayerConfig& config) : config_(config) {
  const auto& rule = config.class_rule;
  for (std::size_t k = 0; rule.by_field && k < rule.by_field->values.size(); ++k) {
    const auto& [text, value] = rule.by_field->values[k];
    ranks_[value] = static_cast<int>(k);
    by_text_.emplace(text, k);
    if (const auto as_number = number(text)) by_number_.emplace(*as_number, k);
  }
  for (std::size_t k = 0; k < rule.by_condition.size(); ++k) ranks_[rule.by_condition[k].value] = static_cast<int>(k);
  if (config.priority.empty()) return;
  ranks_.clear();
  for (std::size_t k = 0; k < config.priority.size(); ++k) ranks_[config.priority[k]] = static_cast<int>(k);
}

std::optional<int> ObjectClasses::of(const Feature& feature, std::string& why) const {
  const auto& rule = config_.class_rule;
  if (rule.by_field) return by_field(feature, why);
  if (rule.by_condition.empty()) return rule.constant;
  if (feature.met) return rule.by_condition[*feature.met].value;
  why = "it meets none of the " + std::to_string(rule.by_condition.size()) + " conditions of `class`";
  return std::nullopt;
}

std::optional<int> ObjectClasses::by_field(const Feature& feature, std::string& why) const {
  const auto& rule = *config_.class_rule.by_field;
  const auto found = feature.attributes.find(rule.field);
  if (found == feature.attributes.end()) {
    why = rule.field + " is NULL";
    return std::nullopt;
  }
  const auto none = rule.values.size();
  const auto by_text = by_text_.find(found->second);
  const auto as_number = number(found->second);
  const auto by_number = as_number ? by_number_.find(*as_number) : by_number_.end();
  const auto place = std::min(by_text == by_text_.end() ? none : by_text->second, by_number == by_number_.end() ? none : by_number->second);
  if (place < none) return rule.values[place].second;
  why = rule.field + " is '" + found->second + "', which `class.values` does not list";
  return std::nullopt;
}

int ObjectClasses::rank(int value) const {
  const auto found = ranks_.find(value);
  return found == ranks_.end() ? -1 : found->second;
}

LabelMaker::LabelMaker(const LayerConfig& config, const std::optional<WidthRules>& widths, LineNetwork& network, NearTest near, LabelObjects& out)
    : config_(config), widths_(widths), classes_(config), network_(network), near_(std::move(near)), out_(out), degrees_(out.crs, geometry::wgs84()) {}

void LabelMaker::add(Feature&& feature) {
  out_.rows.push_back({out_.layer, feature.id, {}, {}, {}, {}, {}, "drawn", {}, {}, {}, {}});
  out_.details.emplace_back();
  for (const MapLine& line : feature.lines) network_.add_inner(line);
  LabelObject object;
  object.feature = out_.rows.size() - 1;
  period_.reset();
  if (!make(feature, object) && !object.is_rejected) return;
  note_place(object);
  if (!object.is_rejected) count_extent(object);
  keep(std::move(object));
}

/// False where the feature was rejected; what it would cover may then be left in `object` as unknown.
bool LabelMaker::make(Feature& feature, LabelObject& object) {
  const bool is_ready = config_.draw == Draw::lines ? add_lines(feature, object) : config_.draw == Draw::points ? add_points(feature, object) : add_polygons(feature, object);
  return is_ready && set_class(feature, object) && set_level(feature, object) && set_period(feature, object);
}

/// What is in the object by now is ground of which nothing is known.
bool LabelMaker::refuse(LabelObject& object, Reason reason, const std::string& detail) {
  reject(out_, object.feature, reason, detail);
  object.is_rejected = !object.polygons.empty() || !object.lines.empty();
  object.value = 255;
  object.rank = std::numeric_limits<int>::max();
  if (config_.draw == Draw::lines && object.half_width_m == 0) object.half_width_m = object.half_width_end_m = kUnknownWidthM / 2;
  return false;
}

bool LabelMaker::add_polygons(Feature& feature, LabelObject& object) {
  if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty()) return refuse(object, Reason::null_geometry, "NULL or empty");
  if (feature.polygons.empty()) return refuse(object, Reason::bad_geometry, "not a polygon; layers of lines need draw: lines");
  auto gated = geometry::gate(feature.polygons);
  if (gated.outcome == geometry::Gate::empty) return refuse(object, Reason::null_geometry, "empty");
  if (gated.outcome == geometry::Gate::rejected) {
    if (std::string(gated.reason) == "no area") return refuse(object, Reason::empty_geometry, gated.reason);
    leave_unknown_hull(feature, object);
    return refuse(object, Reason::bad_geometry, gated.reason);
  }
  if (gated.outcome == geometry::Gate::repaired) {
    out_.rows[object.feature].status = "repaired";
    out_.rows[object.feature].reason = std::string(index::code(Reason::repaired_geometry));
  }
  object.polygons = std::move(gated.polygons);
  object.box = geometry::bounds(object.polygons);
  return true;
}

/// Around the points that can be used: the object may be anywhere inside.
void LabelMaker::leave_unknown_hull(const Feature& feature, LabelObject& object) {
  std::vector<MapXY> points;
  for (const auto& polygon : feature.polygons)
    for (const MapXY p : polygon.outer)
      if (is_drawable(p)) points.push_back(p);
  object.polygons = geometry::convex_hull(points);
  object.box = geometry::bounds(object.polygons);
}

bool LabelMaker::add_lines(Feature& feature, LabelObject& object) {
  if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty()) return refuse(object, Reason::null_geometry, "NULL or empty");
  if (feature.lines.empty()) return refuse(object, Reason::bad_geometry, "not a line; layers of polygons need draw: polygons");
  if (!std::all_of(feature.lines.begin(), feature.lines.end(), [](const MapLine& line) { return is_drawable(line); })) {
    leave_unknown_lines(feature, object);
    return refuse(object, Reason::bad_geometry, "a point is not finite, or there is only one");
  }
  for (MapLine& line : feature.lines) {
    if (length_of(line) == 0) continue;
    object.box = joined(object.box, geometry::bounds(line));
    object.lines.push_back({std::move(line), false, false});
  }
  if (object.lines.empty()) return refuse(object, Reason::empty_geometry, "no length");
  return set_width(feature, object);
}

/// The runs of points that can be used.
void LabelMaker::leave_unknown_lines(Feature& feature, LabelObject& object) {
  for (const MapLine& line : feature.lines) {
    MapLine run;
    const auto close = [&] {
      if (is_drawable(run) && length_of(run) > 0) {
        object.box = joined(object.box, geometry::bounds(run));
        object.lines.push_back({run, true, true});
      }
      run.clear();
    };
    for (const MapXY p : line) {
      if (is_drawable(p)) run.push_back(p);
      else close();
    }
    close();
  }
}

/// Points are lines without length: discs as wide as the rules say, else single pixels.
bool LabelMaker::add_points(Feature& feature, LabelObject& object) {
  if (feature.polygons.empty() && feature.lines.empty() && feature.points.empty()) return refuse(object, Reason::null_geometry, "NULL or empty");
  if (feature.points.empty()) return refuse(object, Reason::bad_geometry, "not a point; layers of lines and polygons need draw: lines or polygons");
  for (const MapXY point : feature.points) {
    if (!is_drawable(point)) {
      object.lines.clear();
      return refuse(object, Reason::bad_geometry, "a point is not finite");
    }
    object.box = joined(object.box, {point.x, point.y, point.x, point.y});
    object.lines.push_back({{point}, true, true});
  }
  return !widths_ || set_width(feature, object);
}

bool LabelMaker::set_width(const Feature& feature, LabelObject& object) {
  const auto width = widths_ ? widths_->width_of({feature.attributes, middle_of(object.lines.front().line)}) : std::nullopt;
  if (!width) return refuse(object, Reason::no_width, "no rule of `width` gives a believable number; add constant_m");
  object.half_width_m = width->metres / 2;
  object.half_width_end_m = width->end_m.value_or(width->metres) / 2;
  auto& row = out_.rows[object.feature];
  row.rule = std::string(width->rule);
  row.width_m = width->metres;
  row.width_sigma_m = width->sigma_m;
  row.source = width->source;
  return true;
}

bool LabelMaker::set_class(const Feature& feature, LabelObject& object) {
  std::string why;
  const auto value = classes_.of(feature, why);
  if (!value) return refuse(object, Reason::no_class, why);
  object.value = static_cast<std::uint8_t>(*value);
  object.rank = classes_.rank(*value);
  return true;
}

/// Level, and what is done with bridges and tunnels.
bool LabelMaker::set_level(const Feature& feature, LabelObject& object) {
  auto& row = out_.rows[object.feature];
  if (config_.levels) {
    const auto& levels = *config_.levels;
    const auto text = value_of(feature, levels.level);
    const auto level = text ? number(*text) : std::nullopt;
    object.level = level ? static_cast<int>(std::clamp(*level, -1.0 * kMostLevel, 1.0 * kMostLevel)) : 0;
    const bool is_tunnel = is_set(value_of(feature, levels.tunnel)) || object.level < 0;
    const bool is_bridge = !is_tunnel && (is_set(value_of(feature, levels.bridge)) || object.level > 0);
    const auto what = is_tunnel ? levels.tunnels : is_bridge ? levels.bridges : Structure::draw;
    if (what == Structure::drop) {
      note_place(object);
      object.polygons.clear(), object.lines.clear();
      return refuse(object, Reason::structure_dropped, is_tunnel ? "in a tunnel" : "a bridge");
    }
    if (what == Structure::mark) object.value = 255;
  }
  row.object_class = object.value;
  return true;
}

bool LabelMaker::set_period(const Feature& feature, LabelObject& object) {
  if (!config_.valid || !config_.valid->field) return true;
  const auto date = value_of(feature, config_.valid->field);
  period_ = date ? period_of(*date) : std::nullopt;
  if (period_) return true;
  out_.rows[object.feature].object_class.reset();
  return refuse(object, Reason::bad_date, *config_.valid->field + (date ? " is '" + *date + "', expected a day such as 2018-05-07, or a year" : " is NULL"));
}

void LabelMaker::note_place(const LabelObject& object) {
  const MapXY middle = object.lines.empty() ? MapXY{(object.box.min_x + object.box.max_x) / 2, (object.box.min_y + object.box.max_y) / 2} : middle_of(object.lines.front().line);
  const auto place = degrees_(middle);
  if (!place) return;
  out_.rows[object.feature].lon_deg = place->x;
  out_.rows[object.feature].lat_deg = place->y;
}

void LabelMaker::count_extent(const LabelObject& object) {
  periods_.insert(period_.value_or(constant_period(config_.valid)));
  if (config_.extent.kind != ExtentKind::bounds && config_.extent.kind != ExtentKind::hull) return;
  Spread& spread = spreads_[period_.value_or(constant_period(config_.valid))];
  spread.box = joined(spread.box, object.box);
  if (config_.extent.kind != ExtentKind::hull) return;
  for (const auto& polygon : object.polygons) spread.points.insert(spread.points.end(), polygon.outer.begin(), polygon.outer.end());
  for (const auto& line : object.lines) spread.points.insert(spread.points.end(), line.line.begin(), line.line.end());
  if (spread.points.size() < kMostHullPoints) return;
  const auto hull = geometry::convex_hull(spread.points);
  if (!hull.empty()) spread.points = hull.front().outer;
}

/// Objects near no window are rows only.
void LabelMaker::keep(LabelObject&& object) {
  if (near_ && !near_(object.box, std::max(object.half_width_m, object.half_width_end_m))) {
    if (object.is_rejected) return;
    ++out_.far_count;
    out_.far_box = joined(out_.far_box, object.box);
    return reject(out_, object.feature, Reason::outside_rasters, "touches no location");
  }
  const bool is_of_every_period = config_.valid && config_.valid->field && !period_;
  dated_.push_back({is_of_every_period ? std::nullopt : std::optional(period_.value_or(constant_period(config_.valid)))});
  out_.objects.push_back(std::move(object));
}

void LabelMaker::finish() {
  std::set<ValidPeriod> sorted = periods_;
  if (!config_.valid || !config_.valid->field) sorted = {constant_period(config_.valid)};
  out_.periods.assign(sorted.begin(), sorted.end());
  const auto same = std::ranges::adjacent_find(out_.periods, [](const auto& a, const auto& b) { return a.from && b.from && *a.from == *b.from; });
  if (same != out_.periods.end())
    throw Error::failed("layer " + out_.layer + ": " + *config_.valid->field + " holds the day " + same->from->substr(0, 10) + " and a year that begins with it; write all dates as days, or all as years");
  for (std::size_t k = 0; k < dated_.size(); ++k) {
    LabelObject& object = out_.objects[k];
    object.period = dated_[k].period ? static_cast<std::size_t>(std::distance(sorted.begin(), sorted.find(*dated_[k].period))) : kEveryPeriod;
    for (ObjectLine& line : object.lines) {
      if (line.line.size() < 2 || line.round_start) continue;
      line.round_start = network_.goes_on(line.line.front());
      line.round_end = network_.goes_on(line.line.back());
    }
  }
  out_.extents.resize(out_.periods.size());
  for (std::size_t k = 0; k < out_.periods.size(); ++k) {
    const Spread& spread = spreads_[out_.periods[k]];
    if (config_.extent.kind == ExtentKind::hull) out_.extents[k].push_back(geometry::convex_hull(spread.points));
    if (config_.extent.kind == ExtentKind::bounds && !spread.box.empty()) out_.extents[k].push_back(rectangle(spread.box));
  }
}

}  // namespace tilewright::pipeline
