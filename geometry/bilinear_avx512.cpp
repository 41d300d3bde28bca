// SPDX-License-Identifier: Apache-2.0
// Bilinear resampling eight outputs at a time. Compiled with -mavx512f, -mavx512vl and -mavx512bw, without fused
// multiply-add, so that sums round as in scalar code; no inline library code in here.
#if defined(__x86_64__)
#include <immintrin.h>

#include "geometry/bilinear.h"

namespace tilewright::geometry {
namespace {

constexpr std::size_t kLanes = 8;

bool place(const double* places, const SourceBox& source, std::size_t begin, std::size_t end, const NewSquares& out) {
  const __m512d half = _mm512_set1_pd(0.5), width = _mm512_set1_pd(source.width);
  const __m512d first_col = _mm512_set1_pd(source.col), last_col = _mm512_set1_pd(source.col + source.width - 2);
  const __m512d first_row = _mm512_set1_pd(source.row), last_row = _mm512_set1_pd(source.row + source.height - 2);
  const __m512i cols = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), rows = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
  __mmask8 all = 0xff;
  std::size_t k = begin;
  for (; k + kLanes <= end; k += kLanes) {
    const __m512d a = _mm512_loadu_pd(places + 2 * k), b = _mm512_loadu_pd(places + 2 * k + kLanes);
    const __m512d col = _mm512_sub_pd(_mm512_permutex2var_pd(a, cols, b), half), row = _mm512_sub_pd(_mm512_permutex2var_pd(a, rows, b), half);
    const __m512d left = _mm512_roundscale_pd(col, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), top = _mm512_roundscale_pd(row, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    const __mmask8 right_of = _mm512_cmp_pd_mask(left, first_col, _CMP_GE_OQ), in_cols = _mm512_mask_cmp_pd_mask(right_of, left, last_col, _CMP_LE_OQ);
    const __mmask8 below = _mm512_mask_cmp_pd_mask(in_cols, top, first_row, _CMP_GE_OQ), inside = _mm512_mask_cmp_pd_mask(below, top, last_row, _CMP_LE_OQ);
    all = static_cast<__mmask8>(all & inside);
    const __m512d index = _mm512_add_pd(_mm512_mul_pd(_mm512_sub_pd(top, first_row), width), _mm512_sub_pd(left, first_col));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.first + k), _mm256_mask_blend_epi32(inside, _mm256_set1_epi32(-1), _mm512_cvttpd_epi32(index)));
    _mm512_storeu_pd(out.right + k, _mm512_sub_pd(col, left));
    _mm512_storeu_pd(out.lower + k, _mm512_sub_pd(row, top));
  }
  const bool are_others_inside = kAvx2Bilinear.place(places, source, k, end, out);
  return are_others_inside && all == 0xff;
}

/// Eight squares in two runs of neighbours: those from the first output's on, and those up to the last one's. A mask a
/// run; places that a mask leaves out are not touched, also beyond the source.
struct Runs {
  __mmask8 head, tail;
};

/// Pixels at the squares of both runs; `head` and `tail`: what lane 0 would take in each.
__m512d eight_at(const std::uint16_t* head, const std::uint16_t* tail, Runs runs) {
  return _mm512_cvtepi32_pd(_mm256_cvtepu16_epi32(_mm_mask_loadu_epi16(_mm_maskz_loadu_epi16(runs.head, head), runs.tail, tail)));
}
__m512d eight_at(const std::int16_t* head, const std::int16_t* tail, Runs runs) {
  return _mm512_cvtepi32_pd(_mm256_cvtepi16_epi32(_mm_mask_loadu_epi16(_mm_maskz_loadu_epi16(runs.head, head), runs.tail, tail)));
}
__m512d eight_at(const std::uint8_t* head, const std::uint8_t* tail, Runs runs) {
  return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_mask_loadu_epi8(_mm_maskz_loadu_epi8(runs.head, head), runs.tail, tail)));
}
__m512d eight_at(const float* head, const float* tail, Runs runs) { return _mm512_cvtps_pd(_mm256_mask_loadu_ps(_mm256_maskz_loadu_ps(runs.head, head), runs.tail, tail)); }

