// SPDX-License-Identifier: Apache-2.0
// Channels of a height field: each value depends on a fixed neighbourhood, so that windows abut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::geometry {

/// Heights of a window and of a border around it, row by row from north to south. `valid`: 1 = known;
/// unknown pixels, and all beyond the border, take no part in anything.
struct HeightField {
  std::int64_t width = 0, height = 0;
  std::vector<double> z;
  std::vector<std::uint8_t> valid;
};

/// Each function gives float32 for `inner`, which lies in the field and is valid throughout; row by row.
/// A value of relief, slope and hillshade is the same, bit for bit, in every window with enough border:
/// 3 sigma for relief, 1 pixel for the others. Source: SCIENCE 6, options (1) to (4).

/// (z - low) / (high - low) clipped to [0, 1], low and high the given percentiles of `inner` (0 and
/// 100: least and most); 0 where they are equal.
std::vector<float> stretched(const HeightField& field, const Window& inner, double low_percent, double high_percent);
/// z minus the Gaussian mean of the valid pixels within 3 sigma.
std::vector<float> relief(const HeightField& field, const Window& inner, int sigma_px);
/// Degrees by Horn's 3 x 3 gradient; unknown neighbours count as level with the centre. `pixel_m`: edge.
std::vector<float> slope_deg(const HeightField& field, const Window& inner, double pixel_m);
/// Mean over suns in the north-west, north-east, south-east and south-west at 45 degrees, 0 to 1.
std::vector<float> hillshade(const HeightField& field, const Window& inner, double pixel_m);

}  // namespace tilewright::geometry
