// SPDX-License-Identifier: Apache-2.0
// Masks of a vector layer: which objects meet which windows, and drawing one window.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "pipeline/stages/label_ground.h"
#include "pipeline/stages/label_objects.h"

namespace tilewright::pipeline {

/// One window's mask, row-major: 0 background, classes, 255 ignore.
struct LocationMask {
  std::vector<std::uint8_t> pixels;
  std::int64_t object_count = 0;  ///< objects that hold at least one pixel centre
};

/// Prepares a layer for all windows; drawing is const and may run in several threads.
class VectorMasks {
 public:
  /// Marks objects that meet no window or cannot be mapped as rejected in `objects`. Throws
  /// Error::failed naming both extents if no object of a layer meets any window.
  VectorMasks(const LabelGround& ground, LabelObjects& objects);
  /// Objects of one period, index into LabelObjects::periods.
  [[nodiscard]] LocationMask draw(std::size_t window, std::size_t period = 0) const;

 private:
  /// An object in the CRS of a zone, densified.
  struct Placed {
    std::uint8_t value = 1;
    int rank = 0;
    std::size_t feature = 0, period = 0;
    geometry::MapMultiPolygon polygons;
    std::vector<geometry::WideLine> lines;
  };
  using Pair = std::pair<std::uint32_t, std::uint32_t>;  ///< window, index into placed_

  std::vector<Pair> meetings(LabelObjects& objects);
  void place(LabelObjects& objects, std::vector<Pair> window_and_object);
  bool place_one(const LabelObjects& objects, std::size_t object, std::size_t zone, Placed& placed) const;
  void place_extent(const LabelObjects& objects);
  void cut_to_extent(const LabelWindow& window, std::size_t period, std::vector<std::uint8_t>& pixels) const;

  const LabelGround& ground_;
  std::vector<Placed> placed_;
  std::vector<Pair> by_window_;   ///< sorted by window, then rank, then feature
  bool everywhere_ = false;
  std::vector<geometry::Box> zone_boxes_;  ///< per zone: all its windows, in the layer's CRS
  std::vector<std::vector<std::vector<geometry::MapMultiPolygon>>> extents_;  ///< [zone][period]
};

}  // namespace tilewright::pipeline
