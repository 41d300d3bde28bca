// SPDX-License-Identifier: Apache-2.0
// One value of a location as the manifest holds it: read from text, checked, written one way only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "index/reason.h"
#include "pipeline/config/label_config.h"

namespace tilewright::pipeline {

/// What a target's texts become. kind class: the text without blanks around it; classes: a JSON array
/// of texts, sorted; scalar: the shortest decimal; vector: a JSON array of numbers.
class TargetReader {
 public:
  explicit TargetReader(const TargetConfig& config) : config_(config) {}
  /// `cells`: one a column of `value` (for names: the capture). Throws index::ItemError: no_class for
  /// an empty text or a class that `classes` does not list, bad_value for what is no number or flag.
  [[nodiscard]] std::string read(const std::vector<std::string>& cells) const;

 private:
  [[nodiscard]] std::string read_class(const std::string& cell) const;
  [[nodiscard]] std::string read_classes(const std::vector<std::string>& cells) const;
  const TargetConfig& config_;
};

/// Value by rule from how many pixels of a mask have each class (ids 0..254; 255 = ignored pixels, left
/// out): the id with most pixels, ties to the smaller; or a JSON array of the ids whose share of the
/// pixels that are not ignored is at least `rule`'s. Throws index::ItemError all_ignore if none is left.
std::string target_of_mask(std::span<const std::int64_t, 256> pixels, const std::string& rule);

}  // namespace tilewright::pipeline
