// SPDX-License-Identifier: Apache-2.0
// Which locations overlap, and how near train and test are: planar in a zone, by projection across.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "index/split.h"

namespace tilewright::index {

/// Pairs (a < b) of locations that share ground (touching is not sharing), ordered.
std::vector<std::pair<std::uint32_t, std::uint32_t>> overlapping_locations(std::span<const SplitLocation> locations);

/// Distance of two boxes in the plane, 0 if they touch.
double distance(const geometry::Box& a, const geometry::Box& b);

/// Distance from each window of `from` to the nearest of `to` (indices of locations), infinite if there is none within a degree of its zone's windows.
std::vector<double> nearest_distances(std::span<const SplitLocation> locations, const std::vector<std::size_t>& from,
                                      const std::vector<std::size_t>& to);
/// The least of them, infinite if one side is empty.
double least_distance(std::span<const SplitLocation> locations, const std::vector<std::size_t>& from,
                      const std::vector<std::size_t>& to);

/// Box of a location in another zone's plane; empty if it cannot be mapped.
geometry::Box box_in_zone(const SplitLocation& location, int epsg);

}  // namespace tilewright::index
