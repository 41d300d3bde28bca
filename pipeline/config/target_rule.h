// SPDX-License-Identifier: Apache-2.0
// How a mask becomes one value: the text of `targets.X.rule`.
#pragma once

#include <optional>
#include <string>

namespace tilewright::pipeline {

/// `majority`: the class of most pixels. `share >= x`: all classes of at least this share.
struct TargetRule {
  std::optional<double> share;  ///< nullopt: majority
};
/// nullopt for any other text, and for a share that is not above 0 and at most 1.
std::optional<TargetRule> parse_target_rule(const std::string& text);

}  // namespace tilewright::pipeline
