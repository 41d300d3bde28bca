// SPDX-License-Identifier: Apache-2.0
// Own resampling kernels: an output pixel is a function of the source and its place only.
#pragma once

#include <cstdint>
#include <span>

#include "geometry/grid.h"

namespace tilewright::geometry {

enum class Resampling { nearest, bilinear };

/// Source pixels that the kernel may touch on each side of the sample point, for erosion: 0 or 1.
int kernel_radius_px(Resampling kernel);

/// One band of a source, or the part of it that is in memory.
template <class T>
struct SourceView {
  Window window;                       ///< where `pixels` lie in the source raster
  std::span<const T> pixels;           ///< row-major, window.width * window.height
  std::span<const std::uint8_t> valid; ///< same shape, 0 = nodata; empty = all valid
};

/// Samples at `points` (pixel coordinates of the source; centres at .5). Integer results round half
/// up and clamp to T. nearest takes the pixel that contains the point. bilinear is valid only if
/// every pixel with a non-zero weight is valid; invalid outputs get `fill` and out_valid 0.
/// Points whose kernel leaves `window` are invalid: callers pass the kernel's halo.
/// Instantiated for uint8, int8, uint16, int16, uint32, int32, float, double.
template <class T>
void resample(Resampling kernel, const SourceView<T>& source, std::span<const PixelXY> points,
              T fill, std::span<T> out, std::span<std::uint8_t> out_valid);

}  // namespace tilewright::geometry
