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

}  // namespace

const JoinKernels kScalarJoin{within, against};

}  // namespace tilewright::index
