// SPDX-License-Identifier: Apache-2.0
// The join kernels eight boxes at a time. Compiled with -mavx2: no inline library code in here.
#if defined(__x86_64__)
#include <immintrin.h>

#include "index/box_grid.h"

namespace tilewright::index {
namespace {

/// Per mask of hits: the lanes that are hit, first to last, three bits each.
struct Packing {
  std::uint32_t lanes[256];
};
constexpr Packing packing() {
  Packing p{};
  for (std::uint32_t mask = 0; mask < 256; ++mask) {
    std::uint32_t packed = 0, count = 0;
    for (std::uint32_t lane = 0; lane < 8; ++lane)
      if (mask >> lane & 1U) packed |= lane << (4 * count++);
    p.lanes[mask] = packed;
  }
  return p;
}
constexpr Packing kPacking = packing();

inline __m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline unsigned bits(__m256i lanes) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes))); }

struct Query {
  __m256i min_x, min_y, max_x, max_y;
};
inline Query query_of(const LatticeBox& box) {
  return {_mm256_set1_epi32(box.min_x), _mm256_set1_epi32(box.min_y), _mm256_set1_epi32(box.max_x), _mm256_set1_epi32(box.max_y)};
}

/// Appends what touches among [first, last); returns the lanes that were doubtful.
inline unsigned append(const BoxArrays& b, std::uint32_t first, std::uint32_t last, const Query& q, Partners& out) {
  const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  unsigned doubtful = 0;
  for (std::uint32_t k = first; k < last; k += 8) {
    const __m256i min_x = load(b.min_x + k), min_y = load(b.min_y + k), max_x = load(b.max_x + k), max_y = load(b.max_y + k);
    const __m256i apart = _mm256_or_si256(_mm256_or_si256(_mm256_cmpgt_epi32(min_x, q.max_x), _mm256_cmpgt_epi32(q.min_x, max_x)),
                                          _mm256_or_si256(_mm256_cmpgt_epi32(min_y, q.max_y), _mm256_cmpgt_epi32(q.min_y, max_y)));
    const std::uint32_t left = last - k;
    const unsigned hits = ~bits(apart) & (left >= 8 ? 0xffU : (1U << left) - 1U);
    if (hits == 0) continue;
    const __m256i edge = _mm256_or_si256(_mm256_or_si256(_mm256_cmpeq_epi32(min_x, q.max_x), _mm256_cmpeq_epi32(q.min_x, max_x)),
                                         _mm256_or_si256(_mm256_cmpeq_epi32(min_y, q.max_y), _mm256_cmpeq_epi32(q.min_y, max_y)));
    doubtful |= bits(edge) & hits;
    const __m256i order = _mm256_srlv_epi32(_mm256_set1_epi32(static_cast<int>(kPacking.lanes[hits])), shifts);
    const __m256i ids = _mm256_permutevar8x32_epi32(load(b.id + k), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.partner + out.count), ids);
    out.count += static_cast<std::uint32_t>(__builtin_popcount(hits));
  }
  return doubtful;
}

bool against(const BoxArrays& b, std::uint32_t first, std::uint32_t last, const LatticeBox& box, Partners& out) {
  return append(b, first, last, query_of(box), out) != 0;
}

void within(const BoxGrid& grid, std::uint32_t cell, std::uint32_t first, std::uint32_t last, Partners& out) {
  const BoxArrays& b = grid.boxes;
  Partners local = out;
  for (std::uint32_t k = first; k < last; ++k) {
    while (k >= grid.start[cell + 1]) ++cell;
    const Query query = query_of({b.min_x[k], b.min_y[k], b.max_x[k], b.max_y[k]});
    const std::uint32_t north = cell + grid.stride;
    unsigned doubtful = append(b, k + 1, grid.start[cell + 2], query, local);
    doubtful |= append(b, grid.start[north - 1], grid.start[north + 2], query, local);
    if (doubtful) local.doubtful[local.doubts++] = k - first;
    local.end[k - first] = local.count;
  }
  out = local;
}

/// One box a register. All lanes of a usable box hold: min <= max, and no lane beyond the largest double.
inline bool is_usable(__m256d box) {
  const __m256d most = _mm256_set1_pd(1.7976931348623157e308), none = _mm256_set1_pd(-0.0);
  const __m256d low = _mm256_permute2f128_pd(box, box, 0x00), high = _mm256_permute2f128_pd(box, box, 0x11);
  const __m256d good = _mm256_and_pd(_mm256_cmp_pd(low, high, _CMP_LE_OQ), _mm256_cmp_pd(_mm256_andnot_pd(none, box), most, _CMP_LE_OQ));
  return _mm256_movemask_pd(good) == 0xf;
}

void extent(const double* boxes, std::size_t count, double* extent) {
  __m256d low = _mm256_loadu_pd(extent), high = low;  // lanes 0, 1 of the one and 2, 3 of the other count
  for (std::size_t n = 0; n < count; ++n) {
    const __m256d box = _mm256_loadu_pd(boxes + 4 * n);
    if (!is_usable(box)) continue;
    low = _mm256_min_pd(low, box);
    high = _mm256_max_pd(high, box);
  }
  _mm256_storeu_pd(extent, _mm256_blend_pd(low, high, 0xc));
}

void to_lattice(const double* boxes, std::size_t count, const LatticeMap& map, LatticeBox* out) {
  const __m256d half = _mm256_set1_pd(0.5), scale = _mm256_set1_pd(map.scale);
  const __m256d origin = _mm256_setr_pd(map.half_x, map.half_y, map.half_x, map.half_y);
  const __m128i unusable = _mm_setr_epi32(0, 0, -1, -1);
  for (std::size_t n = 0; n < count; ++n) {
    const __m256d box = _mm256_loadu_pd(boxes + 4 * n);
    const __m128i place = _mm256_cvttpd_epi32(_mm256_mul_pd(_mm256_sub_pd(_mm256_mul_pd(box, half), origin), scale));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + n), is_usable(box) ? place : unusable);
  }
}

}  // namespace

const JoinKernels kAvx2Join{extent, to_lattice, within, against};

}  // namespace tilewright::index
#endif
