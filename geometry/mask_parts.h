// SPDX-License-Identifier: Apache-2.0
// Connected parts of a label mask: the objects that a raster knows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tilewright::geometry {

/// A label of one class or more: 0 background, 255 ignore; row-major.
struct MaskPixels {
  int width = 0, height = 0;
  std::span<const std::uint8_t> pixels;
};

struct MaskPart {
  std::uint8_t value = 0;
  std::int64_t area_px = 0;
  int first_col = 0, first_row = 0;   ///< its first pixel, row by row: names the part
  double centre_col = 0, centre_row = 0;
  bool is_cut = false;                ///< touches the window's edge or an ignored pixel
};

struct MaskParts {
  std::vector<MaskPart> parts;             ///< in order of their first pixel
  std::vector<std::int32_t> part_of;       ///< by pixel; -1: background or ignored
};

/// Parts of equal value over 4 neighbours. One pass, each pixel visited once.
MaskParts mask_parts(const MaskPixels& mask);

/// Pixel numbers of each part, ascending.
std::vector<std::vector<std::int32_t>> pixels_of_parts(const MaskParts& parts);

/// Pixels within `reach` of a pixel of `part` in both axes, without the part; both ascending.
std::vector<std::int32_t> ring_around(const MaskPixels& mask, std::span<const std::int32_t> part, int reach);

}  // namespace tilewright::geometry
