// SPDX-License-Identifier: Apache-2.0
// The loops of scan_columns.h in vectors as wide as the processor's, or row by row.
#pragma once

#include "geometry/scan_columns.h"
#include "geometry/scan_lanes.h"

namespace tilewright::geometry {
namespace {

static_assert(kLanes <= kScanPadding);
constexpr std::int32_t kNoColumn = 0x7fffffff;

/// First column whose centre is on or right of the edge, within [0, width], of the rows `row`;
/// `doubt`: is it unsure?
inline Ints columns_at(const EdgeScan& edge, Doubles row, Mask& doubt) {
  // Far outside the window the fraction is not needed; a cast of what is too large would be
  // undefined.
  const Doubles estimate =
      smaller(larger(edge.first + row * edge.step, each(-1.5)), each(edge.width + 1.5));
  const Doubles col = upper(estimate), above = col - estimate;
  doubt = (above < edge.doubt) | (above > 1 - edge.doubt);
  return ints(smaller(larger(col, Doubles{}), each(edge.width)));
}

// Copies of the arguments: stores might change the originals.
bool scan_columns(const EdgeScan& scan, std::int32_t* __restrict cols) {
  const EdgeScan edge = scan;
  const double rows = edge.rows;
  Mask doubts{};
  for (std::int32_t k = 0; k < edge.rows; k += kLanes) {
    const Doubles row = rows_from(k);
    Mask doubt{};
    store(cols + k, columns_at(edge, row, doubt));
    doubts |= doubt & (row < rows);
  }
  return any(doubts);
}

bool scan_edge(const EdgeScan& scan, const RowSpans& arrays, std::int32_t* __restrict unsure) {
  const EdgeScan edge = scan;
  const RowSpans spans = arrays;
  const double rows = edge.rows;
  Mask doubts{};
  for (std::int32_t k = 0; k < edge.rows; k += kLanes) {
    const Doubles row = rows_from(k);
    const Mask is_row = row < rows;
    Mask doubt{};
    const Ints col = columns_at(edge, row, doubt), is_sure = ints_of(only_first(is_row, doubt));
    doubt &= is_row;
    store(spans.low + k, smaller(load(spans.low + k), (col & is_sure) | (kNoColumn & ~is_sure)));
    store(spans.high + k, larger(load(spans.high + k), col & is_sure));
    store(spans.crossings + k, load(spans.crossings + k) - is_sure);
    store(unsure + k, ints_of(doubt));
    doubts |= doubt;
  }
  return any(doubts);
}

#if defined(__AVX512BW__)

using Bytes = __m512i;

inline Bytes all_bytes(std::uint8_t value) { return _mm512_set1_epi8(static_cast<char>(value)); }

/// At least one: 64 at a time, the last ones by a mask. Nothing else is read or written.
inline void fill_columns(std::uint8_t* first, std::int32_t count, Bytes value) {
  for (; count > 64; count -= 64, first += 64) _mm512_storeu_si512(first, value);
  _mm512_mask_storeu_epi8(first, ~std::uint64_t{0} >> (64 - count), value);
}

#else

struct Bytes {
  std::uint8_t all[32];
};

inline Bytes all_bytes(std::uint8_t value) {
  Bytes bytes;
  for (auto& byte : bytes.all) byte = value;
  return bytes;
}

template <int kBytes>
inline void store_ends(std::uint8_t* first, std::int32_t count, const Bytes& value) {
  __builtin_memcpy(first, value.all, kBytes);
  __builtin_memcpy(first + count - kBytes, value.all, kBytes);
}

/// Spans are short: a store at each end, which overlap.
inline void fill_columns(std::uint8_t* first, std::int32_t count, const Bytes& value) {
  if (count > 64) {
    for (std::int32_t k = 32; k + 32 < count; k += 32) __builtin_memcpy(first + k, value.all, 32);
    store_ends<32>(first, count, value);
  } else if (count >= 32) {
    store_ends<32>(first, count, value);
  } else if (count >= 16) {
    store_ends<16>(first, count, value);
  } else if (count >= 8) {
    store_ends<8>(first, count, value);
  } else if (count >= 4) {
    store_ends<4>(first, count, value);
  } else {
    first[0] = first[count / 2] = first[count - 1] = value.all[0];
  }
}

#endif

std::int64_t fill_rows(std::uint8_t* __restrict pixels, std::int64_t stride, const RowSpans& arrays,
                       std::int32_t rows, std::uint8_t value) {
  const RowSpans spans = arrays;
  const Bytes all = all_bytes(value);
  std::int64_t sum = 0;
  for (std::int32_t k = 0; k < rows; ++k) {
    const std::int32_t a = spans.low[k], b = spans.high[k];
    const std::int32_t count = a < b ? b - a : a - b;
    if (count == 0) continue;
    sum += count;
    fill_columns(pixels + k * stride + (a < b ? a : b), count, all);
  }
  return sum;
}

}  // namespace
}  // namespace tilewright::geometry
