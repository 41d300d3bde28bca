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
#include "pipeline/io/width_table.h"
#include "pipeline/stages/width_areas.h"

namespace tilewright::pipeline {

/// A width as people write it: one, or several with semicolons between them.
struct WrittenWidth {
  double metres = 0;    ///< the mean of several
  double spread_m = 0;  ///< half of what they differ
};
/// nullopt if any of them is not one for parse_width_m.
std::optional<WrittenWidth> parse_widths_m(std::string_view text);

struct LineWidth {
  double metres = 0, sigma_m = 0;  ///< 68 % of such lines are this near
  std::string_view rule;           ///< attribute, lanes, classes, areas or constant: kept per object
  std::string source;              ///< what it was read from: "largeur = 4"
  std::optional<double> end_m;     ///< at the end of a line whose width changes
};

/// A line that asks for its width.
struct WidthQuery {
  const std::map<std::string, std::string>& attributes;
  geometry::MapXY middle;  ///< in the CRS of the areas
};

/// The rules of one layer in the job's order. An attribute and lanes are believed within the limits of the
/// road's class in the table, else within [min_m, max_m]; the constant always is.
class WidthRules {
 public:
  /// `table_file`: where `classes.table` lies if it is a CSV of the job. Throws Error::config for one that
  /// cannot be read.
  WidthRules(const WidthConfig& config, const std::filesystem::path& table_file);
  /// Polygons of `areas`; outlives the rules.
  void set_areas(const WidthAreas* areas) { areas_ = areas; }
  /// Attributes that the rules look at.
  [[nodiscard]] std::vector<std::string> fields() const;
  [[nodiscard]] std::optional<LineWidth> width_of(const WidthQuery& query) const;

 private:
  using Attributes = std::map<std::string, std::string>;
  [[nodiscard]] const ClassWidth* class_of(const Attributes& attributes) const;
  [[nodiscard]] bool is_oneway(const Attributes& attributes) const;
  [[nodiscard]] std::optional<LineWidth> by_attribute(const WidthQuery& query) const;
  [[nodiscard]] std::optional<LineWidth> by_lanes(const WidthQuery& query) const;
  [[nodiscard]] std::optional<LineWidth> by_class(const WidthQuery& query) const;
  [[nodiscard]] std::optional<LineWidth> by_area(const WidthQuery& query) const;
  [[nodiscard]] std::optional<LineWidth> by_constant(const WidthQuery& query) const;
  [[nodiscard]] bool is_believed(double metres, const Attributes& attributes) const;

  WidthConfig config_;
  WidthTable table_;
  const WidthAreas* areas_ = nullptr;
};

/// Is this the name of a table that comes with the program?
bool is_width_table(std::string_view name);

}  // namespace tilewright::pipeline
