// SPDX-License-Identifier: Apache-2.0
// Boundaries of a label and steep pixels near it, 64 pixels of a row in each word. Included only by files that compile kernels.
#pragma once

#if defined(__AVX512BW__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "pipeline/scores/score_kernels.h"

namespace tilewright::pipeline {
namespace {

constexpr int kWordBits = 64;

inline std::uint64_t first_bits(int count) { return count >= kWordBits ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1; }

/// Bit i of `count` (at most 64) is test(i).
template <class Test>
std::uint64_t bits_of(int count, const Test& test) {
  std::uint64_t bits = 0;
  for (int i = 0; i < count; ++i) bits |= static_cast<std::uint64_t>(test(i)) << i;
  return bits;
}

#if defined(__AVX512BW__)
inline std::uint64_t equal_bits(const std::uint8_t* a, std::uint8_t value, int count) {
  const auto some = first_bits(count);
  return _mm512_mask_cmpeq_epi8_mask(some, _mm512_maskz_loadu_epi8(some, a), _mm512_set1_epi8(static_cast<char>(value)));
}
inline std::uint64_t differ_bits(const std::uint8_t* a, const std::uint8_t* b, int count) {
  const auto some = first_bits(count);
  return _mm512_mask_cmpneq_epi8_mask(some, _mm512_maskz_loadu_epi8(some, a), _mm512_maskz_loadu_epi8(some, b));
}
inline std::uint64_t above_bits(const float* a, float limit, int count) {
  std::uint64_t bits = 0;
  for (int begin = 0; begin < count; begin += 16) {
    const auto some = static_cast<__mmask16>(first_bits(count - begin));
    bits |= std::uint64_t{_mm512_mask_cmp_ps_mask(some, _mm512_maskz_loadu_ps(some, a + begin), _mm512_set1_ps(limit), _CMP_GT_OQ)} << begin;
  }
  return bits;
}
#elif defined(__AVX2__)
inline __m256i half(const std::uint8_t* a) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(a)); }
inline std::uint64_t both_halves(__m256i low, __m256i high) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) | std::uint64_t{static_cast<std::uint32_t>(_mm256_movemask_epi8(high))} << 32;
}
inline std::uint64_t equal_bits(const std::uint8_t* a, std::uint8_t value, int count) {
  if (count < kWordBits) return bits_of(count, [&](int i) { return a[i] == value; });
  const auto wanted = _mm256_set1_epi8(static_cast<char>(value));
  return both_halves(_mm256_cmpeq_epi8(half(a), wanted), _mm256_cmpeq_epi8(half(a + 32), wanted));
}
inline std::uint64_t differ_bits(const std::uint8_t* a, const std::uint8_t* b, int count) {
  if (count < kWordBits) return bits_of(count, [&](int i) { return a[i] != b[i]; });
  return ~both_halves(_mm256_cmpeq_epi8(half(a), half(b)), _mm256_cmpeq_epi8(half(a + 32), half(b + 32)));
}
inline std::uint64_t above_bits(const float* a, float limit, int count) {
  if (count < kWordBits) return bits_of(count, [&](int i) { return a[i] > limit; });
  std::uint64_t bits = 0;
  for (int begin = 0; begin < kWordBits; begin += 8)
    bits |= static_cast<std::uint64_t>(_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(a + begin), _mm256_set1_ps(limit), _CMP_GT_OQ))) << begin;
  return bits;
}
#else
inline std::uint64_t equal_bits(const std::uint8_t* a, std::uint8_t value, int count) {
  return bits_of(count, [&](int i) { return a[i] == value; });
}
inline std::uint64_t differ_bits(const std::uint8_t* a, const std::uint8_t* b, int count) {
  return bits_of(count, [&](int i) { return a[i] != b[i]; });
}
inline std::uint64_t above_bits(const float* a, float limit, int count) {
  return bits_of(count, [&](int i) { return a[i] > limit; });
}
#endif

/// The word of a row moved by `by` (-2..2) pixels to higher columns; what comes from beside the row is 0.
inline std::uint64_t moved(const std::uint64_t* row, int words, int word, int by) {
  if (by > 0) return row[word] << by | (word > 0 ? row[word - 1] >> (kWordBits - by) : 0);
  return row[word] >> -by | (word + 1 < words ? row[word + 1] << (kWordBits + by) : 0);
}

