// SPDX-License-Identifier: Apache-2.0
// Reads values of targets.
#include "pipeline/stages/target_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"
#include "pipeline/config/target_rule.h"
#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {
namespace {

using index::ItemError;
using index::Reason;

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

double number(const std::string& cell) {
  const auto value = number_of(trimmed(cell));
  if (!value) throw ItemError(Reason::bad_value, "'" + cell + "' is not a number");
  return *value == 0 ? 0.0 : *value;
}

bool flag(const std::string& cell) {
  const std::string text = trimmed(cell);
  if (text == "1" || text == "true" || text == "True" || text == "TRUE" || text == "1.0") return true;
  if (text.empty() || text == "0" || text == "false" || text == "False" || text == "FALSE" || text == "0.0") return false;
  throw ItemError(Reason::bad_value, "'" + cell + "' is no flag; expected 1 or 0, true or false");
}

}  // namespace

std::string TargetReader::read_class(const std::string& cell) const {
  const std::string text = trimmed(cell);
  if (text.empty()) throw ItemError(Reason::no_class, "the value is empty");
  if (!config_.classes.empty() && std::ranges::find(config_.classes, text) == config_.classes.end())
    throw ItemError(Reason::no_class, "'" + text + "' is not one of `classes`");
  return text;
}

std::string TargetReader::read_classes(const std::vector<std::string>& cells) const {
  std::set<std::string> found;
  if (cells.size() > 1) {
    for (std::size_t n = 0; n < cells.size(); ++n)
      if (flag(cells[n])) found.insert(read_class(config_.value[n]));
  } else {
    std::string rest = cells.front();
    while (!trimmed(rest).empty()) {
      const auto end = std::min(rest.find(';'), rest.size());
      found.insert(read_class(rest.substr(0, end)));
      rest.erase(0, end + 1);
    }
  }
  return nlohmann::json(found).dump();
}

std::string TargetReader::read(const std::vector<std::string>& cells) const {
  if (config_.kind == "class") return read_class(cells.front());
  if (config_.kind == "classes") return read_classes(cells);
  if (config_.kind == "scalar") return nlohmann::json(number(cells.front())).dump();
  auto numbers = nlohmann::json::array();
  for (const auto& cell : cells) numbers.push_back(number(cell));
  return numbers.dump();
}

std::string target_of_mask(std::span<const std::int64_t, 256> pixels, const std::string& rule) {
  std::int64_t known = 0;
  for (int id = 0; id < 255; ++id) known += pixels[static_cast<std::size_t>(id)];
  if (known == 0) throw ItemError(Reason::all_ignore, "every pixel of the mask is 255");
  const auto parsed = parse_target_rule(rule);
  if (!parsed->share) {
    const auto most = std::max_element(pixels.begin(), pixels.end() - 1);  // the first of equals
    return std::to_string(most - pixels.begin());
  }
  auto ids = nlohmann::json::array();
  for (int id = 0; id < 255; ++id)
    if (static_cast<double>(pixels[static_cast<std::size_t>(id)]) >= *parsed->share * static_cast<double>(known) && pixels[static_cast<std::size_t>(id)] > 0) ids.push_back(id);
  return ids.dump();
}

}  // namespace tilewright::pipeline
