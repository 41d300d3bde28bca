// SPDX-License-Identifier: Apache-2.0
// Windows that are there already: where no further window may be anchored.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "geometry/grid.h"
#include "index/depth_rows.h"

namespace tilewright::index {

class Occupied {
 public:
  /// `size_px`: edge of the windows that are to be placed.
  Occupied(std::span<const geometry::LatticeWindow> taken, int size_px);
  void add(const Anchor& anchor, int size_px);
  /// `runs` of this row without anchors whose window would share a pixel with one that is there.
  [[nodiscard]] std::vector<DepthRun> free(std::span<const DepthRun> runs, std::int64_t row) const;

 private:
  struct Span {
    std::int64_t col, size_px;
  };
  std::int64_t size_px_, largest_px_ = 0;
  std::map<std::int64_t, std::vector<Span>> by_row_;
};

}  // namespace tilewright::index
