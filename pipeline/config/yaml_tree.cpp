// SPDX-License-Identifier: Apache-2.0
// From yaml-cpp nodes to our tree, with the checks that yaml-cpp leaves out.
#include "pipeline/config/yaml_tree.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <tuple>

namespace tilewright::pipeline {
namespace {

constexpr int kMaxNodes = 100'000;
constexpr int kMaxDepth = 64;

Place place_of(const YAML::Mark& mark, const std::string& origin) {
  return mark.is_null() ? Place{origin, 0, 0} : Place{origin, mark.line + 1, mark.column + 1};
}

std::string at(const Place& place) { return "line " + std::to_string(place.line) + ", column " + std::to_string(place.column); }

class Converter {
 public:
  Converter(const std::string& origin, std::vector<Problem>& problems) : origin_(origin), problems_(problems) {}

  YamlNode convert(const YAML::Node& node, const std::string& path, int depth) {
    YamlNode out;
    out.place = place_of(node.Mark(), origin_);
    if (!admit(out, path, depth)) return out;
    const auto tag = node.Tag();
    if (!tag.empty() && tag != "?" && tag != "!") {
      problems_.push_back({out.place, path, "the tag " + tag + " is not used in job files; remove it"});
    } else if (node.IsScalar()) {
      out.text = node.Scalar();
      out.is_quoted = tag == "!";
      out.kind = !out.is_quoted && is_null_text(out.text) ? YamlNode::Kind::null : YamlNode::Kind::scalar;
    } else if (node.IsSequence()) {
      out.kind = YamlNode::Kind::list;
      for (const auto& item : node)
        out.items.push_back(convert(item, join_path(path, std::to_string(out.items.size())), depth + 1));
    } else if (node.IsMap()) {
      out.kind = YamlNode::Kind::map;
      for (const auto& entry : node) add_entry(out, entry.first, entry.second, path, depth);
    }
    return out;
  }

 private:
  bool admit(const YamlNode& node, const std::string& path, int depth) {
    if (is_too_big_) return false;
    if (++nodes_ <= kMaxNodes && depth <= kMaxDepth) return true;
    is_too_big_ = true;
    problems_.push_back({node.place, path.substr(0, 80), depth > kMaxDepth
        ? "nested deeper than " + std::to_string(kMaxDepth) + " levels (does an alias contain itself?); flatten it"
        : "more than " + std::to_string(kMaxNodes) + " values once aliases are followed; write less, or fewer aliases"});
    return false;
  }

  void add_entry(YamlNode& out, const YAML::Node& key, const YAML::Node& value, const std::string& path, int depth) {
    const auto key_place = place_of(key.Mark(), origin_);
    if (!key.IsScalar()) {
      problems_.push_back({key_place, path, "a key must be one word or number; quote it if it has special characters"});
      return;
    }
    const auto name = key.Scalar();
    const auto here = join_path(path, name);
    if (name == "<<") {
      problems_.push_back({key_place, here, "merge keys (<<) are not supported; repeat the entries, or use an alias for a whole value"});
      return;
    }
    if (const auto* first = out.find(name)) {
      problems_.push_back({key_place, here, "this key was given already at " + at(first->key_place) + "; remove one of the two"});
      return;
    }
    auto converted = convert(value, here, depth + 1);
    if (converted.place.line == 0) converted.place = key_place;
    out.entries.push_back({name, key_place, std::move(converted)});
  }

  const std::string& origin_;
  std::vector<Problem>& problems_;
  int nodes_ = 0;
  bool is_too_big_ = false;
};

}  // namespace

const YamlEntry* YamlNode::find(std::string_view key) const {
  const auto entry = std::find_if(entries.begin(), entries.end(), [&](const auto& e) { return e.key == key; });
  return entry == entries.end() ? nullptr : &*entry;
}
YamlEntry* YamlNode::find(std::string_view key) {
  return const_cast<YamlEntry*>(static_cast<const YamlNode*>(this)->find(key));
}

std::string YamlNode::found() const {
  switch (kind) {
    case Kind::null: return "empty";
    case Kind::list: return "a list";
    case Kind::map: return "a mapping";
    case Kind::scalar: break;
  }
  const auto shown = text.size() > 60 ? text.substr(0, 57) + "..." : text;
  return is_quoted ? "the quoted text '" + shown + "'" : "'" + shown + "'";
}

YamlNode parse_yaml(const std::string& text, const std::string& origin, std::vector<Problem>& problems) {
  try {
    const auto documents = YAML::LoadAll(text);
    if (documents.empty()) return {};
    if (documents.size() > 1)
      problems.push_back({place_of(documents[1].Mark(), origin), "", "a second YAML document starts here; keep one job a file"});
    return Converter(origin, problems).convert(documents[0], "", 0);
  } catch (const YAML::Exception& error) {  // the parser's border: its error becomes one of ours
    problems.push_back({place_of(error.mark, origin), "", "this is not YAML: " + error.msg + "; check indentation, colons and quotes"});
    return {};
  }
}

bool is_null_text(const std::string& text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

std::string number_trap(const std::string& text) {
  const auto digits = text.find_first_not_of("+-");
  if (digits == std::string::npos || !std::isdigit(static_cast<unsigned char>(text[digits]))) return "";
  const auto body = text.substr(digits);
  if (body.size() > 1 && body[0] == '0' && std::isalpha(static_cast<unsigned char>(body[1])) && body[1] != 'e' && body[1] != 'E')
    return "write it as a decimal number";
  if (body.size() > 1 && body[0] == '0' && std::isdigit(static_cast<unsigned char>(body[1])))
    return "leading zeros mean octal to some readers: write it without them";
  if (body.find('_') != std::string::npos) return "write it without underscores";
  if (body.find(',') != std::string::npos) return "write it with a decimal point";
  return "";
}

std::optional<double> number_of(const std::string& text) {
  const bool has_plus = text.starts_with('+');
  const auto* begin = text.data() + (has_plus ? 1 : 0);
  const auto* end = text.data() + text.size();
  if (begin == end || !number_trap(text).empty()) return std::nullopt;
  if (std::any_of(begin, end, [](char c) { return !std::isdigit(static_cast<unsigned char>(c)) && std::string_view(".eE+-").find(c) == std::string_view::npos; }))
    return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc{} || stop != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string join_path(const std::string& parent, const std::string& key) { return parent.empty() ? key : parent + "." + key; }

std::string format_problems(const std::string& file, std::vector<Problem> problems) {
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.place.origin, a.place.line, a.place.column) < std::tie(b.place.origin, b.place.line, b.place.column);
  });
  std::string out;
  for (const auto& problem : problems) {
    if (!out.empty()) out += "\n";
    out += problem.place.origin.empty() ? file : problem.place.origin;
    if (problem.place.origin.empty() && problem.place.line > 0)
      out += ":" + std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column);
    out += ": " + (problem.path.empty() ? "" : problem.path + ": ") + problem.text;
  }
  return out;
}

}  // namespace tilewright::pipeline
