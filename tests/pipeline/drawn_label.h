// SPDX-License-Identifier: Apache-2.0
// Labels written as text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {

struct Drawn {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
  [[nodiscard]] LabelView view() const { return {width, height, pixels}; }
};
/// '.' background, '1' to '9' classes, '?' ignore.
inline Drawn drawn(std::initializer_list<const char*> rows) {
  Drawn out;
  for (const std::string row : rows) {
    out.width = static_cast<int>(row.size());
    ++out.height;
    for (const char c : row) out.pixels.push_back(c == '.' ? 0 : c == '?' ? 255 : static_cast<std::uint8_t>(c - '0'));
  }
  return out;
}

}  // namespace tilewright::pipeline
