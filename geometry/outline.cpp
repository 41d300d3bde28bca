// SPDX-License-Identifier: Apache-2.0
// Exact rectilinear outline of a mask: corners found word by word, linked into rings.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <utility>
#include <vector>

#include "geometry/bitmask.h"
#include "geometry/polygon.h"

namespace tilewright::geometry {
namespace {

using Index = std::uint32_t;
constexpr Index kNone = ~Index{0};
using Words = std::vector<std::uint64_t>;

/// A corner of the outline. Where two set pixels touch diagonally there are two corners at one
/// place, one for each: set pixels are 4-connected.
struct Corner {
  std::int32_t col = 0, row = 0;
  Index across = kNone;  ///< other end of its horizontal edge
  Index along = kNone;   ///< other end of its vertical edge
  Index beside = kNone;  ///< corners that may start a hole: top of the edge left of the hole
};

/// Bits where a pixel differs from the one before it in its row; bit `width` closes the row.
Words changes(const Words& row) {
  Words result(row.size());
  std::uint64_t carry = 0;
  for (std::size_t w = 0; w < row.size(); ++w) {
    result[w] = row[w] ^ ((row[w] << 1) | carry);
    carry = row[w] >> 63;
  }
  return result;
}

bool bit(const Words& words, std::int64_t at) {
  return (words[static_cast<std::size_t>(at >> 6)] >> (at & 63)) & 1U;
}

class Tracer {
 public:
  explicit Tracer(const Bitmask& mask)
      : mask_(mask), word_count_(static_cast<std::size_t>(mask.width() / 64 + 1)),
        top_(static_cast<std::size_t>(mask.width() + 1), kNone), ended_(top_.size()) {}

  PixelMultiPolygon trace() {
    Words above(word_count_), above_changes(word_count_);
    for (std::int64_t row = 0; row <= mask_.height(); ++row) {
      Words below(word_count_);
      if (row < mask_.height())
        std::copy_n(mask_.row_words(row), mask_.words_per_row(), below.begin());
      Words below_changes = changes(below);
      link_line(row, above, above_changes, below, below_changes);
      above = std::move(below);
      above_changes = std::move(below_changes);
    }
    return rings();
  }

 private:
  void link_line(std::int64_t row, const Words& above, const Words& above_changes,
                 const Words& below, const Words& below_changes) {
    open_ = kNone;
    for (std::size_t w = 0; w < word_count_; ++w) {
      const std::uint64_t diagonal =
          above_changes[w] & below_changes[w] & (above[w] ^ below[w]);
      std::uint64_t corners = (above_changes[w] ^ below_changes[w]) | diagonal;
      for (; corners != 0; corners &= corners - 1) {
        const int low = std::countr_zero(corners);
        const std::int64_t col = static_cast<std::int64_t>(w) * 64 + low;
        if ((diagonal >> low) & 1U) {
          link_diagonal(col, row, bit(above, col));
        } else {
          link_simple(col, row, bit(above_changes, col), bit(below, col), above_changes);
        }
      }
    }
  }

  Index add(std::int64_t col, std::int64_t row) {
    corners_.push_back({static_cast<std::int32_t>(col), static_cast<std::int32_t>(row)});
    return static_cast<Index>(corners_.size() - 1);
  }
  void end_across(Index corner) {
    corners_[corner].across = open_;
    corners_[open_].across = corner;
    open_ = kNone;
  }
  void end_along(Index corner, std::int64_t col) {
    Index& top = top_[static_cast<std::size_t>(col)];
    corners_[corner].along = top;
    corners_[top].along = corner;
    ended_[static_cast<std::size_t>(col)] = {top, corners_[corner].row};
    top = kNone;
  }

  /// One vertical edge meets one horizontal edge.
  void link_simple(std::int64_t col, std::int64_t row, bool from_above, bool south_east_set,
                   const Words& above_changes) {
    const Index corner = add(col, row);
    const bool goes_right = open_ == kNone;
    if (from_above) {
      end_along(corner, col);
    } else {
      top_[static_cast<std::size_t>(col)] = corner;
      if (goes_right && !south_east_set) corners_[corner].beside = edge_left_of(col, row, above_changes);
    }
    if (goes_right) open_ = corner;
    else end_across(corner);
  }

  /// Two pixels touch: a horizontal edge ends here and another one starts.
  void link_diagonal(std::int64_t col, std::int64_t row, bool north_east_set) {
    const Index left = add(col, row), right = add(col, row);
    end_across(left);
    end_along(north_east_set ? right : left, col);
    top_[static_cast<std::size_t>(col)] = north_east_set ? left : right;
    open_ = right;
  }

  /// Top of the vertical edge where the run of set pixels above `col` begins.
  [[nodiscard]] Index edge_left_of(std::int64_t col, std::int64_t row,
                                   const Words& above_changes) const {
    auto w = static_cast<std::size_t>(col >> 6);
    std::uint64_t word = above_changes[w] & ((std::uint64_t{1} << (col & 63)) - 1);
    while (word == 0) word = above_changes[--w];
    const std::size_t left = w * 64 + 63 - static_cast<std::size_t>(std::countl_zero(word));
    return ended_[left].second == row ? ended_[left].first : top_[left];
  }

  PixelMultiPolygon rings() {
    PixelMultiPolygon result;
    std::vector<Index> polygon_of(corners_.size(), kNone);  // ring owner of each corner
    for (Index start = 0; start < corners_.size(); ++start) {
      if (polygon_of[start] != kNone) continue;
      const bool is_hole = corners_[start].beside != kNone;
      const Index owner =
          is_hole ? polygon_of[corners_[start].beside] : static_cast<Index>(result.size());
      std::vector<PixelXY> ring = walk(start, is_hole, owner, polygon_of);
      if (is_hole) result[owner].holes.push_back(std::move(ring));
      else result.push_back({std::move(ring), {}});
    }
    return result;
  }

  /// Outer rings go down first, holes right: set pixels lie on the left once y points north.
  std::vector<PixelXY> walk(Index start, bool across_first, Index owner,
                            std::vector<Index>& polygon_of) const {
    std::vector<PixelXY> ring;
    bool across = across_first;
    Index at = start;
    do {
      polygon_of[at] = owner;
      ring.push_back({static_cast<double>(corners_[at].col), static_cast<double>(corners_[at].row)});
      at = across ? corners_[at].across : corners_[at].along;
      across = !across;
    } while (at != start);
    ring.push_back(ring.front());
    return ring;
  }

  const Bitmask& mask_;
  std::size_t word_count_;
  std::vector<Index> top_;  ///< per column: corner where the current vertical edge began
  std::vector<std::pair<Index, std::int64_t>> ended_;  ///< the edge before it, and its last line
  std::vector<Corner> corners_;
  Index open_ = kNone;      ///< corner where the current horizontal edge began
};

}  // namespace

PixelMultiPolygon outline(const Bitmask& mask) {
  if (mask.empty()) return {};
  return Tracer(mask).trace();
}

}  // namespace tilewright::geometry
