// SPDX-License-Identifier: Apache-2.0
// Boxes on an integer lattice, and the size classes that share a grid.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "geometry/grid.h"
#include "index/box_grid.h"

namespace tilewright::index {

/// Memory that is kept from one use to the next and never zeroed.
template <class T>
class Buffer {
 public:
  T* with_room(std::size_t count) {
    if (count > room_) {
      data_ = std::make_unique_for_overwrite<T[]>(count);
      room_ = count;
    }
    return data_.get();
  }
  [[nodiscard]] T* get() const { return data_.get(); }

 private:
  std::unique_ptr<T[]> data_;
  std::size_t room_ = 0;
};

constexpr std::size_t kBoxChunk = 32768;  ///< boxes a task of the sorting passes

inline bool is_usable(const LatticeBox& box) { return box.max_x >= 0; }
inline std::int32_t longest_side(const LatticeBox& box) {
  const std::int32_t width = box.max_x - box.min_x, height = box.max_y - box.min_y;
  return width > height ? width : height;
}

/// Number of bits of a side.
inline std::size_t bin_of(std::int32_t side) { return static_cast<std::size_t>(std::bit_width(static_cast<std::uint32_t>(side))); }

/// Boxes whose longest side has the same number of bits; `bits` 0..31.
struct SizeBin {
  std::size_t count = 0;
  std::int32_t longest = 0;
};
using SizeBins = std::array<SizeBin, 32>;

/// A range of bins that lie in one grid.
struct SizeClass {
  std::size_t first_bin = 0, last_bin = 0;
  std::size_t count = 0;
  std::int32_t longest = 0;
  [[nodiscard]] bool holds(const LatticeBox& box) const {
    const std::size_t bin = bin_of(longest_side(box));
    return is_usable(box) && bin >= first_bin && bin <= last_bin;
  }
};

/// What was found while mapping.
struct LatticeStatistics {
  SizeBins bins;
  std::int32_t far_x = 0, far_y = 0;  ///< largest coordinates
};

/// Maps `boxes` to the lattice; empty and non-finite ones become unusable (max_x = -1) and are in
/// no bin. Lattice coordinates lie in [0, 2^31 - 2).
LatticeStatistics to_lattice(std::span<const geometry::Box> boxes, int threads, const JoinKernels& kernels, LatticeBox* lattice);

/// Classes from small to large boxes with the least expected number of comparisons.
std::vector<SizeClass> size_classes(const SizeBins& bins);

}  // namespace tilewright::index
