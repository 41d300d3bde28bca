// SPDX-License-Identifier: Apache-2.0
// Parsing of widths, the built-in class tables, and the order of the rules.
#include "pipeline/stages/width_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <span>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

constexpr double kFootM = 0.3048, kInchM = 0.0254;
constexpr double kMostLanes = 24;

struct ClassWidth {
  std::string_view name;
  double metres;
};

// Lanes a direction (4 motorway, 3 trunk, 2 primary, else 1) x directions x lane width (3.75 up to
// primary, 3.5 below, 3.0 service), as robosat's osm/road.py counts them. Motorways, trunks and
// links are mapped one line a carriageway, the others one line for both directions.
constexpr std::array kOsm{
    ClassWidth{"motorway", 15}, ClassWidth{"motorway_link", 3.75}, ClassWidth{"trunk", 11.25},
    ClassWidth{"trunk_link", 3.75}, ClassWidth{"primary", 15}, ClassWidth{"primary_link", 3.75},
    ClassWidth{"secondary", 7}, ClassWidth{"secondary_link", 3.5}, ClassWidth{"tertiary", 7},
    ClassWidth{"tertiary_link", 3.5}, ClassWidth{"unclassified", 7}, ClassWidth{"residential", 7},
    ClassWidth{"road", 7}, ClassWidth{"living_street", 6}, ClassWidth{"service", 6},
    ClassWidth{"busway", 3.5}, ClassWidth{"pedestrian", 4}, ClassWidth{"track", 3},
    ClassWidth{"cycleway", 2}, ClassWidth{"bridleway", 2}, ClassWidth{"footway", 1.5},
    ClassWidth{"steps", 1.5}, ClassWidth{"path", 1.5}};

// BD TOPO gives the carriageway: means of `largeur` where it is surveyed, by nature and by importance.
constexpr std::array kFrance{
    ClassWidth{"autoroute", 10.5}, ClassWidth{"type autoroutier", 10.5},
    ClassWidth{"quasi-autoroute", 7}, ClassWidth{"route à 2 chaussées", 7},
    ClassWidth{"route à 1 chaussée", 5}, ClassWidth{"rond-point", 5}, ClassWidth{"bretelle", 4},
    ClassWidth{"route empierrée", 3}, ClassWidth{"chemin", 2.5}, ClassWidth{"piste cyclable", 2},
    ClassWidth{"escalier", 1.5}, ClassWidth{"sentier", 1}, ClassWidth{"1", 6.5},
    ClassWidth{"2", 6}, ClassWidth{"3", 5}, ClassWidth{"4", 4}, ClassWidth{"5", 3.5}};

// SpaceNet 3 road_type: 1 motorway, 2 primary, 3 secondary, 4 tertiary, 5 residential,
// 6 unclassified (often lanes of car parks), 7 cart track.
constexpr std::array kSpacenet{
    ClassWidth{"1", 15}, ClassWidth{"2", 15}, ClassWidth{"3", 7}, ClassWidth{"4", 7},
    ClassWidth{"5", 7}, ClassWidth{"6", 6}, ClassWidth{"7", 3}};

