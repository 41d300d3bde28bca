// SPDX-License-Identifier: Apache-2.0
// Word-parallel operations on bits: runs, counts, erosion by doubling.
#include "geometry/bitmask.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <string>

namespace tilewright::geometry {
namespace {

using Words = std::vector<std::uint64_t>;

/// Bits [low, high) of a word.
std::uint64_t bits_between(std::int64_t low, std::int64_t high) {
  const std::uint64_t below_high = high >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << high) - 1;
  return below_high & ~((std::uint64_t{1} << low) - 1);
}

/// row[c] &= row[c + by] for all c; bits beyond the end are 0.
void and_with_later_columns(std::uint64_t* row, std::int64_t words, std::int64_t by) {
  const std::int64_t whole = by >> 6;
  const int part = static_cast<int>(by & 63);
  for (std::int64_t w = 0; w < words; ++w) {
    const std::uint64_t low = w + whole < words ? row[w + whole] : 0;
    const std::uint64_t high = w + whole + 1 < words ? row[w + whole + 1] : 0;
    row[w] &= part == 0 ? low : (low >> part) | (high << (64 - part));
  }
}

/// Calls `step(by)` so that a window of 1 grows to `size` by and-ing with itself moved by `by`.
template <class Step>
void double_up_to(std::int64_t size, Step step) {
  std::int64_t covered = 1;
  for (; covered * 2 <= size; covered *= 2) step(covered);
  if (covered < size) step(size - covered);
}

/// words[r][c] = all of the size x size window at (c, r); windows that leave the mask give 0.
Words and_over_windows(const Bitmask& mask, std::int64_t size) {
  const std::int64_t stride = mask.words_per_row(), height = mask.height();
  Words words(mask.row_words(0), mask.row_words(0) + stride * height);
  for (std::int64_t r = 0; r < height; ++r)
    double_up_to(size, [&](std::int64_t by) {
      and_with_later_columns(words.data() + r * stride, stride, by);
    });
  double_up_to(size, [&](std::int64_t by) {
    for (std::int64_t r = 0; r < height; ++r)
      for (std::int64_t w = 0; w < stride; ++w) {
        const std::uint64_t later =
            r + by < height ? words[static_cast<std::size_t>((r + by) * stride + w)] : 0;
        words[static_cast<std::size_t>(r * stride + w)] &= later;
      }
  });
  return words;
}

/// Calls `run(col, col_end)` for each maximal run of set bits.
template <class Run>
void for_each_run(const std::uint64_t* words, std::int64_t word_count, Run run) {
  std::int64_t start = -1;
  for (std::int64_t w = 0; w < word_count; ++w) {
    std::uint64_t word = words[w];
    if (start < 0 && word == 0) continue;
    if (start >= 0 && word == ~std::uint64_t{0}) continue;
    std::int64_t bit = 0;
    while (bit < 64) {
      const std::uint64_t rest = (start < 0 ? word : ~word) >> bit;
      if (rest == 0) break;
      bit += std::countr_zero(rest);
      if (start < 0) {
        start = w * 64 + bit;
      } else {
        run(start, w * 64 + bit);
        start = -1;
      }
    }
  }
  if (start >= 0) run(start, word_count * 64);
}

template <class Op>
Bitmask combined(const Bitmask& a, const Bitmask& b, Op op) {
  assert(a.width() == b.width() && a.height() == b.height());
  Bitmask result(a.width(), a.height());
  for (std::int64_t row = 0; row < a.height(); ++row) {
    Words words(static_cast<std::size_t>(a.words_per_row()));
    for (std::int64_t w = 0; w < a.words_per_row(); ++w)
      words[static_cast<std::size_t>(w)] = op(a.row_words(row)[w], b.row_words(row)[w]);
    for_each_run(words.data(), a.words_per_row(), [&](std::int64_t from, std::int64_t to) {
      result.set_run(from, to, row, true);
    });
  }
  return result;
}

/// Moves words of windows into a mask of another size, at an offset.
Bitmask placed(const Words& words, std::int64_t stride, std::int64_t rows, Bitmask target,
               std::int64_t offset) {
  for (std::int64_t r = 0; r < rows; ++r)
    for_each_run(words.data() + r * stride, stride, [&](std::int64_t from, std::int64_t to) {
      target.set_run(from + offset, std::min(to + offset, target.width()), r + offset, true);
    });
  return target;
}

}  // namespace

Bitmask::Bitmask(std::int64_t width, std::int64_t height, bool value)
    : width_(width), height_(height), stride_((width + 63) / 64),
      words_(static_cast<std::size_t>(stride_ * height), 0) {
  if (value)
    for (std::int64_t row = 0; row < height; ++row) set_run(0, width, row, true);
}

void Bitmask::set_run(std::int64_t col, std::int64_t col_end, std::int64_t row, bool value) {
  for (std::int64_t w = col >> 6; w * 64 < col_end; ++w) {
    const std::int64_t low = std::max<std::int64_t>(col - w * 64, 0);
    const std::uint64_t bits = bits_between(low, std::min<std::int64_t>(col_end - w * 64, 64));
    auto& word = words_[static_cast<std::size_t>(row * stride_ + w)];
    word = value ? (word | bits) : (word & ~bits);
  }
}

std::int64_t Bitmask::count() const {
  std::int64_t total = 0;
  for (const std::uint64_t word : words_) total += std::popcount(word);
  return total;
}

Bitmask operator&(const Bitmask& a, const Bitmask& b) {
  return combined(a, b, [](std::uint64_t x, std::uint64_t y) { return x & y; });
}
Bitmask operator|(const Bitmask& a, const Bitmask& b) {
  return combined(a, b, [](std::uint64_t x, std::uint64_t y) { return x | y; });
}

Bitmask eroded(const Bitmask& mask, int radius_px) {
  Bitmask result(mask.width(), mask.height());
  const std::int64_t size = 2 * std::int64_t{radius_px} + 1;
  if (mask.width() < size || mask.height() < size) return result;
  return placed(and_over_windows(mask, size), mask.words_per_row(), mask.height() - size + 1,
                std::move(result), radius_px);
}

Bitmask window_anchors(const Bitmask& mask, int size_px) {
  const std::int64_t width = mask.width() - size_px + 1, height = mask.height() - size_px + 1;
  if (mask.empty() || width <= 0 || height <= 0) return {};
  return placed(and_over_windows(mask, size_px), mask.words_per_row(), height,
                Bitmask(width, height), 0);
}

Bitmask bitmask_from_ascii(std::string_view text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '.' || c == '#') lines.back() += c;
    if (c == '\n') lines.emplace_back();
  }
  std::erase_if(lines, [](const std::string& line) { return line.empty(); });
  if (lines.empty()) return {};
  Bitmask mask(static_cast<std::int64_t>(lines[0].size()), static_cast<std::int64_t>(lines.size()));
  for (std::size_t row = 0; row < lines.size(); ++row)
    for (std::size_t col = 0; col < lines[row].size(); ++col)
      if (lines[row][col] == '#')
        mask.set(static_cast<std::int64_t>(col), static_cast<std::int64_t>(row), true);
  return mask;
}

}  // namespace tilewright::geometry
