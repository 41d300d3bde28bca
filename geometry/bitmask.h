// SPDX-License-Identifier: Apache-2.0
// One bit a pixel: validity, clouds and coverage.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace tilewright::geometry {

/// Row-major bits; each row starts at a word. Padding bits are always 0.
class Bitmask {
 public:
  Bitmask() = default;
  Bitmask(std::int64_t width, std::int64_t height, bool value = false);

  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::int64_t height() const { return height_; }
  [[nodiscard]] bool empty() const { return width_ == 0 || height_ == 0; }
  [[nodiscard]] bool get(std::int64_t col, std::int64_t row) const {
    return (words_[static_cast<std::size_t>(row * stride_ + (col >> 6))] >> (col & 63)) & 1U;
  }
  void set(std::int64_t col, std::int64_t row, bool value) {
    auto& word = words_[static_cast<std::size_t>(row * stride_ + (col >> 6))];
    const std::uint64_t bit = std::uint64_t{1} << (col & 63);
    word = value ? (word | bit) : (word & ~bit);
  }
  /// Sets [col, col_end) of one row.
  void set_run(std::int64_t col, std::int64_t col_end, std::int64_t row, bool value);
  [[nodiscard]] std::int64_t count() const;
  /// Words of one row, ceil(width / 64) of them.
  [[nodiscard]] const std::uint64_t* row_words(std::int64_t row) const {
    return words_.data() + row * stride_;
  }
  [[nodiscard]] std::int64_t words_per_row() const { return stride_; }
  bool operator==(const Bitmask&) const = default;

 private:
  std::int64_t width_ = 0, height_ = 0, stride_ = 0;
  std::vector<std::uint64_t> words_;
};

Bitmask operator&(const Bitmask& a, const Bitmask& b);
Bitmask operator|(const Bitmask& a, const Bitmask& b);
/// Pixels whose whole (2 radius + 1)^2 neighbourhood is set; outside the mask counts as not set.
Bitmask eroded(const Bitmask& mask, int radius_px);
/// Anchors (upper-left pixels) whose size x size window is set: width and height shrink by size-1.
Bitmask window_anchors(const Bitmask& mask, int size_px);

/// Lines of '.' and '#', blanks around lines ignored: for tests that a reader can see.
Bitmask bitmask_from_ascii(std::string_view text);

}  // namespace tilewright::geometry
