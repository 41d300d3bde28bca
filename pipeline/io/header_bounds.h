// SPDX-License-Identifier: Apache-2.0
// Where rasters lie in longitude and latitude, as their headers say: corners of many at once.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "geometry/crs.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

/// A pixel grid and its system.
struct PlacedGrid {
  geometry::Affine affine;
  std::int64_t width = 0, height = 0;
  std::shared_ptr<const geometry::Crs> crs;
};

/// Box around `points_per_edge` points of each edge (1: the corners) in degrees, x = longitude. Grids
/// of one system are transformed together. nullopt: not placed, not mappable, or wider than 180
/// degrees (it crosses the antimeridian or holds a pole).
std::vector<std::optional<geometry::Box>> boxes_in_degrees(std::span<const PlacedGrid> grids, int points_per_edge);

/// Boxes of the corners of files; nullopt also for files that cannot be opened. `threads` 0 = all.
std::vector<std::optional<geometry::Box>> bounds_of_headers(std::span<const std::filesystem::path> files, const OpenPolicy& policy, int threads);

}  // namespace tilewright::pipeline
