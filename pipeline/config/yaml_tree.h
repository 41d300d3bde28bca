// SPDX-License-Identifier: Apache-2.0
// A job file as a tree of values that know their place: duplicates, merges and bombs are out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tilewright::pipeline {

/// Where a value was written. `origin` empty = the job file, else the flag or variable.
struct Place {
  std::string origin;
  int line = 0, column = 0;  ///< 1-based; 0 = no place
};

/// One violation; `path` is the key path with dots.
struct Problem {
  Place place;
  std::string path, text;
};

struct YamlEntry;
struct YamlNode {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;          ///< scalar as written, without quotes
  bool is_quoted = false;
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  ///< in file order, keys unique
  Place place;

  [[nodiscard]] bool is_null() const { return kind == Kind::null; }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::scalar; }
  [[nodiscard]] bool is_list() const { return kind == Kind::list; }
  [[nodiscard]] bool is_map() const { return kind == Kind::map; }
  [[nodiscard]] const YamlEntry* find(std::string_view key) const;
  YamlEntry* find(std::string_view key);
  /// "the text 'x'", "a list", ...: what was found, for error texts.
  [[nodiscard]] std::string found() const;
};
struct YamlEntry {
  std::string key;
  Place key_place;
  YamlNode value;
};

/// Parses one document. Syntax errors, duplicate keys (with both places), merge keys, tags, keys
/// that are not text, more than 100,000 nodes (aliases count each time they are used) and deeper
/// nesting than 64 become problems; what could be read is returned.
YamlNode parse_yaml(const std::string& text, const std::string& origin, std::vector<Problem>& problems);

/// Null, a flag, a number: how YAML would read a plain scalar.
bool is_null_text(const std::string& text);
std::optional<double> number_of(const std::string& text);  ///< decimal notation only, finite
/// The remedy if `text` looks like a number that YAML dialects read differently (010, 0x10, 1_000), else "".
std::string number_trap(const std::string& text);

std::string join_path(const std::string& parent, const std::string& key);

/// `file:line:column: key.path: text` a line, in file order; flags and variables last.
std::string format_problems(const std::string& file, std::vector<Problem> problems);

}  // namespace tilewright::pipeline
