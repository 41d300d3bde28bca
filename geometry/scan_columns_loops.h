// SPDX-License-Identifier: Apache-2.0
// The loops of scan_columns.h in vectors as wide as the processor's, or row by row. No functions of the library: a
// copy of one that was compiled for a newer processor could become the one that everybody calls.
#pragma once

#include "geometry/scan_columns.h"

namespace tilewright::geometry {
namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 8;
#elif defined(__AVX2__)
constexpr int kLanes = 4;
#else
constexpr int kLanes = 1;
#endif
static_assert(kLanes <= kScanPadding);

#if defined(__AVX2__)

using Doubles = double __attribute__((vector_size(kLanes * sizeof(double))));
using Longs = std::int64_t __attribute__((vector_size(kLanes * sizeof(std::int64_t))));
using Ints = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

inline void store(std::int32_t* to, const Ints& value) { __builtin_memcpy(to, &value, sizeof value); }
inline void load(Ints& value, const std::int32_t* from) { __builtin_memcpy(&value, from, sizeof value); }
template <class Vector>
constexpr Vector places() {
  Vector out{};
  for (int lane = 0; lane < kLanes; ++lane) out[lane] = lane;
  return out;
}

bool scan_columns(const EdgeScan& edge, std::int32_t* __restrict cols) {
  const Doubles lanes = places<Doubles>();
  const double most = edge.width, doubt = edge.doubt, rows = edge.rows;
  Longs doubts{};
  for (std::int32_t k = 0; k < edge.rows; k += kLanes) {
    const Doubles place = lanes + static_cast<double>(k);
    Doubles estimate = edge.first + place * edge.step;
    // Far outside the window the fraction is not needed; a cast of what is too large would be undefined.
    estimate = estimate < -1.5 ? Doubles{} - 1.5 : estimate;
    estimate = estimate > most + 1.5 ? Doubles{} + (most + 1.5) : estimate;
    Doubles col = __builtin_convertvector(__builtin_convertvector(estimate, Ints), Doubles);
    col = col < estimate ? col + 1.0 : col;
    const Doubles above = col - estimate;
    doubts |= ((above < doubt) | (above > 1 - doubt)) & (place < rows);
    col = col < 0.0 ? Doubles{} : col;
    col = col > most ? Doubles{} + most : col;
    store(cols + k, __builtin_convertvector(col, Ints));
  }
  std::int64_t any = 0;
  for (int lane = 0; lane < kLanes; ++lane) any |= doubts[lane];
  return any != 0;
}

void add_rows(const std::int32_t* __restrict cols, std::int32_t rows, const RowSpans& spans) {
  const Ints lanes = places<Ints>();
  for (std::int32_t k = 0; k < rows; k += kLanes) {
    Ints col, low, high, crossings;
    load(col, cols + k), load(low, spans.low + k), load(high, spans.high + k), load(crossings, spans.crossings + k);
    const Ints is_row = lanes < rows - k;  // -1 or 0
    low = (is_row & (col < low)) ? col : low;
    high = (is_row & (col > high)) ? col : high;
    store(spans.low + k, low), store(spans.high + k, high), store(spans.crossings + k, crossings - is_row);
  }
}

#else

bool scan_columns(const EdgeScan& edge, std::int32_t* __restrict cols) {
  const double low = edge.doubt, high = 1 - edge.doubt, most = edge.width;
  int doubts = 0;
  for (std::int32_t k = 0; k < edge.rows; ++k) {
    const double estimate = edge.first + static_cast<double>(k) * edge.step;
    const double near = estimate < -1.5 ? -1.5 : estimate > most + 1.5 ? most + 1.5 : estimate;
    auto col = static_cast<std::int32_t>(near);
    col += static_cast<double>(col) < near ? 1 : 0;
    const double above = static_cast<double>(col) - near;
    doubts |= static_cast<int>(above < low) | static_cast<int>(above > high);
    col = col < 0 ? 0 : col;
    cols[k] = col > edge.width ? edge.width : col;
  }
  return doubts != 0;
}

void add_rows(const std::int32_t* __restrict cols, std::int32_t rows, const RowSpans& spans) {
  for (std::int32_t k = 0; k < rows; ++k) {
    spans.low[k] = cols[k] < spans.low[k] ? cols[k] : spans.low[k];
    spans.high[k] = cols[k] > spans.high[k] ? cols[k] : spans.high[k];
    spans.crossings[k] += 1;
  }
}

#endif

}  // namespace
}  // namespace tilewright::geometry
