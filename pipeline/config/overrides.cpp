// SPDX-License-Identifier: Apache-2.0
// Finds the place of an override in the tree and puts its value there.
#include "pipeline/config/overrides.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "pipeline/config/job_json.h"

namespace tilewright::pipeline {
namespace {

constexpr std::string_view kPrefix = "TILEWRIGHT_";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// Every node of a value from a flag says so.
void mark_origin(YamlNode& node, const std::string& origin) {
  node.place = {origin, 0, 0};
  for (auto& item : node.items) mark_origin(item, origin);
  for (auto& entry : node.entries) {
    entry.key_place = node.place;
    mark_origin(entry.value, origin);
  }
}

/// The child of `node` called `key`, made if it is missing; nullptr where there cannot be one.
YamlNode* step(YamlNode& node, const std::string& key, const std::string& origin) {
  if (node.is_list()) {
    const bool is_index = !key.empty() && key.size() < 7 && std::all_of(key.begin(), key.end(), [](unsigned char c) { return std::isdigit(c); });
    const auto index = is_index ? static_cast<std::size_t>(std::stoul(key)) : node.items.size();
    return index < node.items.size() ? &node.items[index] : nullptr;
  }
  if (node.is_scalar()) return nullptr;
  node.kind = YamlNode::Kind::map;
  if (auto* entry = node.find(key)) return &entry->value;
  node.entries.push_back({key, {origin, 0, 0}, {}});
  node.entries.back().value.place = {origin, 0, 0};
  return &node.entries.back().value;
}

const JobJson* object_form(const JobJson& schema) {
  if (schema.contains("properties") || schema.contains("additionalProperties")) return &schema;
  if (!schema.contains("anyOf")) return nullptr;
  for (const auto& form : schema["anyOf"])
    if (const auto* found = object_form(form)) return found;
  return nullptr;
}

/// Key path whose capitals are `name`; names of mappings and list places come from the tree.
std::optional<std::string> path_of(const std::string& name, const JobJson& schema, const YamlNode* tree) {
  if (name.empty()) return "";
  std::vector<std::pair<std::string, const JobJson*>> children;
  if (const auto* form = object_form(schema); form && form->contains("properties")) {
    for (const auto& [key, child] : (*form)["properties"].items()) children.emplace_back(key, &child);
  } else if (form && (*form)["additionalProperties"].is_object() && tree) {
    for (const auto& entry : tree->entries) children.emplace_back(entry.key, &(*form)["additionalProperties"]);
  }
  for (const auto& [key, child] : children) {
    const auto start = lower(key);
    if (name != start && !name.starts_with(start + "_")) continue;
    const auto* entry = tree ? tree->find(key) : nullptr;
    const auto rest = path_of(name == start ? "" : name.substr(start.size() + 1), *child, entry ? &entry->value : nullptr);
    if (rest) return rest->empty() ? key : key + "." + *rest;
  }
  return std::nullopt;
}

bool begins_with_section(const std::string& name, const JobJson& schema) {
  for (const auto& [key, child] : schema["properties"].items())
    if (name == key || name.starts_with(key + "_")) return true;
  return false;
}

}  // namespace

void put_value(YamlNode& root, const std::string& path, const std::string& value, const std::string& origin, std::vector<Problem>& problems) {
  YamlNode* node = &root;
  std::string done;
  for (const auto& key : split_path(path)) {
    auto* next = key.empty() ? nullptr : step(*node, key, origin);
    if (!next) {
      const auto why = key.empty() ? "the key path has an empty part"
                       : node->is_list() ? (done + " has " + std::to_string(node->items.size()) + " entries, numbered from 0")
                                         : (done + " is " + node->found() + ", not a mapping: set it as a whole");
      problems.push_back({{origin, 0, 0}, path, why});
      return;
    }
    node = next;
    done = join_path(done, key);
  }
  *node = parse_yaml(value, origin, problems);
  mark_origin(*node, origin);
}

void apply_set(YamlNode& root, const std::string& text, std::vector<Problem>& problems) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    problems.push_back({{"--set " + text, 0, 0}, "", "expected key.path=VALUE, such as --set limits.memory=4G"});
    return;
  }
  put_value(root, text.substr(0, equals), text.substr(equals + 1), "--set", problems);
}

void apply_environment(YamlNode& root, const std::vector<std::pair<std::string, std::string>>& variables, std::vector<Problem>& problems) {
  if (variables.empty()) return;
  const auto schema = schema_of_job();
  for (const auto& [variable, value] : variables) {
    const auto name = lower(variable.substr(kPrefix.size()));
    if (const auto path = path_of(name, schema, &root)) {
      put_value(root, *path, value, "environment " + variable, problems);
    } else if (begins_with_section(name, schema)) {
      problems.push_back({{"environment " + variable, 0, 0}, "",
                          "no key of this job has this name; unset it, or write the key path in capitals with dots as _"});
    }
  }
}

std::vector<std::pair<std::string, std::string>> own_environment() {
  std::vector<std::pair<std::string, std::string>> out;
  for (char** variable = environ; variable && *variable; ++variable) {
    const std::string text = *variable;
    const auto equals = text.find('=');
    if (text.starts_with(kPrefix) && equals != std::string::npos) out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace tilewright::pipeline
