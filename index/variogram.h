// SPDX-License-Identifier: Apache-2.0
// How far values of places are alike: an empirical variogram and a spherical model of it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "geometry/grid.h"

namespace tilewright::index {

struct PlacedValue {
  int epsg = 0;                        ///< pairs of two planes are not compared
  geometry::MapXY at;                  ///< metres
  double value = 0;
};

struct Variogram {
  std::vector<double> lag_m, gamma;    ///< mean distance and half the mean squared difference of the pairs of a bin
  std::vector<std::int64_t> pairs;
  double nugget = 0, sill = 0;         ///< of the model: at distance 0, and from range_m on
  double range_m = 0;                  ///< places farther apart tell nothing of each other
  bool is_longer = false;              ///< the values still drift apart at the longest lag: the range is at least range_m
};

/// From 15 bins up to half of the longest distance; of more than 2000 places 2000 are drawn (seed 1).
/// The spherical model gamma(h) = nugget + (sill - nugget) (1.5 h/a - 0.5 (h/a)^3) is fitted by least
/// squares over a, weighted by pairs (Cressie, Statistics for Spatial Data, 1993). nullopt: fewer than
/// 30 places, equal values, or less than a tenth of the sill depends on distance.
std::optional<Variogram> variogram(std::span<const PlacedValue> values);

}  // namespace tilewright::index
