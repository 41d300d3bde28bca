// SPDX-License-Identifier: Apache-2.0
// Which of many boxes a given box touches: boxes listed in the cells of a uniform grid.
#pragma once

#include <cstdint>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::pipeline {

class BoxCells {
 public:
  /// Empty boxes touch nothing. Indices are those of `boxes`, which is copied.
  explicit BoxCells(std::vector<geometry::Box> boxes);
  /// Sorted indices of the boxes that share a point with `box`, borders included.
  [[nodiscard]] std::vector<std::uint32_t> touching(const geometry::Box& box) const;

 private:
  struct Range {
    std::int64_t col, row, col_end, row_end;
  };
  [[nodiscard]] Range cells_of(const geometry::Box& box) const;

  std::vector<geometry::Box> boxes_;
  geometry::Box all_;
  std::int64_t side_ = 1;
  std::vector<std::vector<std::uint32_t>> cells_;
};

}  // namespace tilewright::pipeline
