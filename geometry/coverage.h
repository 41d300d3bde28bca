// SPDX-License-Identifier: Apache-2.0
// How much of each pixel polygons cover: exact areas in fixed point, the same in every window.
#pragma once

#include <cstdint>
#include <span>

#include "geometry/rasterize.h"

namespace tilewright::geometry {

/// One pixel in units of coverage sums: areas are kept as whole multiples of 1 / kWholePixel.
inline constexpr std::int64_t kWholePixel = std::int64_t{1} << 40;

/// Adds to each pixel of `sums` the share of its area that lies inside the polygons, in units of
/// 1 / kWholePixel. Each edge adds one rounded number a pixel that depends on edge and pixel only:
/// sums of abutting windows equal the cut of the mosaic, bit for bit. Error: at most
/// (edges in the pixel + 1) / kWholePixel, and the rounding of coordinates (1e-9 px at 1e6 px).
/// Polygons must be valid (gated); overlapping ones count twice.
void add_coverage(const RasterFrame& frame, const MapMultiPolygon& polygons, std::span<std::int64_t> sums);

/// Share of the pixel in [0, 1].
float coverage_of(std::int64_t sum);

/// Sets every pixel of which the polygons cover a positive area (more than 2 / kWholePixel of it) to
/// `value`: the rule "all touched". Returns how many pixels were set.
std::int64_t fill_touched(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons, std::uint8_t value);
std::int64_t fill_touched(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons, std::uint32_t value);

}  // namespace tilewright::geometry
