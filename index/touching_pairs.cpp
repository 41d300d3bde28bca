// SPDX-License-Identifier: Apache-2.0
// Self-join of boxes on grids, one a size class: each box lies in one cell, nothing is replicated.
#include <algorithm>
#include <cmath>
#include <limits>

#include "index/overlap_graph.h"

namespace tilewright::index {
namespace {

using geometry::Box;
using Pair = std::pair<std::uint32_t, std::uint32_t>;

constexpr double kClassRatio = 4;          ///< cell edge from one size class to the next
constexpr double kCellsAcross = 1 << 24;   ///< keeps rounding of cell numbers far below the margin
constexpr double kMargin = 1 + 1e-6;       ///< a box is this much smaller than its cell

struct Entry {
  std::int64_t row, col;
  std::uint32_t box;
  bool operator<(const Entry& other) const {
    if (row != other.row) return row < other.row;
    return col != other.col ? col < other.col : box < other.box;
  }
};

struct SizeClass {
  double cell = 0;
  std::vector<Entry> entries;  ///< sorted by row, column
};

bool usable(const Box& box) {
  return !box.empty() && std::isfinite(box.min_x) && std::isfinite(box.max_x) && std::isfinite(box.min_y) && std::isfinite(box.max_y);
}

bool touch(const Box& a, const Box& b) {
  return a.min_x <= b.max_x && b.min_x <= a.max_x && a.min_y <= b.max_y && b.min_y <= a.max_y;
}

double longest_side(const Box& box) { return std::max(box.max_x - box.min_x, box.max_y - box.min_y); }

struct Frame {
  double x = std::numeric_limits<double>::infinity(), y = x;
  double smallest_cell = 0;
};

/// Origin of all grids and the edge of the finest one: a typical box, but not too many cells.
Frame frame_of(std::span<const Box> boxes) {
  Frame frame;
  double max_x = -frame.x, max_y = -frame.x, smallest = frame.x;
  for (const auto& box : boxes) {
    if (!usable(box)) continue;
    frame.x = std::min(frame.x, box.min_x);
    frame.y = std::min(frame.y, box.min_y);
    max_x = std::max(max_x, box.max_x);
    max_y = std::max(max_y, box.max_y);
    smallest = std::min(smallest, longest_side(box));
  }
  const double extent = std::max(max_x - frame.x, max_y - frame.y);
  frame.smallest_cell = std::max({smallest * kMargin, extent / kCellsAcross, std::numeric_limits<double>::min()});
  return frame;
}

std::int64_t cell_of(double position, double origin, double cell) {
  return static_cast<std::int64_t>(std::floor((position - origin) / cell));
}

std::vector<SizeClass> classes_of(std::span<const Box> boxes, const Frame& frame) {
  std::vector<SizeClass> classes;
  for (std::size_t n = 0; n < boxes.size(); ++n) {
    const auto& box = boxes[n];
    if (!usable(box)) continue;
    std::size_t level = 0;
    double cell = frame.smallest_cell;
    for (; cell < longest_side(box) * kMargin; cell *= kClassRatio) ++level;
    if (classes.size() <= level) classes.resize(level + 1);
    classes[level].cell = cell;
    classes[level].entries.push_back(
        {cell_of(box.min_y, frame.y, cell), cell_of(box.min_x, frame.x, cell), static_cast<std::uint32_t>(n)});
  }
  for (auto& size_class : classes) std::sort(size_class.entries.begin(), size_class.entries.end());
  std::erase_if(classes, [](const auto& size_class) { return size_class.entries.empty(); });
  return classes;
}

class Join {
 public:
  Join(std::span<const Box> boxes, std::vector<Pair>& pairs) : boxes_(boxes), pairs_(pairs) {}

  /// A box meets its own cell and those to the east, north-west, north and north-east.
  void within(const SizeClass& size_class) {
    const auto& entries = size_class.entries;
    std::size_t north = 0;
    for (std::size_t n = 0; n < entries.size(); ++n) {
      const auto& entry = entries[n];
      for (std::size_t k = n + 1; k < entries.size() && entries[k].row == entry.row && entries[k].col <= entry.col + 1; ++k)
        test(entry.box, entries[k].box);
      while (north < entries.size() && is_before(entries[north], entry.row + 1, entry.col - 1)) ++north;
      for (std::size_t k = north; k < entries.size() && entries[k].row == entry.row + 1 && entries[k].col <= entry.col + 1; ++k)
        test(entry.box, entries[k].box);
    }
  }

  /// Boxes of a finer class look at all cells of a coarser one that can reach them.
  void across(const SizeClass& fine, const SizeClass& coarse, const Frame& frame) {
    for (const auto& entry : fine.entries) {
      const auto& box = boxes_[entry.box];
      const auto col = cell_of(box.min_x, frame.x, coarse.cell) - 1, col_end = cell_of(box.max_x, frame.x, coarse.cell);
      const auto row = cell_of(box.min_y, frame.y, coarse.cell) - 1, row_end = cell_of(box.max_y, frame.y, coarse.cell);
      for (auto r = row; r <= row_end; ++r) {
        auto found = std::lower_bound(coarse.entries.begin(), coarse.entries.end(), Entry{r, col, 0});
        for (; found != coarse.entries.end() && found->row == r && found->col <= col_end; ++found) test(entry.box, found->box);
      }
    }
  }

 private:
  static bool is_before(const Entry& entry, std::int64_t row, std::int64_t col) {
    return entry.row != row ? entry.row < row : entry.col < col;
  }
  void test(std::uint32_t a, std::uint32_t b) {
    if (touch(boxes_[a], boxes_[b])) pairs_.emplace_back(std::min(a, b), std::max(a, b));
  }
  std::span<const Box> boxes_;
  std::vector<Pair>& pairs_;
};

}  // namespace

std::vector<Pair> touching_pairs(std::span<const Box> boxes) {
  std::vector<Pair> pairs;
  const auto frame = frame_of(boxes);
  const auto classes = classes_of(boxes, frame);
  Join join(boxes, pairs);
  for (std::size_t fine = 0; fine < classes.size(); ++fine) {
    join.within(classes[fine]);
    for (std::size_t coarse = fine + 1; coarse < classes.size(); ++coarse) join.across(classes[fine], classes[coarse], frame);
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace tilewright::index
