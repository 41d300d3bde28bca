// SPDX-License-Identifier: Apache-2.0
// The loops of bilinear resampling: scalar, AVX2 and AVX-512, each the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tilewright::geometry {

/// The squares of 2 x 2 pixels under many outputs, one array a part. `first`: index of the upper-left
/// pixel in the source; -1: the output has no square inside the source.
struct Squares {
  const std::int32_t* first;
  const double *right, *lower;  ///< weights of the right column and of the lower row; the others: 1 less them
};
/// The same arrays, to be filled.
struct NewSquares {
  std::int32_t* first;
  double *right, *lower;
};

/// Where the pixels of a source lie: whole numbers.
struct SourceBox {
  double col, row, width, height;
};

/// One implementation of the loops over outputs [begin, end).
struct BilinearKernels {
  /// `places`: column and row of each output in source pixels, centres at .5; NaN has no square. True if all have one.
  bool (*place)(const double* places, const SourceBox& source, std::size_t begin, std::size_t end, const NewSquares& out);
  /// `stride`: pixels of a source row. Outputs without a square are left as they are.
  void (*u8)(const std::uint8_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::uint8_t* out);
  void (*u16)(const std::uint16_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::uint16_t* out);
  void (*i16)(const std::int16_t* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, std::int16_t* out);
  void (*f32)(const float* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, float* out);
};

/// As the kernels, for every pixel type of geometry::Taps.
template <class T>
void blend_squares(const T* pixels, std::int64_t stride, const Squares& squares, std::size_t begin, std::size_t end, T* out);

extern const BilinearKernels kScalarBilinear;
#if defined(__x86_64__)
extern const BilinearKernels kAvx2Bilinear, kAvx512Bilinear;
#endif

}  // namespace tilewright::geometry
