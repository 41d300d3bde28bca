// SPDX-License-Identifier: Apache-2.0
// Bilinear resampling one output at a time: what every other variant equals.
#include "geometry/bilinear.h"

#include <cmath>

#include "geometry/rounded.h"

namespace tilewright::geometry {
namespace {

bool place(const double* places, const SourceBox& source, std::size_t begin, std::size_t end, const NewSquares& out) {
  const double last_col = source.col + source.width - 2, last_row = source.row + source.height - 2;
  bool are_all_inside = true;
  for (std::size_t k = begin; k < end; ++k) {
    const double col = places[2 * k] - 0.5, row = places[2 * k + 1] - 0.5;
    const double left = std::floor(col), top = std::floor(row), u = col - left, v = row - top;
    const bool is_inside = left >= source.col && left <= last_col && top >= source.row && top <= last_row;  // false for NaN
    out.first[k] = is_inside ? static_cast<std::int32_t>((top - source.row) * source.width + (left - source.col)) : -1;
    out.right[k] = u, out.lower[k] = v;
    are_all_inside = are_all_inside && is_inside;
  }
  return are_all_inside;
}

}  // namespace

template <class T>
void blend_squares(const T* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, T* out) {
  for (std::size_t k = begin; k < end; ++k) {
    if (squares.first[k] < 0) continue;
    const T* row = pixels + squares.first[k];
    const double u = squares.right[k], v = squares.lower[k];
    const double upper = (1 - u) * static_cast<double>(row[0]) + u * static_cast<double>(row[1]);
    row += stride;
    const double lower = (1 - u) * static_cast<double>(row[0]) + u * static_cast<double>(row[1]);
    out[k] = rounded<T>((1 - v) * upper + v * lower);
  }
}

#define TILEWRIGHT_BLEND(T) template void blend_squares<T>(const T*, std::int64_t, const Squares&, std::size_t, std::size_t, T*);
TILEWRIGHT_BLEND(std::uint8_t)
TILEWRIGHT_BLEND(std::int8_t)
TILEWRIGHT_BLEND(std::uint16_t)
TILEWRIGHT_BLEND(std::int16_t)
TILEWRIGHT_BLEND(std::uint32_t)
TILEWRIGHT_BLEND(std::int32_t)
TILEWRIGHT_BLEND(float)
TILEWRIGHT_BLEND(double)
#undef TILEWRIGHT_BLEND

const BilinearKernels kScalarBilinear{place, blend_squares<std::uint8_t>, blend_squares<std::uint16_t>, blend_squares<std::int16_t>, blend_squares<float>};

}  // namespace tilewright::geometry
