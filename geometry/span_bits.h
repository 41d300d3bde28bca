// SPDX-License-Identifier: Apache-2.0
// Pixels of a window as bits, to unite spans that overlap without sorting them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::geometry {

class SpanBits {
 public:
  explicit SpanBits(const Window& window) : window_(window), words_(window.empty() ? 0 : window.width / 64 + 1) {
    bits_.resize(static_cast<std::size_t>(words_ * std::max<std::int64_t>(window.height, 0)), 0);
  }
  [[nodiscard]] const Window& window() const { return window_; }
  /// Sets columns [col, col_end) of a row, all inside the window and at least one.
  void add(std::int64_t row, std::int64_t col, std::int64_t col_end) {
    std::uint64_t* words = bits_.data() + (row - window_.row) * words_;
    const std::int64_t first = col - window_.col, last = col_end - 1 - window_.col;
    const std::uint64_t from = ~std::uint64_t{0} << (first % 64), to = ~std::uint64_t{0} >> (63 - last % 64);
    if (first / 64 == last / 64) {
      words[first / 64] |= from & to;
      return;
    }
    words[first / 64] |= from;
    for (auto word = first / 64 + 1; word < last / 64; ++word) words[word] = ~std::uint64_t{0};
    words[last / 64] |= to;
  }
  /// Calls `span(row, col, col_end)` for each run of set pixels, in order.
  template <class Span>
  void for_each(Span span) const {
    for (std::int64_t row = 0; row < window_.height; ++row) {
      const std::uint64_t* words = bits_.data() + row * words_;
      std::uint64_t before = 0;  // the last bit of the word before
      std::int64_t open = 0;
      for (std::int64_t word = 0; word < words_; ++word) {
        const std::uint64_t own = words[word];
        for (std::uint64_t edges = own ^ (own << 1 | before); edges != 0; edges &= edges - 1) {
          const std::int64_t col = window_.col + word * 64 + std::countr_zero(edges);
          if ((own >> std::countr_zero(edges) & 1) != 0) open = col;
          else span(window_.row + row, open, col);
        }
        before = own >> 63;
      }
    }
  }

 private:
  Window window_;
  std::int64_t words_;  ///< a row; the last one holds a bit beyond the window, which is never set
  std::vector<std::uint64_t> bits_;
};

}  // namespace tilewright::geometry
