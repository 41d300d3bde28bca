// SPDX-License-Identifier: Apache-2.0
// Numbers of several rows at once, as many as a vector of the processor that the file is compiled
// for holds, or one. No functions of the library in vector code: a copy of one that was compiled
// for a newer processor could become the one that everybody calls.
#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#else
#include <cmath>
#endif

namespace tilewright::geometry {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 1;
#endif

#if defined(__AVX2__)

using Doubles = double __attribute__((vector_size(kLanes * sizeof(double))));
using Mask = std::int64_t __attribute__((vector_size(kLanes * sizeof(std::int64_t))));  ///< -1 or 0
using Ints = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

#if defined(__AVX512F__)
// Those with a mask: the plain ones read what GCC 12 sees as uninitialized.
inline Doubles root(Doubles value) { return _mm512_maskz_sqrt_pd(0xff, value); }
inline Doubles upper(Doubles value) {
  return _mm512_maskz_roundscale_pd(0xff, value, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
inline Doubles smaller(Doubles a, Doubles b) { return _mm512_maskz_min_pd(0xff, a, b); }
inline Doubles larger(Doubles a, Doubles b) { return _mm512_maskz_max_pd(0xff, a, b); }
inline Ints ints_of(Mask mask) { return __builtin_convertvector(mask, Ints); }
inline bool any(Mask mask) { return _mm512_movepi64_mask((__m512i)mask) != 0; }
#else
inline Doubles root(Doubles value) { return _mm256_sqrt_pd(value); }
inline Doubles upper(Doubles value) { return _mm256_ceil_pd(value); }
inline Doubles smaller(Doubles a, Doubles b) { return _mm256_min_pd(a, b); }
inline Doubles larger(Doubles a, Doubles b) { return _mm256_max_pd(a, b); }
inline Ints ints_of(Mask mask) {  // the lower halves
  return (Ints)_mm256_castsi256_si128(
      _mm256_permutevar8x32_epi32((__m256i)mask, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)));
}
inline bool any(Mask mask) { return _mm256_movemask_pd((__m256d)mask) != 0; }
#endif

inline Doubles rows_from(std::int32_t row) {
  Doubles out{};
  for (int lane = 0; lane < kLanes; ++lane) out[lane] = lane;
  return out + static_cast<double>(row);
}
inline Ints ints(Doubles whole) { return __builtin_convertvector(whole, Ints); }
inline Doubles whole(Doubles value) { return __builtin_convertvector(ints(value), Doubles); }
inline Mask neither(Mask a, Mask b) { return ~(a | b); }
inline Mask only_first(Mask a, Mask b) { return a & ~b; }

#else

using Doubles = double;
using Mask = bool;
using Ints = std::int32_t;

inline Doubles root(Doubles value) { return std::sqrt(value); }
inline Doubles smaller(Doubles a, Doubles b) { return a < b ? a : b; }
inline Doubles larger(Doubles a, Doubles b) { return a > b ? a : b; }
inline Doubles rows_from(std::int32_t row) { return row; }
inline Ints ints(Doubles whole) { return static_cast<Ints>(whole); }
inline Ints ints_of(Mask mask) { return mask ? -1 : 0; }
inline Doubles whole(Doubles value) { return ints(value); }
/// Of what fits into 32 bits.
inline Doubles upper(Doubles value) {
  return whole(value) < value ? whole(value) + 1 : whole(value);
}
inline Mask neither(Mask a, Mask b) { return !(a || b); }
inline Mask only_first(Mask a, Mask b) { return a && !b; }
inline bool any(Mask mask) { return mask; }

#endif

inline Doubles each(double value) { return Doubles{} + value; }
inline Doubles size_of(Doubles a) { return larger(a, -a); }
inline Ints smaller(Ints a, Ints b) { return a < b ? a : b; }
inline Ints larger(Ints a, Ints b) { return a > b ? a : b; }
inline void store(std::int32_t* to, const Ints& value) {
  __builtin_memcpy(to, &value, sizeof value);
}
inline Ints load(const std::int32_t* from) {
  Ints value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace
}  // namespace tilewright::geometry
