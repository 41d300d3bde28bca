// SPDX-License-Identifier: Apache-2.0
// Augmentations of one patch in plain buffers, each drawn from its own counter.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "learn/data/counter_random.h"

namespace tilewright::learn {

/// One square example: image (C, S, S) row-major, mask (S, S) or empty; 255 = ignore.
struct Patch {
  int channels = 0, size = 0;
  std::vector<float> image;
  std::vector<std::uint8_t> mask;
};

struct Augmentation {
  std::string_view name, what;
  bool is_geometric;  ///< runs on raw values with the mask; the others run on normalized values
  void (*apply)(Patch&, CounterRandom&);
};

/// In the order in which they run, whatever order the job names them in.
///   crop        window of 20-100 % of the area, aspect 3/4-4/3, back to the full size: bilinear,
///   masks nearest flip        left-right and up-down, each with probability 1/2 rotate      0, 90,
///   180 or 270 degrees brightness  x * U(0.8, 1.2) + U(-0.1, 0.1), one draw for all channels noise
///   x + 0.05 N(0, 1) for every value
std::span<const Augmentation> augmentations();

/// What a random crop shows and how large it becomes.
struct CropPlan {
  double least_area = 0.2, most_area = 1;  ///< share of the patch
  int size_px = 0;                         ///< edge of the result; 0 = that of the patch
};
/// A window of such an area, aspect 3/4-4/3, resized: bilinear, masks nearest.
void crop(Patch& patch, const CropPlan& plan, CounterRandom& random);
/// The row of the augmentation of that name; throws Error::failed if there is none.
std::size_t augmentation_row(std::string_view name);

/// Numbers of the rows that `names` name, in running order; throws Error::config for unknown names.
std::vector<std::size_t> augmentation_rows(const std::vector<std::string>& names);

}  // namespace tilewright::learn
