// SPDX-License-Identifier: Apache-2.0
// Tables of road widths by class: CSV files of the program or of a job.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::pipeline {

/// One class of a table; metres on the ground.
struct ClassWidth {
  double metres = 0;               ///< both directions together
  std::optional<double> oneway_m;  ///< where the line is one direction
  std::optional<double> lane_m;    ///< of one lane
  std::optional<double> min_m, max_m;  ///< what is believed of an attribute
  std::optional<double> sigma_m;   ///< 68 % of the roads of the class lie this near to `metres`
};
/// By class in lower case (ASCII).
using WidthTable = std::map<std::string, ClassWidth, std::less<>>;

/// Lines `class,metres`, or columns as a first line that begins with `class` names them: class, metres,
/// oneway_m, lane_m, min_m, max_m, sigma_m; lines with # are comments. Separators: , ; or tab. Throws
/// Error::config with file and line for what cannot be read.
WidthTable read_width_table(const std::filesystem::path& file);

/// Tables that come with the program (data-manifests/widths/<name>.csv), sorted.
std::vector<std::string> width_table_names();
/// The file of one of them, nullopt for any other name.
std::optional<std::filesystem::path> find_width_table(std::string_view name);

/// Metres in "7", "7 m", "7,5", "23'", "23 ft", "12'6\""; nullopt for other units, signs, zero,
/// ranges and anything else.
std::optional<double> parse_width_m(std::string_view text);
/// Without blanks at both ends; in lower case (ASCII only: accents stay).
std::string_view trimmed(std::string_view text);
std::string lower_case(std::string_view text);
/// Digits with at most one decimal point or comma, taken off the front of `text` with the blanks behind them.
std::optional<double> take_decimal(std::string_view& text);

}  // namespace tilewright::pipeline
