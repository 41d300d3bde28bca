// SPDX-License-Identifier: Apache-2.0
// Distances between the pixels of a mask: signed distance, boundary band, contact of near objects.
//
// Every value is a function of the pixels within the stated reach only: cut from a window that is
// larger by the reach on each side, it equals the cut of the mosaic, bit for bit. Pixels of which
// nothing is known stay unknown, and so does every value that they could change.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright::geometry {

inline constexpr std::uint32_t kUnknownObject = 0xFFFFFFFF;  ///< a pixel that may be anything
inline constexpr std::uint8_t kUnknownPixel = 255;           ///< in boundary bands and contacts

/// Row-major object ids: 0 = background, kUnknownObject = not known.
struct IdImage {
  std::int64_t width = 0, height = 0;
  std::span<const std::uint32_t> ids;
};

struct PixelSize {
  double east_m = 1, north_m = 1;
};

/// Euclidean distance in metres from each pixel centre to the nearest centre of the other kind
/// (background for an object's pixel, any object for a background pixel): positive in objects,
/// negative outside, clipped to [-most_m, most_m]; -most_m or most_m where nothing is near. NaN
/// where an unknown pixel lies nearer than what is known. The pixels of `image` are equally large.
/// Reach: most_m / side of a pixel, rounded up.
std::vector<float> signed_distance_m(const IdImage& image, PixelSize pixel, double most_m);

/// 1 where an object's pixel has, within `band_px` in the larger of the two axes, a pixel that is
/// not of the same object; 0 elsewhere; kUnknownPixel where unknown pixels decide. Reach: band_px.
std::vector<std::uint8_t> boundary_band(const IdImage& image, int band_px);

/// 1 on background pixels that have pixels of two or more different objects within `near_px` in the
/// larger of the two axes: the strips between objects that nearly touch; kUnknownPixel where unknown
/// pixels decide. Reach: near_px.
std::vector<std::uint8_t> contact(const IdImage& image, int near_px);

}  // namespace tilewright::geometry
