// SPDX-License-Identifier: Apache-2.0
// Bilinear resampling four outputs at a time. Compiled with -mavx2, without fused multiply-add, so that sums
// round as in scalar code; no inline library code in here.
#if defined(__x86_64__)
#include <immintrin.h>

#include "geometry/bilinear.h"

namespace tilewright::geometry {
namespace {

bool place(const double* places, const SourceBox& source, std::size_t begin, std::size_t end, const NewSquares& out) {
  const __m256d half = _mm256_set1_pd(0.5), width = _mm256_set1_pd(source.width);
  const __m256d first_col = _mm256_set1_pd(source.col), last_col = _mm256_set1_pd(source.col + source.width - 2);
  const __m256d first_row = _mm256_set1_pd(source.row), last_row = _mm256_set1_pd(source.row + source.height - 2);
  __m128i all = _mm_setzero_si128();
  std::size_t k = begin;
  for (; k + 4 <= end; k += 4) {
    const __m256d a = _mm256_loadu_pd(places + 2 * k), b = _mm256_loadu_pd(places + 2 * k + 4);
    const __m256d col = _mm256_sub_pd(_mm256_permute4x64_pd(_mm256_unpacklo_pd(a, b), 0xd8), half);
    const __m256d row = _mm256_sub_pd(_mm256_permute4x64_pd(_mm256_unpackhi_pd(a, b), 0xd8), half);
    const __m256d left = _mm256_floor_pd(col), top = _mm256_floor_pd(row), u = _mm256_sub_pd(col, left), v = _mm256_sub_pd(row, top);
    const __m256d in_cols = _mm256_and_pd(_mm256_cmp_pd(left, first_col, _CMP_GE_OQ), _mm256_cmp_pd(left, last_col, _CMP_LE_OQ));
    const __m256d in_rows = _mm256_and_pd(_mm256_cmp_pd(top, first_row, _CMP_GE_OQ), _mm256_cmp_pd(top, last_row, _CMP_LE_OQ));
    const __m256i inside = _mm256_permutevar8x32_epi32(_mm256_castpd_si256(_mm256_and_pd(in_cols, in_rows)), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    const __m256d index = _mm256_add_pd(_mm256_mul_pd(_mm256_sub_pd(top, first_row), width), _mm256_sub_pd(left, first_col));
    const __m128i first = _mm_blendv_epi8(_mm_set1_epi32(-1), _mm256_cvttpd_epi32(index), _mm256_castsi256_si128(inside));
    all = _mm_or_si128(all, first);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.first + k), first);
    _mm256_storeu_pd(out.right + k, u);
    _mm256_storeu_pd(out.lower + k, v);
  }
  const bool are_others_inside = kScalarBilinear.place(places, source, k, end, out);
  return are_others_inside && _mm_movemask_ps(_mm_castsi128_ps(all)) == 0;
}

/// Two neighbours in a row, of four outputs.
struct Pairs {
  __m256d left, right;
};

/// Four pixels beside each other.
__m256d four_at(const std::uint16_t* pixels) { return _mm256_cvtepi32_pd(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixels)))); }
__m256d four_at(const std::int16_t* pixels) { return _mm256_cvtepi32_pd(_mm_cvtepi16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixels)))); }
__m256d four_at(const std::uint8_t* pixels) { return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(pixels))); }
__m256d four_at(const float* pixels) { return _mm256_cvtps_pd(_mm_loadu_ps(pixels)); }

