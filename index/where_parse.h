// SPDX-License-Identifier: Apache-2.0
// Subset rules as SQL with bound values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tilewright::index {

/// Condition over `l` (a row of location); ?1 is the layer, the values are ?2, ?3, ...
struct WhereSql {
  std::string condition;
  std::vector<std::variant<double, std::string>> values;
  std::vector<std::string> metrics;  ///< that the rule names, in order of appearance
};

/// Does `l` have to do with the layer ?1?
inline constexpr const char* kOfLayer =
    "(EXISTS (SELECT 1 FROM mask WHERE location_id = l.location_id AND layer = ?1) OR "
    "EXISTS (SELECT 1 FROM score WHERE location_id = l.location_id AND layer = ?1))";

/// Recursive descent over the grammar of index/where.h; throws Error::config with the position.
WhereSql parse_where(const std::string& rule);

/// The expression of a column that holds numbers, over `l` with ?1 the layer; nullopt for all other names.
std::optional<std::string> number_column(std::string_view name);

}  // namespace tilewright::index
