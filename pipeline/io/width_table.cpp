// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them, and CSV tables of widths.
#include "pipeline/io/width_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>

#include "geometry/error.h"
#include "pipeline/io/band_manifest.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr double kFootM = 0.3048, kInchM = 0.0254;

/// What follows feet: nothing, or inches.
std::optional<double> inches_m(std::string_view text) {
  if (text.empty()) return 0.0;
  const auto inches = take_decimal(text);
  if (!inches || *inches >= 12 || (text != "\"" && text != "in" && text != "''")) return std::nullopt;
  return *inches * kInchM;
}

/// Where a line has semicolons or tabs its commas are decimal ones.
std::vector<std::string> cells_of(const std::string& line) {
  const char separator = line.find(';') != std::string::npos ? ';' : line.find('\t') != std::string::npos ? '\t' : ',';
  std::vector<std::string> cells(1);
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') is_quoted = !is_quoted;
    else if (!is_quoted && c == separator) cells.emplace_back();
    else cells.back() += c;
  }
  for (auto& cell : cells) cell = std::string(trimmed(cell));
  return cells;
}

/// One line of a table at a time.
class TableReader {
 public:
  explicit TableReader(const fs::path& file) : file_(file) {}

  void add(const std::string& line) {
    ++number_;
    const auto text = trimmed(line);
    if (text.empty() || text.front() == '#') return;
    const auto cells = cells_of(line);
    if (!is_begun_ && lower_case(cells.front()) == "class") set_columns(cells);
    else add_row(line, cells);
    is_begun_ = true;
  }
  WidthTable take() {
    if (table_.empty()) throw Error::config("the width table " + file_.string() + " has no class; give lines of class,metres such as: residential,6.5");
    return std::move(table_);
  }

 private:
  [[noreturn]] void wrong(const std::string& line) const {
    throw Error::config("line " + std::to_string(number_) + " of the width table " + file_.string() + " is '" + line + "', expected " +
                        (columns_.size() == 2 ? "class,metres such as: residential,6.5" : "a class and numbers above 0 or nothing in its other columns"));
  }

  void set_columns(const std::vector<std::string>& cells) {
    static const std::vector<std::string> kKnown{"class", "metres", "oneway_m", "lane_m", "min_m", "max_m", "sigma_m"};
    columns_.clear();
    for (const auto& cell : cells) {
      columns_.push_back(lower_case(cell));
      if (std::find(kKnown.begin(), kKnown.end(), columns_.back()) == kKnown.end())
        throw Error::config("line " + std::to_string(number_) + " of the width table " + file_.string() + " names the column '" + cell +
                            "'; columns are class, metres, oneway_m, lane_m, min_m, max_m and sigma_m");
    }
    if (std::find(columns_.begin(), columns_.end(), "metres") == columns_.end())
      throw Error::config("line " + std::to_string(number_) + " of the width table " + file_.string() + " names no column metres; add it");
  }

  void add_row(const std::string& line, std::vector<std::string> cells) {
    // A comma may be the decimal one where a table has two columns only.
    if (columns_.size() == 2 && cells.size() == 3) {
      cells[1] += "," + cells[2];
      cells.pop_back();
    }
    if (cells.size() > columns_.size() || cells.front().empty()) wrong(line);
    ClassWidth width;
    for (std::size_t k = 1; k < cells.size(); ++k) {
      if (cells[k].empty()) continue;
      const auto metres = parse_width_m(cells[k]);
      if (!metres) wrong(line);
      set(width, columns_[k], *metres);
    }
    if (!(width.metres > 0) || width.min_m.value_or(0) > width.metres || width.max_m.value_or(width.metres) < width.metres) wrong(line);
    table_[lower_case(cells.front())] = width;
  }
  static void set(ClassWidth& width, const std::string& column, double metres) {
    if (column == "metres") width.metres = metres;
    if (column == "oneway_m") width.oneway_m = metres;
    if (column == "lane_m") width.lane_m = metres;
    if (column == "min_m") width.min_m = metres;
    if (column == "max_m") width.max_m = metres;
    if (column == "sigma_m") width.sigma_m = metres;
  }

  const fs::path& file_;
  std::vector<std::string> columns_{"class", "metres"};
  WidthTable table_;
  int number_ = 0;
  bool is_begun_ = false;
};

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::optional<double> take_decimal(std::string_view& text) {
  const auto end = std::min(text.find_first_not_of("0123456789.,"), text.size());
  std::string digits(text.substr(0, end));
  if (digits.empty() || digits.size() > 18) return std::nullopt;
  std::replace(digits.begin(), digits.end(), ',', '.');
  if (std::count(digits.begin(), digits.end(), '.') > 1 || digits.front() == '.' || digits.back() == '.') return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
  text = trimmed(text.substr(end));
  return value;
}

std::optional<double> parse_width_m(std::string_view text) {
  text = trimmed(text);
  const auto value = take_decimal(text);
  if (!value) return std::nullopt;
  double metres = *value;
  const std::string unit = lower_case(text);
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

WidthTable read_width_table(const fs::path& file) {
  std::ifstream in(file);
  if (!in) throw Error::config("the width table " + file.string() + " cannot be read; give a CSV of class,metres, or a table of the program");
  TableReader reader(file);
  for (std::string line; std::getline(in, line);) reader.add(line);
  return reader.take();
}

std::vector<std::string> width_table_names() {
  std::vector<std::string> names;
  for (const auto& folder : data_manifest_folders()) {
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder / "widths", error); !error && entry != fs::directory_iterator(); entry.increment(error))
      if (entry->path().extension() == ".csv") names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::optional<fs::path> find_width_table(std::string_view name) {
  const auto names = width_table_names();
  if (std::find(names.begin(), names.end(), name) == names.end()) return std::nullopt;
  for (const auto& folder : data_manifest_folders()) {
    std::error_code error;
    const auto file = folder / "widths" / (std::string(name) + ".csv");
    if (fs::is_regular_file(file, error)) return file;
  }
  return std::nullopt;
}

}  // namespace tilewright::pipeline
