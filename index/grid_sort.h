// SPDX-License-Identifier: Apache-2.0
// Counting sort of lattice boxes into the cells of one grid.
#pragma once

#include "index/box_lattice.h"

namespace tilewright::index {

/// The grid of one size class. No box is longer than a cell, so a box reaches into the next cell
/// at most. Boxes of a cell keep the order of their ids: the same arrays for any `threads`.
class ClassGrid {
 public:
  void build(const SizeClass& size_class, std::span<const LatticeBox> lattice, const LatticeStatistics& statistics, int threads);

  [[nodiscard]] BoxGrid view() const;
  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// Cell of the box at a position of the sorted arrays.
  [[nodiscard]] std::uint32_t cell_at(std::uint32_t position) const { return cell_of({min_x_.get()[position], min_y_.get()[position], 0, 0}); }
  [[nodiscard]] std::size_t fullest_cell() const { return fullest_; }
  /// Cells that a box of another grid can reach: columns and rows, inclusive.
  struct Reach {
    std::uint32_t first_col, last_col, first_row, last_row;
  };
  [[nodiscard]] Reach reach(const LatticeBox& box) const;
  [[nodiscard]] std::uint32_t cell(std::uint32_t row, std::uint32_t col) const { return row * stride_ + col + 1; }

 private:
  [[nodiscard]] std::uint32_t along(std::int32_t position) const { return static_cast<std::uint32_t>(position * per_cell_); }
  [[nodiscard]] std::uint32_t cell_of(const LatticeBox& box) const { return cell(along(box.min_y), along(box.min_x)); }
  void choose_cells(const LatticeStatistics& statistics);
  void find_cells(const SizeClass& size_class, std::span<const LatticeBox> lattice, int threads);
  void scatter(std::span<const LatticeBox> lattice, int threads);
  template <class EachBox>
  void sort_bucket(std::size_t bucket, std::uint32_t first, const EachBox& each_box);

  struct Record {
    LatticeBox box;
    std::uint32_t id, cell;
  };
  static constexpr std::uint32_t kNoCell = ~0U;
  double per_cell_ = 0;
  std::int32_t longest_ = 0;
  std::uint32_t count_ = 0, stride_ = 0, rows_ = 0, cells_ = 0, bucket_bits_ = 0;
  std::size_t fullest_ = 0;
  Buffer<std::int32_t> min_x_, min_y_, max_x_, max_y_;
  Buffer<std::uint32_t> id_, start_;
  Buffer<std::uint32_t> cell_of_box_;         ///< of the input; kNoCell: in another class
  Buffer<Record> records_;                    ///< by bucket, if there is more than one
  std::vector<std::uint32_t> next_in_bucket_; ///< per chunk and bucket
  std::vector<std::uint32_t> bucket_start_;
  std::vector<std::size_t> fullest_of_bucket_;
};

}  // namespace tilewright::index
