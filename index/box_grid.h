// SPDX-License-Identifier: Apache-2.0
// Boxes sorted into the cells of a grid, and the kernels that compare them: scalar, AVX2, AVX-512.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tilewright::index {

/// A box on an integer lattice over all boxes; the mapping is monotone, so boxes that touch in
/// doubles touch here, and boxes that do more than touch here touch in doubles.
struct LatticeBox {
  std::int32_t min_x, min_y, max_x, max_y;
};

/// Boxes in the order of their cells, one array a side. The arrays hold 16 more entries than boxes.
struct BoxArrays {
  const std::int32_t *min_x, *min_y, *max_x, *max_y;
  const std::uint32_t* id;
};

/// One grid: cell c of row r is r * stride + c + 1; its boxes are [start[cell], start[cell + 1]).
/// An empty column stands at both ends of a row, an empty row above the last one.
struct BoxGrid {
  BoxArrays boxes;
  const std::uint32_t* start;
  std::uint32_t stride;
};

/// What a kernel writes: ids of partners one after the other, where they end per box, and which
/// boxes touch a partner exactly, so that doubles must decide. `partner` has room for 16 more.
struct Partners {
  std::uint32_t* partner;
  std::uint32_t* end;
  std::uint32_t* doubtful;
  std::uint32_t count = 0, doubts = 0;
};

/// From doubles to the lattice: (v / 2 - half_origin) * scale, towards zero. Halves, because the
/// difference of two finite numbers may be too large for a double.
struct LatticeMap {
  double half_x, half_y, scale;
};

/// One implementation of the loops.
struct JoinKernels {
  /// `boxes`: min_x, min_y, max_x, max_y of each. Returns the least and largest corner in `extent`
  /// (which comes in as infinity, infinity, -infinity, -infinity) over boxes that are finite and not empty.
  void (*extent)(const double* boxes, std::size_t count, double* extent);
  /// Unusable boxes become {0, 0, -1, -1}.
  void (*to_lattice)(const double* boxes, std::size_t count, const LatticeMap& map, LatticeBox* out);
  /// Boxes [first, last) of one grid against what follows them in their own cell, the cell to the
  /// east and the three to the north. `cell` is the cell of `first`. end[k] is set for each box.
  void (*within)(const BoxGrid& grid, std::uint32_t cell, std::uint32_t first, std::uint32_t last, Partners& out);
  /// One box against boxes [first, last) of a grid; nothing is set in end; true: doubtful.
  bool (*against)(const BoxArrays& boxes, std::uint32_t first, std::uint32_t last, const LatticeBox& box, Partners& out);
};

extern const JoinKernels kScalarJoin;
#if defined(__x86_64__)
extern const JoinKernels kAvx2Join, kAvx512Join;
#endif

}  // namespace tilewright::index
