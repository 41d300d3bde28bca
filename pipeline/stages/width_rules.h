// SPDX-License-Identifier: Apache-2.0
// How wide a line is on the ground: the first rule of the job that gives a believable number.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/config/label_config.h"

namespace tilewright::pipeline {

/// Metres in "7", "7 m", "7,5", "23'", "23 ft", "12'6\""; nullopt for other units, signs, zero,
/// ranges and anything else.
std::optional<double> parse_width_m(std::string_view text);

struct LineWidth {
  double metres = 0;
  std::string_view rule;  ///< attribute, lanes, classes or constant: kept per object
};

/// The rules of one layer, in the order attribute, lanes, classes, constant. Values outside
/// [min_m, max_m] are not believed; the constant is.
class WidthRules {
 public:
  /// `table_file`: where `classes.table` lies if it is a CSV of class and metres; throws
  /// Error::config with file and line for one that cannot be read.
  WidthRules(const WidthConfig& config, const std::filesystem::path& table_file);
  /// Attributes that the rules look at.
  [[nodiscard]] std::vector<std::string> fields() const;
  [[nodiscard]] std::optional<LineWidth> width_of(
      const std::map<std::string, std::string>& attributes) const;

 private:
  WidthConfig config_;
  std::map<std::string, double, std::less<>> table_;  ///< class in lower case: metres
};

/// Built-in tables: osm (highway), france (BD TOPO nature or importance), spacenet (road_type).
bool is_width_table(std::string_view name);

}  // namespace tilewright::pipeline