/// Half up. Weights lie in [0, 1] and sum to 1 but for rounding, so that no sum leaves the type by as much as a half: nothing is clamped.
void put(__m512d value, std::uint8_t* out) {
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm256_cvtepi32_epi8(_mm512_cvttpd_epi32(_mm512_add_pd(value, _mm512_set1_pd(0.5)))));
}
void put(__m512d value, std::uint16_t* out) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_cvtepi32_epi16(_mm512_cvttpd_epi32(_mm512_add_pd(value, _mm512_set1_pd(0.5)))));
}
void put(__m512d value, std::int16_t* out) {
  const __m512d raised = _mm512_roundscale_pd(_mm512_add_pd(value, _mm512_set1_pd(0.5)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_cvtepi32_epi16(_mm512_cvttpd_epi32(raised)));
}
void put(__m512d value, float* out) { _mm256_storeu_ps(out, _mm512_cvtpd_ps(value)); }

/// Two weighted values.
__m512d blend(__m512d a, __m512d weight_a, __m512d b, __m512d weight_b) { return _mm512_add_pd(_mm512_mul_pd(weight_a, a), _mm512_mul_pd(weight_b, b)); }

void blend_fours(const std::uint8_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::uint8_t* out) {
  kAvx2Bilinear.u8(pixels, stride, squares, begin, end, out);
}
void blend_fours(const std::uint16_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::uint16_t* out) {
  kAvx2Bilinear.u16(pixels, stride, squares, begin, end, out);
}
void blend_fours(const std::int16_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::int16_t* out) {
  kAvx2Bilinear.i16(pixels, stride, squares, begin, end, out);
}
void blend_fours(const float* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, float* out) {
  kAvx2Bilinear.f32(pixels, stride, squares, begin, end, out);
}

template <class T>
void blend_eights(const T* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, T* out) {
  const __m256i steps = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m512d one = _mm512_set1_pd(1);
  std::size_t k = begin;
  for (; k + kLanes <= end; k += kLanes) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(squares.first + k)), from_steps = _mm256_sub_epi32(first, steps);
    const std::int32_t head_at = squares.first[k], tail_at = squares.first[k + kLanes - 1] - static_cast<std::int32_t>(kLanes - 1);
    const __mmask8 in_head = _mm256_cmpeq_epi32_mask(from_steps, _mm256_set1_epi32(head_at)), in_tail = _mm256_cmpeq_epi32_mask(from_steps, _mm256_set1_epi32(tail_at));
    const __mmask8 missing = _mm256_cmplt_epi32_mask(first, _mm256_setzero_si256());
    if (missing != 0 || static_cast<__mmask8>(in_head | in_tail) != 0xff) {
      blend_fours(pixels, stride, squares, k, k + kLanes, out);
      continue;
    }
    const Runs runs{in_head, static_cast<__mmask8>(~in_head)};
    const T *head = pixels + head_at, *tail = pixels + tail_at;
    const __m512d right = _mm512_loadu_pd(squares.right + k), left = _mm512_sub_pd(one, right), low = _mm512_loadu_pd(squares.lower + k);
    const __m512d high_value = blend(eight_at(head, tail, runs), left, eight_at(head + 1, tail + 1, runs), right);
    head += stride, tail += stride;
    const __m512d low_value = blend(eight_at(head, tail, runs), left, eight_at(head + 1, tail + 1, runs), right);
    put(blend(high_value, _mm512_sub_pd(one, low), low_value, low), out + k);
  }
  blend_fours(pixels, stride, squares, k, end, out);
}

}  // namespace

const BilinearKernels kAvx512Bilinear{place, blend_eights<std::uint8_t>, blend_eights<std::uint16_t>, blend_eights<std::int16_t>, blend_eights<float>};

}  // namespace tilewright::geometry
#endif
