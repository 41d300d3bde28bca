// SPDX-License-Identifier: Apache-2.0
// Fields that may be written in more than one form: one reader for each of them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "pipeline/config/load.h"
#include "pipeline/config/reader.h"

namespace tilewright::pipeline {
namespace {

constexpr int kLargestClass = 255;  ///< 255 = ignore

/// A list of exactly N values of T, or one problem.
template <class T, std::size_t N>
std::optional<std::array<T, N>> read_array(const Cursor& at, const std::string& wanted) {
  if (!at.node.is_list() || at.node.items.size() != N) {
    at.expected(wanted);
    return std::nullopt;
  }
  std::array<T, N> out{};
  for (std::size_t i = 0; i < N; ++i) read_value(at.item(i), out[i]);
  return out;
}

/// A value, or a list of values.
template <class T>
void read_one_or_list(const Cursor& at, std::vector<T>& value) {
  value.clear();
  if (at.node.is_null()) return;
  if (!at.node.is_list()) return read_value(at, value.emplace_back());
  for (std::size_t i = 0; i < at.node.items.size(); ++i) read_value(at.item(i), value.emplace_back());
}

void read_input(const Cursor& at, DatasetInput& value) {
  if (at.node.is_map()) return read_struct(at, value);
  if (!at.node.is_scalar()) return at.expected("a source's name or {source: ..., bands: [...]}");
  read_value(at, value.source);
}

void read_nodata_word(const Cursor& at, NodataConfig& value) {
  const auto& text = at.node.text;
  if (text == "declared") value.mode = NodataMode::declared;
  else if (text == "detect") value.mode = NodataMode::detect;
  else if (text == "none") value.mode = NodataMode::none;
  else if (const auto number = number_of(text); number && !at.node.is_quoted) {
    value.mode = NodataMode::value;
    value.value = *number;
  } else if (text == "nan" || text == "NaN" || text == ".nan" || text == ".NaN") {
    value.mode = NodataMode::value;
    value.value = std::numeric_limits<double>::quiet_NaN();
  } else {
    const auto near = nearest_name(text, {"declared", "detect", "none", "nan"});
    at.expected("declared, detect, none, nan, a number, or a mapping of band names to these" + (near.empty() ? "" : "; did you mean " + near + "?"));
  }
}

}  // namespace

void read_value(const Cursor& at, OriginField& value, const Limits&) {
  value.reset();
  if (at.node.is_null() || (at.node.is_scalar() && at.node.text == "auto")) return;
  value = read_array<double, 2>(at, "auto, or a list of two numbers [x, y]");
}

void read_value(const Cursor& at, PeriodField& value, const Limits&) {
  value.reset();
  if (!at.node.is_null()) value = read_array<std::string, 2>(at, "a list of two dates [from, to]");
}

void read_value(const Cursor& at, ClassStyles& value, const Limits&) {
  value.clear();
  if (at.node.is_null()) return;
  if (!at.node.is_map()) return at.expected("a mapping of class numbers to {name, color}");
  for (const auto& entry : at.node.entries) {
    const auto number = number_of(entry.key);
    if (number && std::floor(*number) == *number && *number >= 0 && *number < kLargestClass) {
      read_value(at.child(entry), value[static_cast<int>(*number)]);
    } else {
      at.problems.push_back({entry.key_place, join_path(at.path, entry.key), "the key is not a class number, expected 0 to 254"});
    }
  }
}

void read_value(const Cursor& at, QualityList& value, const Limits&) { read_one_or_list(at, value); }
void read_value(const Cursor& at, TextList& value, const Limits& limits) {
  read_one_or_list(at, value);
  (void)limits;
}

void read_value(const Cursor& at, InputList& value, const Limits&) {
  value.clear();
  if (at.node.is_null()) return;
  if (!at.node.is_list()) return read_input(at, value.emplace_back());
  for (std::size_t i = 0; i < at.node.items.size(); ++i) read_input(at.item(i), value.emplace_back());
}

void read_value(const Cursor& at, PeriodList& value, const Limits&) {
  value.clear();
  if (at.node.is_null()) return;
  if (at.node.is_scalar() && at.node.text == "seasons") {
    value = index::seasons();
  } else if (at.node.is_list()) {
    for (std::size_t i = 0; i < at.node.items.size(); ++i) read_struct(at.item(i), value.emplace_back());
  } else {
    at.expected("seasons, or a list of {name: ..., from: MM-DD, to: MM-DD}");
  }
}

void read_value(const Cursor& at, BandList& value, const Limits&) {
  value.clear();
  if (at.node.is_null()) return;
  if (at.node.is_list()) {
    for (std::size_t i = 0; i < at.node.items.size(); ++i) read_value(at.item(i), value.emplace_back().name);
  } else if (at.node.is_map()) {
    for (const auto& entry : at.node.entries) {
      auto& band = value.emplace_back();
      band.name = entry.key;
      read_value(at.child(entry), band.path_suffix.emplace());
    }
  } else {
    at.expected("a list of names in file order, or a mapping of names to path suffixes");
  }
}

void read_value(const Cursor& at, BandGroup& value, const Limits&) {
  value = {};
  if (at.node.is_list()) return read_value(at, value.bands);
  read_struct(at, value);
}

void read_value(const Cursor& at, NodataConfig& value, const Limits&) {
  value = {};
  if (at.node.is_scalar()) return read_nodata_word(at, value);
  if (!at.node.is_map()) return at.expected("declared, detect, none, nan, a number, or a mapping of band names to these");
  for (const auto& entry : at.node.entries) {
    auto& band = value.per_band.emplace_back(entry.key, NodataConfig{}).second;
    const auto child = at.child(entry);
    if (child.node.is_scalar()) read_nodata_word(child, band);
    else child.expected("declared, detect, none, nan or a number");
  }
}

void read_value(const Cursor& at, AreaConfig& value, const Limits&) {
  value = {};
  if (at.node.is_scalar()) return read_value(at, value.file);
  value.bounds = read_array<double, 4>(at, "a vector file or [west, south, east, north] in degrees");
}

void read_value(const Cursor& at, ClassRule& value, const Limits&) {
  value = {};
  if (at.node.is_list()) {
    for (std::size_t i = 0; i < at.node.items.size(); ++i) read_struct(at.item(i), value.by_condition.emplace_back());
    if (value.by_condition.empty()) at.wrong("is an empty list; give {where: ..., class: ...}, or one class");
    return;
  }
  if (!at.node.is_map()) return read_value(at, value.constant, between(1, kLargestClass));
  auto& rule = value.by_field.emplace();
  read_struct(at, rule);
  if (rule.field.empty()) at.wrong("field is missing; name the attribute that holds the class");
  if (rule.values.empty()) at.wrong("values is missing; map attribute values to classes, such as {field: nature, values: {Route: 1}}");
}

void read_value(const Cursor& at, ExtentConfig& value, const Limits&) {
  value = {};
  ExtentParts parts;
  if (at.node.is_map()) read_struct(at, parts);
  else if (const auto text = read_text(at, {})) parts.within = *text;
  else return;
  value.layer = parts.layer;
  value.margin_m = parts.margin_m;
  if (parts.within == "bounds") value.kind = ExtentKind::bounds;
  else if (parts.within == "hull") value.kind = ExtentKind::hull;
  else if (parts.within == "all") value.kind = ExtentKind::all;
  else value.kind = ExtentKind::file, value.file = parts.within;
}

}  // namespace tilewright::pipeline
