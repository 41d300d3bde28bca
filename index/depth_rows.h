// SPDX-License-Identifier: Apache-2.0
// The coverage map: how many views each anchor has, as runs of equal depth along rows.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "index/coverage.h"
#include "index/view_choice.h"

namespace tilewright::index {

/// Anchors [begin, end) of one row that have the same number of views, more than 0.
struct DepthRun {
  std::int64_t begin = 0, end = 0;
  std::int64_t depth = 0;
  bool operator==(const DepthRun&) const = default;
};

/// Depth on rows [row, row_end) of the lattice. Runs of a row ascend and do not overlap.
class DepthRows {
 public:
  DepthRows() = default;
  DepthRows(std::int64_t row, std::vector<std::size_t> first_run, std::vector<DepthRun> runs)
      : row_(row), first_run_(std::move(first_run)), runs_(std::move(runs)) {}
  [[nodiscard]] std::int64_t row() const { return row_; }
  [[nodiscard]] std::int64_t row_end() const { return row_ + static_cast<std::int64_t>(first_run_.size()) - 1; }
  [[nodiscard]] std::span<const DepthRun> at(std::int64_t row) const {
    const auto n = static_cast<std::size_t>(row - row_);
    return {runs_.data() + first_run_[n], runs_.data() + first_run_[n + 1]};
  }

 private:
  std::int64_t row_ = 0;
  std::vector<std::size_t> first_run_ = {0};  ///< one more than rows
  std::vector<DepthRun> runs_;
};

/// Tiles that are planned together, in order of their first row, and the box of their anchors.
struct Component {
  std::vector<std::size_t> ranks;
  geometry::Window box;
};
std::vector<Component> components_of(const CoverageSet& tiles);

/// Rows of a component in blocks of at most `step`; what lies between its tiles is left out.
std::vector<std::pair<std::int64_t, std::int64_t>> row_blocks(const CoverageSet& tiles, const Component& component, std::int64_t step);

/// Tiles of a component with anchors on rows [row, row_end).
std::vector<std::size_t> ranks_on(const CoverageSet& tiles, const Component& component, std::int64_t row, std::int64_t row_end);

/// Depth of some rows; memory and time by what touches them.
DepthRows depth_rows(const CoverageSet& tiles, const ViewChooser& chooser, const Component& component, std::int64_t row, std::int64_t row_end);

}  // namespace tilewright::index
