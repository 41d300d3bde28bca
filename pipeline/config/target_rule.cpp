// SPDX-License-Identifier: Apache-2.0
// Reads a target rule.
#include "pipeline/config/target_rule.h"

#include <regex>

#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {

std::optional<TargetRule> parse_target_rule(const std::string& text) {
  if (text == "majority") return TargetRule{};
  static const std::regex share("\\s*share\\s*>=\\s*([0-9.]+)\\s*");
  std::smatch found;
  if (!std::regex_match(text, found, share)) return std::nullopt;
  const auto number = number_of(found[1]);
  if (!number || !(*number > 0 && *number <= 1)) return std::nullopt;
  return TargetRule{*number};
}

}  // namespace tilewright::pipeline