std::span<const ClassWidth> built_in(std::string_view name) {
  if (name == "osm") return kOsm;
  if (name == "france") return kFrance;
  if (name == "spacenet") return kSpacenet;
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

/// ASCII letters only: enough to match "Residential", and it leaves accents alone.
std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// Digits with at most one decimal point or comma, taken off the front of `text`.
std::optional<double> take_decimal(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789.,"), text.size());
  std::string digits(text.substr(0, end));
  if (digits.empty() || digits.size() > 18) return std::nullopt;
  std::replace(digits.begin(), digits.end(), ',', '.');
  if (std::count(digits.begin(), digits.end(), '.') > 1 || digits.front() == '.' || digits.back() == '.')
    return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
  text = trimmed(text.substr(end));
  return value;
}

/// What follows feet: nothing, or inches.
std::optional<double> inches_m(std::string_view text) {
  if (text.empty()) return 0.0;
  const auto inches = take_decimal(text);
  if (!inches || *inches >= 12 || (text != "\"" && text != "in" && text != "''")) return std::nullopt;
  return *inches * kInchM;
}

std::optional<double> parse_lanes(std::string_view text) {
  text = trimmed(text);
  const auto lanes = take_decimal(text);
  if (!lanes || !text.empty() || *lanes <= 0 || *lanes > kMostLanes) return std::nullopt;
  return lanes;
}

std::map<std::string, double, std::less<>> read_table(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error::config("the width table " + file.string() + " cannot be read; give a CSV of class,metres, or osm, france, spacenet");
  std::map<std::string, double, std::less<>> table;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (trimmed(line).empty()) continue;
    const auto separator = line.find_last_of(",;\t");
    const auto metres = separator == std::string::npos ? std::nullopt : parse_width_m(std::string_view(line).substr(separator + 1));
    if (!metres && number == 1) continue;  // a header
    if (!metres)
      throw Error::config("line " + std::to_string(number) + " of the width table " + file.string() + " is '" + line + "', expected class,metres such as: residential,6.5");
    std::string_view name = trimmed(std::string_view(line).substr(0, separator));
    if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
    table[lower(name)] = *metres;
  }
  return table;
}

std::optional<std::string_view> value_of(const std::map<std::string, std::string>& attributes,
                                         const std::optional<std::string>& field) {
  if (!field) return std::nullopt;
  const auto found = attributes.find(*field);
  if (found == attributes.end()) return std::nullopt;
  return std::string_view(found->second);
}

}  // namespace

std::optional<double> parse_width_m(std::string_view text) {
  text = trimmed(text);
  const auto value = take_decimal(text);
  if (!value) return std::nullopt;
  double metres = *value;
  const std::string unit = lower(text);
  if (unit.starts_with('\'') && !unit.starts_with("''")) {
    const auto inches = inches_m(trimmed(std::string_view(unit).substr(1)));
    if (!inches) return std::nullopt;
    metres = *value * kFootM + *inches;
  } else if (unit == "ft" || unit == "feet" || unit == "foot") {
    metres = *value * kFootM;
  } else if (!unit.empty() && unit != "m" && unit != "metre" && unit != "metres" && unit != "meter" && unit != "meters") {
    return std::nullopt;
  }
  if (!(metres > 0)) return std::nullopt;
  return metres;
}

bool is_width_table(std::string_view name) { return !built_in(name).empty(); }

WidthRules::WidthRules(const WidthConfig& config, const std::filesystem::path& table_file) : config_(config) {
  if (!config_.classes) return;
  if (!is_width_table(config_.classes->table)) {
    table_ = read_table(table_file);
    return;
  }
  for (const auto& entry : built_in(config_.classes->table)) table_[std::string(entry.name)] = entry.metres;
}

std::vector<std::string> WidthRules::fields() const {
  std::vector<std::string> fields;
  if (config_.attribute) fields.push_back(*config_.attribute);
  if (config_.lanes) fields.push_back(*config_.lanes);
  if (config_.classes) fields.push_back(config_.classes->field);
  return fields;
}

std::optional<LineWidth> WidthRules::width_of(const std::map<std::string, std::string>& attributes) const {
  const auto believed = [&](std::optional<double> metres) {
    return metres && *metres >= config_.min_m && *metres <= config_.max_m;
  };
  if (const auto text = value_of(attributes, config_.attribute)) {
    const auto metres = parse_width_m(*text);
    if (believed(metres)) return LineWidth{*metres, "attribute"};
  }
  if (const auto text = value_of(attributes, config_.lanes)) {
    const auto lanes = parse_lanes(*text);
    const auto metres = lanes ? std::optional(*lanes * config_.lane_m + config_.shoulder_m) : std::nullopt;
    if (believed(metres)) return LineWidth{*metres, "lanes"};
  }
  if (config_.classes) {
    const auto text = value_of(attributes, config_.classes->field);
    const auto entry = text ? table_.find(lower(trimmed(*text))) : table_.end();
    if (entry != table_.end() && believed(entry->second)) return LineWidth{entry->second, "classes"};
  }
  if (config_.constant_m) return LineWidth{*config_.constant_m, "constant"};
  return std::nullopt;
}

}  // namespace tilewright::pipeline
