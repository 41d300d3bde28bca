// SPDX-License-Identifier: Apache-2.0
// The loops of scale_pixels.h, written so that compilers make vectors of them. Each file that
// includes this is built for one kind of processor: nothing here may be shared between them.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include <cstring>
#include <limits>
#include <type_traits>

#include "learn/data/scale_pixels.h"

namespace tilewright::learn {
namespace {

/// As BandScaling::operator(), which is in another file: no loop could hold it.
inline float scaled(float x, double center, double gain, double low, double high) {
  double y = (static_cast<double>(x) - center) * gain;
  y = y < low ? low : y;
  y = high < y ? high : y;
  return static_cast<float>(y);
}

/// All bits set where x is a number, else none: by its bits, since a branch or a comparison of
/// floats would keep the loop from becoming vectors.
inline std::uint32_t finite_bits(float x) {
  const auto exponent = __builtin_bit_cast(std::uint32_t, x) & 0x7F800000U;
  return 0U - static_cast<std::uint32_t>(exponent != 0x7F800000U);
}

inline float chosen(std::uint32_t bits, float x, float other) {
  return __builtin_bit_cast(float, (__builtin_bit_cast(std::uint32_t, x) & bits) |
                                       (__builtin_bit_cast(std::uint32_t, other) & ~bits));
}

#if defined(__AVX512F__)
inline __m256i eight_ints(const std::uint8_t* source) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source)));
}
inline __m256i eight_ints(const std::int8_t* source) {
  return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source)));
}
inline __m256i eight_ints(const std::uint16_t* source) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
}
inline __m256i eight_ints(const std::int16_t* source) {
  return _mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
}

/// Eight at a time, one register of doubles; returns how many are done. Compilers load 32 and take
/// them apart, which takes a third longer. "maskz" with all lanes is the plain conversion, about
/// which GCC 12 warns in its own header.
template <bool kIsClipped, class T>
std::size_t scale_eights(const T* source, std::size_t count, const BandScaling& s, float* out) {
  const auto center = _mm512_set1_pd(s.center), gain = _mm512_set1_pd(s.gain);
  [[maybe_unused]] const auto low = _mm512_set1_pd(s.low), high = _mm512_set1_pd(s.high);
  std::size_t i = 0;
#pragma GCC unroll 2
  for (; i + 8 <= count; i += 8) {
    const auto x = _mm512_maskz_cvtepi32_pd(0xFF, eight_ints(source + i));
    auto y = _mm512_mul_pd(_mm512_sub_pd(x, center), gain);
    if constexpr (kIsClipped) {
      y = _mm512_maskz_max_pd(0xFF, low, y);
      y = _mm512_maskz_min_pd(0xFF, high, y);
    }
    _mm256_storeu_ps(out + i, _mm512_maskz_cvtpd_ps(0xFF, y));
  }
  return i;
}
#else
template <bool kIsClipped, class T>
std::size_t scale_eights(const T*, std::size_t, const BandScaling&, float*) {
  return 0;
}
#endif

/// Whole numbers; those of up to 16 bits are the same as float and as double.
template <bool kIsClipped, class T>
void scale_whole(const T* source, std::size_t count, const BandScaling& s, float* out) {
  const double center = s.center, gain = s.gain, low = s.low, high = s.high;
  std::size_t i = 0;
  if constexpr (sizeof(T) <= 2) i = scale_eights<kIsClipped>(source, count, s, out);
  for (; i < count; ++i) {
    using Exact = std::conditional_t<sizeof(T) <= 2, double, float>;
    double y = (static_cast<double>(static_cast<Exact>(source[i])) - center) * gain;
    if constexpr (kIsClipped) {
      y = y < low ? low : y;
      y = high < y ? high : y;
    }
    out[i] = static_cast<float>(y);
  }
}

template <class T>
bool scale_of(const T* source, std::size_t count, const BandScaling& s, float missing, float* out) {
  if constexpr (std::is_floating_point_v<T>) {
    const double center = s.center, gain = s.gain, low = s.low, high = s.high;
    std::uint32_t all = ~0U;
    for (std::size_t i = 0; i < count; ++i) {
      const auto x = static_cast<float>(source[i]);
      const auto is_good = finite_bits(x);
      all &= is_good;
      out[i] = chosen(is_good, scaled(x, center, gain, low, high), missing);
    }
    return all != 0;
  }
  const bool is_clipped = s.low > -std::numeric_limits<double>::infinity() ||
                          s.high < std::numeric_limits<double>::infinity();
  if constexpr (std::is_integral_v<T>)
    is_clipped ? scale_whole<true>(source, count, s, out)
               : scale_whole<false>(source, count, s, out);
  return true;
}

/// Copies to aligned memory first where the members of a shard do not lie at a multiple of T.
template <class T>
bool scale_bytes(const std::byte* source, std::size_t count, const BandScaling& s, float missing,
                 float* out) {
  if (reinterpret_cast<std::uintptr_t>(source) % alignof(T) == 0)
    return scale_of(reinterpret_cast<const T*>(source), count, s, missing, out);
  constexpr std::size_t kBlock = 1024;
  alignas(64) T block[kBlock];
  bool all = true;
  for (std::size_t done = 0; done < count; done += kBlock) {
    const auto some = count - done < kBlock ? count - done : kBlock;
    std::memcpy(block, source + done * sizeof(T), some * sizeof(T));
    all = scale_of(block, some, s, missing, out + done) && all;
  }
  return all;
}

bool scale_any(shard::DType dtype, const std::byte* source, std::size_t count,
               const BandScaling& s, float missing, float* out) {
  switch (dtype) {
    case shard::DType::u8: return scale_bytes<std::uint8_t>(source, count, s, missing, out);
    case shard::DType::i8: return scale_bytes<std::int8_t>(source, count, s, missing, out);
    case shard::DType::u16: return scale_bytes<std::uint16_t>(source, count, s, missing, out);
    case shard::DType::i16: return scale_bytes<std::int16_t>(source, count, s, missing, out);
    case shard::DType::u32: return scale_bytes<std::uint32_t>(source, count, s, missing, out);
    case shard::DType::i32: return scale_bytes<std::int32_t>(source, count, s, missing, out);
    case shard::DType::f32: return scale_bytes<float>(source, count, s, missing, out);
    case shard::DType::f64: break;
  }
  return scale_bytes<double>(source, count, s, missing, out);
}

bool scale_floats(float* values, std::size_t count, const BandScaling& s, float missing) {
  const double center = s.center, gain = s.gain, low = s.low, high = s.high;
  std::uint32_t all = ~0U;
  for (std::size_t i = 0; i < count; ++i) {
    const float x = values[i];
    const auto is_good = finite_bits(x);
    all &= is_good;
    values[i] = chosen(is_good, scaled(x, center, gain, low, high), missing);
  }
  return all != 0;
}

void keep_bytes_below(const std::uint8_t* source, std::size_t count, std::uint8_t known,
                      std::uint8_t other, std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = source[i] < known ? source[i] : other;
}

}  // namespace
}  // namespace tilewright::learn
