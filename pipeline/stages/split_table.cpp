// SPDX-License-Identifier: Apache-2.0
// Reading a split list and joining it to tiles.
#include "pipeline/stages/split_table.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

using PartOfFile = std::map<std::string, std::string>;

std::size_t column_of(const std::vector<std::string>& header, const std::string& name, const std::string& file) {
  const auto found = std::ranges::find(header, name);
  if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  std::string known;
  for (const auto& column : header) known += (known.empty() ? "" : ", ") + column;
  throw Error::config("split.table: " + file + " has no column \"" + name + "\"; it has " + known);
}

std::string part_named(const SplitTable& table, const std::string& value, const std::string& file) {
  for (const auto& [name, part] : table.parts)
    if (name == value) return part;
  if (value == "train" || value == "val" || value == "test") return value;
  throw Error::config("split.table: " + file + " has the part \"" + value + "\"; add it to split.table.parts, such as {" + value + ": val}");
}

PartOfFile read_table(const Job& job, const SplitTable& table) {
  const auto path = job.resolve(table.file);
  std::ifstream in(path);
  if (!in) throw Error::config("split.table: " + table.file + " cannot be read at " + path.string() + "; check split.table.file");
  std::string line;
  std::getline(in, line);
  if (line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  const auto header = csv_fields(line);
  const auto key = column_of(header, table.key, table.file), value = column_of(header, table.value, table.file);
  PartOfFile parts;
  while (std::getline(in, line)) {
    const auto fields = csv_fields(line);
    if (fields.size() <= std::max(key, value)) continue;
    const auto part = part_named(table, fields[value], table.file);
    const auto [found, is_new] = parts.emplace(fields[key], part);
    if (!is_new && found->second != part)
      throw Error::config("split.table: " + table.file + " lists " + fields[key] + " as " + found->second + " and as " + part + "; keep one");
  }
  return parts;
}

/// Parts of tiles by any of their files; `used` gets the names of the table that a file has.
PartOfFile parts_of_tiles(const StageInput& in, const PartOfFile& part_of_file, std::set<std::string>& used) {
  PartOfFile parts;
  for (const auto& file : index::tile_files(in.manifest)) {
    for (const auto& name : names_of_file(file.path)) {
      const auto found = part_of_file.find(name);
      if (found == part_of_file.end()) continue;
      parts.emplace(file.tile_id, found->second);
      used.insert(name);
      break;
    }
  }
  return parts;
}

}  // namespace

std::vector<std::string> names_of_file(const std::string& path) {
  std::vector<std::string> names{path};
  for (auto at = path.find(':'); at != std::string::npos; at = path.find('/', at + 1)) names.push_back(path.substr(at + 1));
  names.push_back(std::filesystem::path(names.back()).stem().string());
  return names;
}

std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t n = 0; n < line.size(); ++n) {
    const char c = line[n];
    if (quoted && c == '"' && n + 1 < line.size() && line[n + 1] == '"') {
      fields.back() += line[++n];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

TableSplit split_by_table(const StageInput& in, const SplitTable& table, const std::vector<index::SplitLocation>& locations) {
  const auto part_of_file = read_table(in.job, table);
  std::set<std::string> used;
  const auto part_of_tile = parts_of_tiles(in, part_of_file, used);
  TableSplit split;
  split.rows = static_cast<std::int64_t>(part_of_file.size());
  for (const auto& [name, part] : part_of_file)
    if (!used.contains(name)) split.without_file.push_back(name);
  for (const auto& location : locations) {
    std::set<std::string> parts;
    for (const auto& tile : location.tile_ids)
      if (const auto found = part_of_tile.find(tile); found != part_of_tile.end()) parts.insert(found->second);
    split.unlisted += parts.empty() ? 1 : 0;
    split.contradicted += parts.size() > 1 ? 1 : 0;
    split.of.push_back({parts.empty() ? "" : parts.size() > 1 ? "guard" : *parts.begin(), std::nullopt});
  }
  return split;
}

}  // namespace tilewright::pipeline
