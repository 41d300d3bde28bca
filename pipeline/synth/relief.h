// SPDX-License-Identifier: Apache-2.0
// Fractal fields: terrain, clouds and patchy vegetation as functions of the place.
#pragma once

#include <cstdint>

#include "geometry/grid.h"

namespace tilewright::pipeline {

/// Sum of smooth value noise over halving wavelengths, amplitudes times `gain` each: about [-1, 1] x 1 / (1 - gain).
struct FractalField {
  std::uint64_t seed = 0;
  double wavelength_m = 400;
  int octaves = 6;
  double gain = 0.5;
  [[nodiscard]] double at(geometry::MapXY place) const;
};

}  // namespace tilewright::pipeline