/// A label as words: what is known and what is labelled.
class LabelBits {
 public:
  LabelBits(const std::uint8_t* label, int width, int height, std::uint64_t* known, std::uint64_t* labelled)
      : label_(label), width_(width), height_(height), words_((width + kWordBits - 1) / kWordBits), known_(known), labelled_(labelled) {
    for (int row = 0; row < height; ++row)
      for (int word = 0; word < words_; ++word) {
        known[at(row, word)] = first_bits(count(word)) & ~equal_bits(pixels(row, word), 255, count(word));
        labelled[at(row, word)] = known[at(row, word)] & ~equal_bits(pixels(row, word), 0, count(word));
      }
  }
  [[nodiscard]] int words() const { return words_; }
  [[nodiscard]] std::ptrdiff_t at(int row, int word) const { return static_cast<std::ptrdiff_t>(row) * words_ + word; }
  /// Pixels of the row in the word.
  [[nodiscard]] int count(int word) const { return width_ - word * kWordBits < kWordBits ? width_ - word * kWordBits : kWordBits; }
  [[nodiscard]] std::uint64_t known(int row, int word) const { return known_[at(row, word)]; }

  /// Labelled pixels with another value beside them that is not ignored; `steps` and `down` hold a row of words each, `down` that of the
  /// row above: where it differs from this one.
  void boundary(int row, std::uint64_t* steps, std::uint64_t* down, std::uint64_t* out) const {
    const auto* known = known_ + at(row, 0);
    for (int word = 0; word < words_; ++word) {
      const int pairs = count(word) - (word + 1 == words_);
      steps[word] = differ_bits(pixels(row, word), pixels(row, word) + 1, pairs);
    }
    for (int word = 0; word < words_; ++word) {
      const auto from_left = (steps[word] & known[word]) << 1 | (word > 0 ? (steps[word - 1] & known[word - 1]) >> (kWordBits - 1) : 0);
      const auto from_right = steps[word] & moved(known, words_, word, -1);
      const auto from_above = row > 0 ? down[word] & known_[at(row - 1, word)] : 0;
      down[word] = row + 1 < height_ ? differ_bits(pixels(row, word), pixels(row + 1, word), count(word)) : 0;
      const auto from_below = row + 1 < height_ ? down[word] & known_[at(row + 1, word)] : 0;
      out[word] = labelled_[at(row, word)] & (from_left | from_right | from_above | from_below);
    }
  }

  /// Within two columns of a labelled pixel of the row.
  void near_in_row(int row, std::uint64_t* out) const {
    const auto* own = labelled_ + at(row, 0);
    for (int word = 0; word < words_; ++word) out[word] = own[word] | moved(own, words_, word, -2) | moved(own, words_, word, -1) | moved(own, words_, word, 1) | moved(own, words_, word, 2);
  }

 private:
  [[nodiscard]] const std::uint8_t* pixels(int row, int word) const { return label_ + static_cast<std::ptrdiff_t>(row) * width_ + word * kWordBits; }
  const std::uint8_t* label_;
  int width_, height_, words_;
  std::uint64_t *known_, *labelled_;
};

EdgePixels edge_loop(const float* gradient, const std::uint8_t* label, int width, int height, float steep_above, std::uint64_t* boundary, std::uint64_t* scratch) {
  const auto plane = static_cast<std::ptrdiff_t>(edge_words(width, height));
  const LabelBits bits(label, width, height, scratch, scratch + plane);
  auto *near = scratch + 2 * plane, *steps = scratch + 3 * plane, *down = steps + bits.words();
  for (int row = 0; row < height; ++row) {
    bits.boundary(row, steps, down, boundary + bits.at(row, 0));
    bits.near_in_row(row, near + bits.at(row, 0));
  }
  EdgePixels out;
  for (int row = 0; row < height; ++row)
    for (int word = 0; word < bits.words(); ++word) {
      const auto* pixels = gradient + static_cast<std::ptrdiff_t>(row) * width + word * kWordBits;
      const auto steep = above_bits(pixels, steep_above, bits.count(word)) & bits.known(row, word);
      std::uint64_t is_near = 0;
      for (int r = row < 2 ? 0 : row - 2; r <= row + 2 && r < height; ++r) is_near |= near[bits.at(r, word)];
      out.steep += __builtin_popcountll(steep);
      out.steep_near += __builtin_popcountll(steep & is_near);
    }
  return out;
}

}  // namespace
}  // namespace tilewright::pipeline
