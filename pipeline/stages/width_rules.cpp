// SPDX-License-Identifier: Apache-2.0
// The rules of widths, their order, and how sure each of them is.
#include "pipeline/stages/width_rules.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

constexpr double kMostLanes = 24, kLaneM = 3.5;
// How sure a rule is where nothing better is known: standard deviations of ln(width).
constexpr double kAttributeSigma = 0.12, kLanesSigma = 0.25, kClassSigma = 0.25, kAreaSigma = 0.25, kConstantSigma = 0.4;

std::optional<double> parse_lanes(std::string_view text) {
  text = trimmed(text);
  const auto lanes = take_decimal(text);
  if (!lanes || !text.empty() || *lanes <= 0 || *lanes > kMostLanes) return std::nullopt;
  return lanes;
}

std::optional<std::string_view> value_of(const std::map<std::string, std::string>& attributes, const std::optional<std::string>& field) {
  if (!field) return std::nullopt;
  const auto found = attributes.find(*field);
  if (found == attributes.end()) return std::nullopt;
  return std::string_view(found->second);
}

std::string short_number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::optional<WrittenWidth> parse_widths_m(std::string_view text) {
  std::vector<double> widths;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find(';', begin), text.size());
    const auto metres = parse_width_m(text.substr(begin, end - begin));
    if (!metres) return std::nullopt;
    widths.push_back(*metres);
    begin = end + 1;
  }
  double sum = 0;
  for (const double width : widths) sum += width;
  const auto [low, high] = std::minmax_element(widths.begin(), widths.end());
  return WrittenWidth{sum / static_cast<double>(widths.size()), (*high - *low) / 2};
}

bool is_width_table(std::string_view name) { return find_width_table(name).has_value(); }

WidthRules::WidthRules(const WidthConfig& config, const std::filesystem::path& table_file) : config_(config) {
  if (config_.classes) table_ = read_width_table(find_width_table(config_.classes->table).value_or(table_file));
}

std::vector<std::string> WidthRules::fields() const {
  std::vector<std::string> fields;
  for (const auto& field : {config_.attribute, config_.attribute_end, config_.lanes, config_.oneway})
    if (field) fields.push_back(*field);
  if (config_.classes) fields.push_back(config_.classes->field);
  return fields;
}

std::optional<LineWidth> WidthRules::width_of(const WidthQuery& query) const {
  using Rule = std::optional<LineWidth> (WidthRules::*)(const WidthQuery&) const;
  static constexpr std::array<std::pair<std::string_view, Rule>, 5> kRules{{{"attribute", &WidthRules::by_attribute},
                                                                            {"lanes", &WidthRules::by_lanes},
                                                                            {"classes", &WidthRules::by_class},
                                                                            {"areas", &WidthRules::by_area},
                                                                            {"constant", &WidthRules::by_constant}}};
  for (const auto& name : config_.order)
    for (const auto& [rule, apply] : kRules)
      if (rule == name)
        if (auto width = (this->*apply)(query)) {
          width->rule = rule;
          return width;
        }
  return std::nullopt;
}

const ClassWidth* WidthRules::class_of(const Attributes& attributes) const {
  if (!config_.classes) return nullptr;
  const auto text = value_of(attributes, config_.classes->field);
  const auto entry = text ? table_.find(lower_case(trimmed(*text))) : table_.end();
  return entry == table_.end() ? nullptr : &entry->second;
}

bool WidthRules::is_oneway(const Attributes& attributes) const {
  const auto text = value_of(attributes, config_.oneway);
  if (!text) return false;
  const auto value = lower_case(trimmed(*text));
  return value == "yes" || value == "true" || value == "1" || value == "-1" || value == "reverse";
}

bool WidthRules::is_believed(double metres, const Attributes& attributes) const {
  const ClassWidth* limits = class_of(attributes);
  const double least = limits ? limits->min_m.value_or(config_.min_m) : config_.min_m, most = limits ? limits->max_m.value_or(config_.max_m) : config_.max_m;
  return metres >= least && metres <= most;
}

std::optional<LineWidth> WidthRules::by_attribute(const WidthQuery& query) const {
  const auto text = value_of(query.attributes, config_.attribute);
  const auto width = text ? parse_widths_m(*text) : std::nullopt;
  if (!width || !is_believed(width->metres, query.attributes)) return std::nullopt;
  LineWidth out{width->metres, std::max(width->spread_m, width->metres * kAttributeSigma), {}, *config_.attribute + " = " + std::string(*text), {}};
  if (const auto end_text = value_of(query.attributes, config_.attribute_end)) {
    const auto end = parse_width_m(*end_text);
    if (end && is_believed(*end, query.attributes)) {
      out.end_m = end;
      out.source += ", " + *config_.attribute_end + " = " + std::string(*end_text);
    }
  }
  return out;
}

std::optional<LineWidth> WidthRules::by_lanes(const WidthQuery& query) const {
  const auto text = value_of(query.attributes, config_.lanes);
  auto lanes = text ? parse_lanes(*text) : std::nullopt;
  if (!lanes) return std::nullopt;
  const bool is_doubled = config_.lanes_per_direction && !is_oneway(query.attributes);
  if (is_doubled) *lanes *= 2;
  const ClassWidth* road = class_of(query.attributes);
  const double lane_m = config_.lane_m.value_or(road ? road->lane_m.value_or(kLaneM) : kLaneM);
  const double metres = *lanes * lane_m + config_.shoulder_m;
  if (!is_believed(metres, query.attributes)) return std::nullopt;
  return LineWidth{metres, metres * kLanesSigma, {}, *config_.lanes + " = " + std::string(*text) + (is_doubled ? " x 2" : "") + " x " + short_number(lane_m) + " m" + (config_.shoulder_m > 0 ? " + " + short_number(config_.shoulder_m) + " m" : ""), {}};
}

std::optional<LineWidth> WidthRules::by_class(const WidthQuery& query) const {
  const ClassWidth* road = class_of(query.attributes);
  if (!road) return std::nullopt;
  const bool is_half = road->oneway_m && is_oneway(query.attributes);
  const double metres = is_half ? *road->oneway_m : road->metres;
  return LineWidth{metres, road->sigma_m.value_or(metres * kClassSigma), {}, config_.classes->field + " = " + std::string(*value_of(query.attributes, config_.classes->field)) + (is_half ? ", one way" : "") + " (" + config_.classes->table + ")", {}};
}

std::optional<LineWidth> WidthRules::by_area(const WidthQuery& query) const {
  if (!areas_ || !config_.areas) return std::nullopt;
  const auto road_class = config_.classes ? value_of(query.attributes, config_.classes->field) : std::nullopt;
  const auto found = areas_->find(query.middle, road_class ? lower_case(trimmed(*road_class)) : "");
  if (!found || !is_believed(found->metres, query.attributes)) return std::nullopt;
  return LineWidth{found->metres, found->metres * kAreaSigma, {}, config_.areas->width + " of area " + found->id, {}};
}

std::optional<LineWidth> WidthRules::by_constant(const WidthQuery&) const {
  if (!config_.constant_m) return std::nullopt;
  return LineWidth{*config_.constant_m, *config_.constant_m * kConstantSigma, {}, "constant_m", {}};
}

}  // namespace tilewright::pipeline
