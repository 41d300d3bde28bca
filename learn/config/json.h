// SPDX-License-Identifier: Apache-2.0
// JSON to and from described structs: keys sorted as declared, unknown keys refused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "geometry/describe.h"
#include "geometry/error.h"

namespace tilewright::learn {

using Json = nlohmann::ordered_json;

template <class T>
Json json_of(const T& value);
template <class T>
void read_json(const Json& json, T& value, const std::string& where);

namespace json_detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsNamedList : std::false_type {};
template <class T>
struct IsNamedList<std::vector<std::pair<std::string, T>>> : std::true_type {};

struct Writer {
  Json& out;
  template <class T, class... Rest>
  void operator()(const char* key, T& field, const char*, Rest&&...) const {
    out[key] = json_of(field);
  }
};

struct Reader {
  const Json& in;
  const std::string& where;
  std::vector<std::string>& known;
  template <class T, class... Rest>
  void operator()(const char* key, T& field, const char*, Rest&&...) const {
    known.emplace_back(key);
    if (const auto found = in.find(key); found != in.end()) read_json(*found, field, where + "." + key);
  }
};

}  // namespace json_detail

template <class T>
Json json_of(const T& value) {
  using namespace json_detail;
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (IsOptional<T>::value) {
    return value ? json_of(*value) : Json(nullptr);
  } else if constexpr (IsNamedList<T>::value) {
    Json out = Json::object();
    for (const auto& [name, item] : value) out[name] = json_of(item);
    return out;
  } else if constexpr (IsVector<T>::value) {
    Json out = Json::array();
    for (const auto& item : value) out.push_back(json_of(item));
    return out;
  } else {
    Json out = Json::object();
    describe(Writer{out}, const_cast<T&>(value));
    return out;
  }
}

/// Throws Error::failed that names the path, the type found and the type wanted.
template <class T>
void read_json(const Json& json, T& value, const std::string& where) {
  using namespace json_detail;
  const auto wrong = [&](const char* wanted) {
    throw Error::failed(where + " is " + json.type_name() + ", expected " + wanted);
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) wrong("true or false");
    value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!json.is_number_integer()) wrong("an integer");
    value = json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) wrong("a number");
    value = json.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) wrong("a text");
    value = json.get<std::string>();
  } else if constexpr (IsOptional<T>::value) {
    if (json.is_null()) {
      value.reset();
    } else {
      read_json(json, value.emplace(), where);
    }
  } else if constexpr (IsNamedList<T>::value) {
    if (!json.is_object()) wrong("a mapping");
    value.clear();
    for (const auto& [name, item] : json.items())
      read_json(item, value.emplace_back(name, typename T::value_type::second_type{}).second, where + "." + name);
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) wrong("a list");
    value.clear();
    for (const auto& item : json) read_json(item, value.emplace_back(), where + "[]");
  } else {
    if (!json.is_object()) wrong("a mapping");
    std::vector<std::string> known;
    describe(Reader{json, where, known}, value);
    for (const auto& [key, item] : json.items())
      if (std::find(known.begin(), known.end(), key) == known.end())
        throw Error::failed(where + " has the unknown key '" + key + "'");
  }
}

}  // namespace tilewright::learn
