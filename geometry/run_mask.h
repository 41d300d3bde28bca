// SPDX-License-Identifier: Apache-2.0
// A mask as runs of set pixels: what thousands of tiles fit into, and what the manifest keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "geometry/bitmask.h"

namespace tilewright::geometry {

/// Runs of each row, ascending, apart from each other by at least one pixel. Rows that equal the row
/// above share its runs.
class RunMask {
 public:
  /// Pixels [begin, end) of a row.
  struct Run {
    std::int32_t begin = 0, end = 0;
    bool operator==(const Run&) const = default;
  };

  RunMask() = default;
  /// Rows are added with append_row. Throws Error::failed for a side that is negative or above 2^31 - 1.
  explicit RunMask(std::int64_t width);
  static RunMask from(const Bitmask& mask);

  /// Adds a row below the last; `runs` as above, inside the width.
  void append_row(std::span<const Run> runs);
  /// Adds the rows of `bits`, whose width is that of this mask.
  void append(const Bitmask& bits);

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t height() const { return static_cast<std::int64_t>(rows_.size()); }
  [[nodiscard]] bool empty() const { return width_ == 0 || rows_.empty(); }
  [[nodiscard]] std::span<const Run> row(std::int64_t row) const {
    const auto& part = rows_[static_cast<std::size_t>(row)];
    return {runs_.data() + part.first, part.count};
  }
  [[nodiscard]] std::int64_t count() const;        ///< set pixels
  [[nodiscard]] std::size_t memory_bytes() const;  ///< of rows and runs
  /// Rows [row, row_end) as bits; rows outside are not set.
  [[nodiscard]] Bitmask bits(std::int64_t row, std::int64_t row_end) const;
  [[nodiscard]] Bitmask bits() const { return bits(0, height()); }

  /// Bytes for the manifest: version, sides, then equal rows together, as variable-length integers.
  [[nodiscard]] std::vector<std::byte> encoded() const;
  /// nullopt for bytes that `encoded` never writes (truncated, runs out of order or outside) and for
  /// other sides than expected, seen before anything is allocated for them.
  static std::optional<RunMask> decoded(std::span<const std::byte> bytes, std::int64_t width, std::int64_t height);

  friend bool operator==(const RunMask& a, const RunMask& b);

 private:
  struct Row {
    std::size_t first = 0;
    std::size_t count = 0;
  };
  std::int64_t width_ = 0;
  std::vector<Row> rows_;
  std::vector<Run> runs_;
};

}  // namespace tilewright::geometry
