// SPDX-License-Identifier: Apache-2.0
// A uniform grid with about as many cells as boxes, and cells no smaller than the boxes are on average.
#include "pipeline/stages/box_cells.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tilewright::pipeline {
namespace {

bool touch(const geometry::Box& a, const geometry::Box& b) {
  return !a.empty() && !b.empty() && a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}

std::int64_t cell(double value, double low, double high, std::int64_t side) {
  if (!(high > low)) return 0;
  const double share = std::clamp((value - low) / (high - low), 0.0, 1.0);
  return std::min(static_cast<std::int64_t>(share * static_cast<double>(side)), side - 1);
}

}  // namespace

BoxCells::BoxCells(std::vector<geometry::Box> boxes) : boxes_(std::move(boxes)) {
  for (const auto& b : boxes_) {
    if (b.empty()) continue;
    if (all_.empty()) all_ = b;
    all_ = {std::min(all_.min_x, b.min_x), std::min(all_.min_y, b.min_y), std::max(all_.max_x, b.max_x), std::max(all_.max_y, b.max_y)};
  }
  double count = 0, width = 0, height = 0;
  for (const auto& b : boxes_)
    if (!b.empty()) ++count, width += b.max_x - b.min_x, height += b.max_y - b.min_y;
  const double wide = std::max(width / ((all_.max_x - all_.min_x) * count), height / ((all_.max_y - all_.min_y) * count));  // NaN where all are one point
  const double most = wide > 0 ? 1 / wide : 2048;
  side_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::min(most, std::sqrt(static_cast<double>(boxes_.size())))), 1, 2048);
  cells_.resize(static_cast<std::size_t>(side_ * side_));
  for (std::uint32_t k = 0; k < boxes_.size(); ++k) {
    if (boxes_[k].empty()) continue;
    const Range r = cells_of(boxes_[k]);
    for (std::int64_t row = r.row; row < r.row_end; ++row)
      for (std::int64_t col = r.col; col < r.col_end; ++col) cells_[static_cast<std::size_t>(row * side_ + col)].push_back(k);
  }
}

BoxCells::Range BoxCells::cells_of(const geometry::Box& box) const {
  return {cell(box.min_x, all_.min_x, all_.max_x, side_), cell(box.min_y, all_.min_y, all_.max_y, side_),
          cell(box.max_x, all_.min_x, all_.max_x, side_) + 1, cell(box.max_y, all_.min_y, all_.max_y, side_) + 1};
}

std::vector<std::uint32_t> BoxCells::touching(const geometry::Box& box) const {
  std::vector<std::uint32_t> found;
  if (!touch(box, all_)) return found;
  const Range r = cells_of(box);
  for (std::int64_t row = r.row; row < r.row_end; ++row)
    for (std::int64_t col = r.col; col < r.col_end; ++col)
      for (const std::uint32_t k : cells_[static_cast<std::size_t>(row * side_ + col)])
        if (touch(boxes_[k], box)) found.push_back(k);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace tilewright::pipeline
