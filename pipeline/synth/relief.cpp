// SPDX-License-Identifier: Apache-2.0
// Value noise on integer lattices, smoothed by a quintic so that slopes have no creases.
#include "pipeline/synth/relief.h"

#include <cmath>

#include "pipeline/synth/random.h"

namespace tilewright::pipeline {
namespace {

double lattice_value(std::uint64_t seed, std::int64_t ix, std::int64_t iy) {
  return 2 * unit_of(mixed(mixed(seed, static_cast<std::uint64_t>(ix)), static_cast<std::uint64_t>(iy))) - 1;
}

double smooth(double t) { return t * t * t * (t * (t * 6 - 15) + 10); }

double value_noise(std::uint64_t seed, double x, double y) {
  const double fx = std::floor(x), fy = std::floor(y);
  const auto ix = static_cast<std::int64_t>(fx), iy = static_cast<std::int64_t>(fy);
  const double u = smooth(x - fx), v = smooth(y - fy);
  const double top = std::lerp(lattice_value(seed, ix, iy), lattice_value(seed, ix + 1, iy), u);
  const double bottom = std::lerp(lattice_value(seed, ix, iy + 1), lattice_value(seed, ix + 1, iy + 1), u);
  return std::lerp(top, bottom, v);
}

}  // namespace

double FractalField::at(geometry::MapXY place) const {
  double sum = 0, amplitude = 1, frequency = 1 / wavelength_m;
  for (int octave = 0; octave < octaves; ++octave) {
    sum += amplitude * value_noise(mixed(seed, static_cast<std::uint64_t>(octave)), place.x * frequency, place.y * frequency);
    amplitude *= gain;
    frequency *= 2;
  }
  return sum;
}

}  // namespace tilewright::pipeline
