// SPDX-License-Identifier: Apache-2.0
// The join kernels without vector instructions: what the others must equal.
#include "index/box_grid.h"

namespace tilewright::index {
namespace {

bool against(const BoxArrays& b, std::uint32_t first, std::uint32_t last, const LatticeBox& box, Partners& out) {
  bool doubtful = false;
  for (std::uint32_t k = first; k < last; ++k) {
    const bool apart = (b.min_x[k] > box.max_x) | (box.min_x > b.max_x[k]) | (b.min_y[k] > box.max_y) | (box.min_y > b.max_y[k]);
    const bool edge = (b.min_x[k] == box.max_x) | (box.min_x == b.max_x[k]) | (b.min_y[k] == box.max_y) | (box.min_y == b.max_y[k]);
    out.partner[out.count] = b.id[k];
    out.count += apart ? 0 : 1;
    doubtful |= edge & !apart;
  }
  return doubtful;
}

void within(const BoxGrid& grid, std::uint32_t cell, std::uint32_t first, std::uint32_t last, Partners& out) {
  const BoxArrays& b = grid.boxes;
  for (std::uint32_t k = first; k < last; ++k) {
    while (k >= grid.start[cell + 1]) ++cell;
    const LatticeBox box{b.min_x[k], b.min_y[k], b.max_x[k], b.max_y[k]};
    bool doubtful = against(b, k + 1, grid.start[cell + 2], box, out);
    const std::uint32_t north = cell + grid.stride;
    doubtful |= against(b, grid.start[north - 1], grid.start[north + 2], box, out);
    if (doubtful) out.doubtful[out.doubts++] = k - first;
    out.end[k - first] = out.count;
  }
}

constexpr double kMost = 1.7976931348623157e308;

/// Finite and not empty; false for NaN.
bool is_usable(const double* b) { return b[0] <= b[2] && b[1] <= b[3] && b[0] >= -kMost && b[1] >= -kMost && b[2] <= kMost && b[3] <= kMost; }

void extent(const double* boxes, std::size_t count, double* extent) {
  for (const double* b = boxes; b != boxes + 4 * count; b += 4) {
    if (!is_usable(b)) continue;
    for (int k = 0; k < 2; ++k) {
      extent[k] = b[k] < extent[k] ? b[k] : extent[k];
      extent[k + 2] = b[k + 2] > extent[k + 2] ? b[k + 2] : extent[k + 2];
    }
  }
}

void to_lattice(const double* boxes, std::size_t count, const LatticeMap& map, LatticeBox* out) {
  const auto x = [&](double v) { return static_cast<std::int32_t>((v * 0.5 - map.half_x) * map.scale); };
  const auto y = [&](double v) { return static_cast<std::int32_t>((v * 0.5 - map.half_y) * map.scale); };
  for (std::size_t n = 0; n < count; ++n) {
    const double* b = boxes + 4 * n;
    if (is_usable(b)) out[n] = {x(b[0]), y(b[1]), x(b[2]), y(b[3])};
    else out[n] = {0, 0, -1, -1};
  }
}

}  // namespace

const JoinKernels kScalarJoin{extent, to_lattice, within, against};

}  // namespace tilewright::index
