// SPDX-License-Identifier: Apache-2.0
// Reads described structs from a YAML tree; wrong values become problems, never exceptions.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/field_traits.h"
#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {

/// A node, its key path, and where problems go.
struct Cursor {
  const YamlNode& node;
  std::string path;
  std::vector<Problem>& problems;

  void wrong(const std::string& text) const { problems.push_back({node.place, path, text}); }
  /// "is 'x', expected <wanted>"
  void expected(const std::string& wanted) const { wrong("is " + node.found() + ", expected " + wanted); }
  [[nodiscard]] Cursor child(const YamlEntry& entry) const { return {entry.value, join_path(path, entry.key), problems}; }
  [[nodiscard]] Cursor item(std::size_t i) const { return {node.items[i], join_path(path, std::to_string(i)), problems}; }
};

// Scalars: nullopt after a problem was noted.
std::optional<bool> read_bool(const Cursor& at);
std::optional<std::int64_t> read_integer(const Cursor& at, std::int64_t least, std::int64_t most, const Limits& limits);
std::optional<std::uint64_t> read_unsigned(const Cursor& at, const Limits& limits);
std::optional<double> read_number(const Cursor& at, const Limits& limits);
std::optional<std::string> read_text(const Cursor& at, const Limits& limits);
/// One of `names`; the problem names the nearest.
std::optional<std::size_t> read_choice(const Cursor& at, const std::vector<std::string>& names);
/// Problems for the keys of a mapping that are not among `known`.
void refuse_unknown(const Cursor& at, const std::vector<std::string>& known);

// Fields with more than one form.
void read_value(const Cursor& at, OriginField& value, const Limits& limits = {});
void read_value(const Cursor& at, PeriodField& value, const Limits& limits = {});
void read_value(const Cursor& at, ClassStyles& value, const Limits& limits = {});
void read_value(const Cursor& at, QualityList& value, const Limits& limits = {});
void read_value(const Cursor& at, BandList& value, const Limits& limits = {});
void read_value(const Cursor& at, TextList& value, const Limits& limits = {});
void read_value(const Cursor& at, InputList& value, const Limits& limits = {});
void read_value(const Cursor& at, PeriodList& value, const Limits& limits = {});
void read_value(const Cursor& at, BandGroup& value, const Limits& limits = {});
void read_value(const Cursor& at, NodataConfig& value, const Limits& limits = {});
void read_value(const Cursor& at, AreaConfig& value, const Limits& limits = {});
void read_value(const Cursor& at, ClassRule& value, const Limits& limits = {});
void read_value(const Cursor& at, ExtentConfig& value, const Limits& limits = {});

template <class T>
void read_value(const Cursor& at, T& value, const Limits& limits = {});

struct FieldReader {
  const Cursor& at;
  std::vector<std::string>& known;
  template <class T>
  void operator()(const char* key, T& field, const char*, const Limits& limits = {}) const {
    known.emplace_back(key);
    if (const auto* entry = at.node.find(key)) read_value(at.child(*entry), field, limits);
  }
};

/// A described struct from a mapping; an empty value leaves the defaults.
template <class T>
void read_struct(const Cursor& at, T& value) {
  if (at.node.is_null()) return;
  if (!at.node.is_map()) return at.expected("a mapping of keys to values");
  std::vector<std::string> known;
  describe(FieldReader{at, known}, value);
  refuse_unknown(at, known);
}

template <class T>
void read_value(const Cursor& at, T& value, const Limits& limits) {
  if constexpr (std::is_same_v<T, bool>) {
    if (const auto read = read_bool(at)) value = *read;
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (const auto read = read_unsigned(at, limits)) value = *read;
  } else if constexpr (std::is_integral_v<T>) {
    if (const auto read = read_integer(at, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), limits))
      value = static_cast<T>(*read);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (const auto read = read_number(at, limits)) value = *read;
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (auto read = read_text(at, limits)) value = std::move(*read);
  } else if constexpr (std::is_enum_v<T>) {
    std::vector<std::string> names;
    for (const auto& entry : EnumNames<T>::values) names.emplace_back(entry.name);
    if (const auto choice = read_choice(at, names)) value = EnumNames<T>::values[*choice].value;
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!at.node.is_null()) read_value(at, value.emplace(), limits);
  } else if constexpr (IsNamedList<T>::value) {
    value.clear();
    if (at.node.is_null()) return;
    if (!at.node.is_map()) return at.expected("a mapping of names to values");
    for (const auto& entry : at.node.entries)
      read_value(at.child(entry), value.emplace_back(entry.key, typename T::value_type::second_type{}).second, limits);
  } else if constexpr (IsVector<T>::value) {
    value.clear();
    if (at.node.is_null()) return;
    if (!at.node.is_list()) return at.expected("a list");
    for (std::size_t i = 0; i < at.node.items.size(); ++i) read_value(at.item(i), value.emplace_back(), limits);
  } else {
    read_struct(at, value);
  }
}

}  // namespace tilewright::pipeline
