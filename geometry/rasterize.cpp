// SPDX-License-Identifier: Apache-2.0
// Fills the spans of polygons.
#include "geometry/rasterize.h"

#include <algorithm>

#include "geometry/scan_rows.h"

namespace tilewright::geometry {

std::int64_t fill_polygons(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons,
                           std::uint8_t value) {
  return RowScanner(mask.frame).fill(polygons, mask.pixels.data(), value);
}

std::int64_t fill_polygons(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons,
                           std::uint32_t value) {
  const std::int64_t width = mask.frame.window.width;
  std::int64_t count = 0;
  RowScanner(mask.frame)
      .scan(polygons, [&](std::int32_t row, std::int32_t col, std::int32_t col_end) {
        std::fill_n(mask.pixels.data() + row * width + col, col_end - col, value);
        count += col_end - col;
      });
  return count;
}

}  // namespace tilewright::geometry
