// SPDX-License-Identifier: Apache-2.0
// Windows along one strip: an interval problem, solved exactly.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/depth_rows.h"

namespace tilewright::index {

/// Windows and the views in them; more windows are better, then more views.
struct Worth {
  std::int64_t windows = 0, views = 0;
  auto operator<=>(const Worth&) const = default;
  Worth& operator+=(const Worth& other) {
    windows += other.windows;
    views += other.views;
    return *this;
  }
};

/// The best set of positions at least `size_px` apart. Of equal sets the one whose last window lies
/// as far left as possible, then the one before it, and so on. One strip after another: buffers stay.
class Strip {
 public:
  explicit Strip(std::int64_t size_px) : size_(size_px) {}
  /// `runs`: positions along the strip, ascending.
  Worth worth(std::span<const DepthRun> runs) { return solve(runs, nullptr); }
  std::vector<std::int64_t> positions(std::span<const DepthRun> runs) {
    std::vector<std::int64_t> found;
    solve(runs, &found);
    return found;
  }

 private:
  Worth solve(std::span<const DepthRun> runs, std::vector<std::int64_t>* positions);
  Worth solve_span(std::span<const DepthRun> runs, std::vector<std::int64_t>* positions);
  std::int64_t size_;
  std::vector<std::int64_t> best_;  ///< [k]: of positions before begin + k, windows * factor + views
};

/// Rows or columns of strips: the best set of lines at least `size_px` apart, by their worth; ties as in Strip.
std::vector<std::size_t> best_lines(std::span<const Worth> worth, std::int64_t size_px);

}  // namespace tilewright::index
