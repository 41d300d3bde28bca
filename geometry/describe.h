// SPDX-License-Identifier: Apache-2.0
// How a config struct names its fields once, for parsing, dump, help, schema and key errors.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tilewright {

/// A config struct `C` has a free function in its own namespace
///
///     template <class V> void describe(V&& v, C& c) {
///       v("min_views", c.min_views, "keep locations seen by at least this many", at_least(1));
///     }
///
/// A visitor is any callable `v(key, field, help)` and `v(key, field, help, Limits)`. Fields are
/// bool, int, std::int64_t, std::uint64_t, double, std::string, std::optional<T>, std::vector<T>,
/// NamedList<T>, std::map<int, T>, enums with `enum_names`, described structs, or a union type for
/// which a visitor has its own overload. Nothing else reads or writes config fields by name.
struct Limits {
  double min = -1e308;
  double max = 1e308;
  bool min_is_open = false;                 ///< true: the value must be greater than `min`
  std::vector<std::string_view> one_of{};   ///< if not empty: the only strings allowed
};

inline Limits at_least(double min) { return {.min = min}; }
inline Limits above(double min) { return {.min = min, .min_is_open = true}; }
inline Limits between(double min, double max) { return {.min = min, .max = max}; }
inline Limits one_of(std::initializer_list<std::string_view> names) { return {.one_of = names}; }

/// A mapping whose order in the file matters; keys match [a-z0-9_]+ where they name an entity.
template <class T>
using NamedList = std::vector<std::pair<std::string, T>>;

/// One spelling of one enumerator.
template <class E>
struct EnumName {
  std::string_view name;
  E value;
};
template <class E>
struct EnumNames;  ///< specialise: `static constexpr EnumName<E> values[] = {{"bounds", E::bounds}};`

template <class E>
constexpr std::string_view name_of(E value) {
  for (const auto& entry : EnumNames<E>::values)
    if (entry.value == value) return entry.name;
  return "?";
}

}  // namespace tilewright
