// SPDX-License-Identifier: Apache-2.0
// The join kernels sixteen boxes at a time. Compiled with -mavx512f: no inline library code in here.
#if defined(__x86_64__)
#include <immintrin.h>

#include "index/box_grid.h"

namespace tilewright::index {
namespace {

struct Query {
  __m512i min_x, min_y, max_x, max_y;
};
inline Query query_of(const LatticeBox& box) {
  return {_mm512_set1_epi32(box.min_x), _mm512_set1_epi32(box.min_y), _mm512_set1_epi32(box.max_x), _mm512_set1_epi32(box.max_y)};
}

/// Appends what touches among [first, last); returns the lanes that were doubtful.
inline unsigned append(const BoxArrays& b, std::uint32_t first, std::uint32_t last, const Query& q, Partners& out) {
  unsigned doubtful = 0;
  for (std::uint32_t k = first; k < last; k += 16) {
    const __m512i min_x = _mm512_loadu_si512(b.min_x + k), min_y = _mm512_loadu_si512(b.min_y + k);
    const __m512i max_x = _mm512_loadu_si512(b.max_x + k), max_y = _mm512_loadu_si512(b.max_y + k);
    const unsigned apart = static_cast<unsigned>(_mm512_cmpgt_epi32_mask(min_x, q.max_x)) | _mm512_cmpgt_epi32_mask(q.min_x, max_x) |
                           _mm512_cmpgt_epi32_mask(min_y, q.max_y) | _mm512_cmpgt_epi32_mask(q.min_y, max_y);
    const std::uint32_t left = last - k;
    const unsigned hits = ~apart & (left >= 16 ? 0xffffU : (1U << left) - 1U);
    if (hits == 0) continue;
    const unsigned edge = static_cast<unsigned>(_mm512_cmpeq_epi32_mask(min_x, q.max_x)) | _mm512_cmpeq_epi32_mask(q.min_x, max_x) |
                          _mm512_cmpeq_epi32_mask(min_y, q.max_y) | _mm512_cmpeq_epi32_mask(q.min_y, max_y);
    doubtful |= edge & hits;
    // To a register, then store: the form that compresses straight to memory is microcoded on Zen 4.
    const __m512i ids = _mm512_maskz_compress_epi32(static_cast<__mmask16>(hits), _mm512_loadu_si512(b.id + k));
    _mm512_storeu_si512(out.partner + out.count, ids);
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

// One box fills half a register: these two loops wait for memory, not for instructions.
void extent(const double* boxes, std::size_t count, double* extent) { kAvx2Join.extent(boxes, count, extent); }
void to_lattice(const double* boxes, std::size_t count, const LatticeMap& map, LatticeBox* out) { kAvx2Join.to_lattice(boxes, count, map, out); }

}  // namespace

const JoinKernels kAvx512Join{extent, to_lattice, within, against};

}  // namespace tilewright::index
#endif
