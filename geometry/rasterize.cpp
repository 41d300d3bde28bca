// SPDX-License-Identifier: Apache-2.0
// Fills the spans of polygons.
#include "geometry/rasterize.h"

#include <algorithm>
#include <cstring>

#include "geometry/scan_rows.h"

namespace tilewright::geometry {
namespace {

void fill_span(std::uint32_t* first, std::int32_t count, std::uint32_t value) { std::fill(first, first + count, value); }

/// Spans are short: whole words, the last one over the one before it.
void fill_span(std::uint8_t* first, std::int32_t count, std::uint8_t value) {
  const std::uint64_t word = 0x0101010101010101U * value;
  if (count >= 16) {
    const std::uint64_t words[2] = {word, word};
    for (std::int32_t k = 0; k + 16 <= count; k += 16) std::memcpy(first + k, words, 16);
    std::memcpy(first + count - 16, words, 16);
  } else if (count >= 8) {
    std::memcpy(first, &word, 8);
    std::memcpy(first + count - 8, &word, 8);
  } else if (count >= 4) {
    std::memcpy(first, &word, 4);
    std::memcpy(first + count - 4, &word, 4);
  } else {
    first[0] = first[count / 2] = first[count - 1] = value;
  }
}

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const MapMultiPolygon& polygons, T value) {
  const std::int64_t width = mask.frame.window.width;
  std::int64_t count = 0;
  RowScanner(mask.frame).scan(polygons, [&](std::int32_t row, std::int32_t col, std::int32_t col_end) {
    fill_span(mask.pixels.data() + row * width + col, col_end - col, value);
    count += col_end - col;
  });
  return count;
}

}  // namespace

std::int64_t fill_polygons(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons, std::uint8_t value) { return fill(mask, polygons, value); }
std::int64_t fill_polygons(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons, std::uint32_t value) { return fill(mask, polygons, value); }

}  // namespace tilewright::geometry
