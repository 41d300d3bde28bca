// SPDX-License-Identifier: Apache-2.0
// Intervals of metrics by drawing blocks of neighbouring locations again.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "learn/train/metrics.h"

namespace tilewright::learn {

/// Square of 8 x 8 windows that a location of the grid lies in ("e32632_r10000000_s64_x12_ym3"), so
/// that neighbours stay together; the location itself where its id says no place.
std::string block_of(const std::string& location);

/// 2.5 % and 97.5 % points over draws.
using Interval = std::array<double, 2>;
struct MetricIntervals {
  int blocks = 0, draws = 0;
  Interval overall_accuracy{}, iou_micro{}, iou_macro{};
};
/// Each draw takes as many blocks as there are, with return. Equal input, equal intervals. With
/// fewer than two blocks the intervals are [value, value].
MetricIntervals bootstrap(const std::map<std::string, Confusion>& blocks, int draws = 1000,
                          std::uint64_t seed = 1);

}  // namespace tilewright::learn