Pairs pairs_at(const std::uint16_t* pixels, __m128i first) {
  const __m128i both = _mm_i32gather_epi32(reinterpret_cast<const int*>(pixels), first, 2);
  return {_mm256_cvtepi32_pd(_mm_and_si128(both, _mm_set1_epi32(0xffff))), _mm256_cvtepi32_pd(_mm_srli_epi32(both, 16))};
}
Pairs pairs_at(const std::int16_t* pixels, __m128i first) {
  const __m128i both = _mm_i32gather_epi32(reinterpret_cast<const int*>(pixels), first, 2);
  return {_mm256_cvtepi32_pd(_mm_srai_epi32(_mm_slli_epi32(both, 16), 16)), _mm256_cvtepi32_pd(_mm_srai_epi32(both, 16))};
}
/// A gather of four bytes would read beyond the last pixel.
Pairs pairs_at(const std::uint8_t* pixels, __m128i first) {
  const std::uint8_t *a = pixels + _mm_extract_epi32(first, 0), *b = pixels + _mm_extract_epi32(first, 1);
  const std::uint8_t *c = pixels + _mm_extract_epi32(first, 2), *d = pixels + _mm_extract_epi32(first, 3);
  return {_mm256_cvtepi32_pd(_mm_setr_epi32(a[0], b[0], c[0], d[0])), _mm256_cvtepi32_pd(_mm_setr_epi32(a[1], b[1], c[1], d[1]))};
}
Pairs pairs_at(const float* pixels, __m128i first) {
  return {_mm256_cvtps_pd(_mm_i32gather_ps(pixels, first, 4)), _mm256_cvtps_pd(_mm_i32gather_ps(pixels + 1, first, 4))};
}

/// Half up and clamped: 32-bit integers within [least, most].
__m128i whole(__m256d value, double least, double most) {
  const __m256d raised = _mm256_floor_pd(_mm256_add_pd(value, _mm256_set1_pd(0.5)));
  return _mm256_cvttpd_epi32(_mm256_min_pd(_mm256_max_pd(raised, _mm256_set1_pd(least)), _mm256_set1_pd(most)));
}
void put(__m256d value, std::uint8_t* out) {
  const __m128i words = _mm_packus_epi32(whole(value, 0, 255), _mm_setzero_si128());
  _mm_storeu_si32(out, _mm_packus_epi16(words, words));
}
void put(__m256d value, std::uint16_t* out) { _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi32(whole(value, 0, 65535), _mm_setzero_si128())); }
void put(__m256d value, std::int16_t* out) { _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packs_epi32(whole(value, -32768, 32767), _mm_setzero_si128())); }
void put(__m256d value, float* out) { _mm_storeu_ps(out, _mm256_cvtpd_ps(value)); }

/// Two weighted values.
__m256d blend(__m256d a, __m256d weight_a, __m256d b, __m256d weight_b) { return _mm256_add_pd(_mm256_mul_pd(weight_a, a), _mm256_mul_pd(weight_b, b)); }

template <class T>
void blend_fours(const T* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, T* out) {
  std::size_t k = begin;
  for (; k + 4 <= end; k += 4) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(squares.first + k));
    if (_mm_movemask_ps(_mm_castsi128_ps(first)) != 0) {  // one has no square
      blend_squares<T>(pixels, stride, squares, k, k + 4, out);
      continue;
    }
    // Gathers are slow: outputs of one source row whose squares lie side by side need none.
    const __m128i beside = _mm_add_epi32(_mm_shuffle_epi32(first, 0), _mm_setr_epi32(0, 1, 2, 3));
    const bool is_row = _mm_movemask_epi8(_mm_cmpeq_epi32(first, beside)) == 0xffff;
    const T *above = pixels + squares.first[k], *below = above + stride;
    const Pairs upper = is_row ? Pairs{four_at(above), four_at(above + 1)} : pairs_at(pixels, first);
    const Pairs lower = is_row ? Pairs{four_at(below), four_at(below + 1)} : pairs_at(pixels + stride, first);
    const __m256d one = _mm256_set1_pd(1), right = _mm256_loadu_pd(squares.right + k), left = _mm256_sub_pd(one, right), low = _mm256_loadu_pd(squares.lower + k);
    const __m256d high_value = blend(upper.left, left, upper.right, right), low_value = blend(lower.left, left, lower.right, right);
    put(blend(high_value, _mm256_sub_pd(one, low), low_value, low), out + k);
  }
  blend_squares<T>(pixels, stride, squares, k, end, out);
}

}  // namespace

const BilinearKernels kAvx2Bilinear{place, blend_fours<std::uint8_t>, blend_fours<std::uint16_t>, blend_fours<std::int16_t>, blend_fours<float>};

}  // namespace tilewright::geometry
#endif
