// SPDX-License-Identifier: Apache-2.0
// All pairs of boxes that touch: a self-join by sorting, with SIMD kernels and bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "geometry/grid.h"
#include "geometry/isa.h"

namespace tilewright::index {

/// Some boxes and, for each, the partners not named before: partners of box[k] are
/// [k == 0 ? 0 : end[k - 1], end[k]) of `partner`. All are indices of the input.
struct TouchingRun {
  std::span<const std::uint32_t> box;
  std::vector<std::uint32_t> end, partner;
};

/// Boxes are sorted into grids, one a size class, by counting; each lies in one cell, so nothing is
/// replicated and no pair is found twice. Keeps its memory for the next call (not thread-safe).
class SelfJoin {
 public:
  explicit SelfJoin(int threads, geometry::Isa isa = geometry::isa_of_this_run());
  SelfJoin(SelfJoin&&) noexcept;
  SelfJoin& operator=(SelfJoin&&) noexcept;
  ~SelfJoin();

  /// Calls `use` on this thread with runs that hold each pair of touching boxes exactly once. Closed
  /// boxes: equal edges touch. Empty and non-finite boxes meet nothing. Same runs for any number of
  /// threads and any ISA. At most some ten million partners are in memory at a time. O(n + pairs)
  /// where sizes are mixed within reason. At most 2^31 boxes.
  void each_run(std::span<const geometry::Box> boxes, const std::function<void(const TouchingRun&)>& use);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All pairs (i < j), ordered.
std::vector<std::pair<std::uint32_t, std::uint32_t>> touching_pairs(std::span<const geometry::Box> boxes, int threads = 1);

/// Number of pairs, without listing them.
std::int64_t count_touching_pairs(std::span<const geometry::Box> boxes, int threads);

}  // namespace tilewright::index
