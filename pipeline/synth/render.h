// SPDX-License-Identifier: Apache-2.0
// Pixels of a world: its elevation, what covers the ground, and optical scenes of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/synth/world.h"

namespace tilewright::pipeline {

enum class Cover : std::uint8_t { ground, tree, road, roof };

/// Rasters on the area's lattice, 1 m, row-major.
struct Surface {
  std::vector<float> elevation_m;   ///< with 8 cm of noise
  std::vector<Cover> cover;
  std::vector<std::uint8_t> roof;   ///< colour of the building, 1..255; 0: no building
};
Surface render_surface(const World& world);

/// Where and when an optical scene was taken.
struct ScenePlan {
  std::string name;                 ///< "optical_w_20230614"
  std::chrono::sys_days day;
  geometry::Affine affine;
  int size_px = 0;
  double turn = 0;                  ///< of the footprint inside its box, radians
  double cloud_level = 1;           ///< clouds where the cloud field is above: 1 = none
  std::uint64_t seed = 0;
};
/// `count` dates from March to November; shifted a little, turned, the last one off the lattice by 0.4 pixels.
std::vector<ScenePlan> plan_scenes(const World& world, int count);

inline constexpr int kOpticalBands = 4;  ///< blue, green, red, nir
struct Scene {
  std::vector<std::uint16_t> pixels;   ///< (4, size, size): reflectance x 10000, 0 = nodata
  std::vector<std::uint8_t> quality;   ///< (size, size): 1 = cloud
};
Scene render_scene(const World& world, const Surface& surface, const ScenePlan& plan);

}  // namespace tilewright::pipeline
