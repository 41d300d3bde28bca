// SPDX-License-Identifier: Apache-2.0
// Values from the environment and from --set, put into the tree before it is read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {

/// Puts `value` (YAML) at `path`. Mappings on the way are made where they are missing; list
/// entries must exist. `origin` is what error texts name.
void put_value(YamlNode& root, const std::string& path, const std::string& value, const std::string& origin,
               std::vector<Problem>& problems);

/// "key.path=VALUE" of --set.
void apply_set(YamlNode& root, const std::string& text, std::vector<Problem>& problems);

/// TILEWRIGHT_<KEY PATH>: capitals, dots as `_`. Names of sources, runs, ... must be in the tree.
/// Variables that begin with a section's name and match no key are problems; others are not ours.
void apply_environment(YamlNode& root, const std::vector<std::pair<std::string, std::string>>& variables,
                       std::vector<Problem>& problems);
/// Variables of this process that begin with TILEWRIGHT_, sorted.
std::vector<std::pair<std::string, std::string>> own_environment();

}  // namespace tilewright::pipeline
