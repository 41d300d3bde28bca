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

/// One window's covered shares of pixels in [0, 1], row-major; NaN where nothing is known.
struct CoverageMask {
  std::vector<float> shares;
  std::int64_t object_count = 0;  ///< objects that cover any of it
};

/// How far around its window a drawing looks: the larger of both.
struct Halo {
  double metres = 0;
  int pixels = 0;
};

/// Boxes of the windows in `crs`, grown by metres on the ground and by a halo; empty where one cannot be mapped.
std::vector<geometry::Box> window_boxes(const LabelGround& ground, const geometry::Crs& crs, double metres, Halo halo);

/// What is surely beyond every window (by a kilometre more than the width) need not be kept.
MakeNearTest near_windows(const LabelGround& ground, Halo halo);

/// Prepares a layer for all windows; drawing is const and may run in several threads.
class VectorMasks {
 public:
  /// Marks objects that meet no window or cannot be mapped as rejected in `objects`; objects that
  /// meet only the `halo` of windows are kept for drawing. Throws Error::failed naming both extents if
  /// no object of a layer meets any window.
  VectorMasks(const LabelGround& ground, LabelObjects& objects, Halo halo = {});
  /// Objects of one period, index into LabelObjects::periods.
  [[nodiscard]] LocationMask draw(std::size_t window, std::size_t period = 0) const;
  /// The same classes by the rule "all touched": polygons take every pixel that they cover at all, lines and discs
  /// every pixel with one of its 16 x 16 points on them.
  [[nodiscard]] LocationMask draw_touched(std::size_t window, std::size_t period) const;
  /// 1 + index into LabelObjects::rows of the window grown by `halo_px` (within the halo) on each
  /// side: 0 background, geometry::kUnknownObject outside the extent and in objects of class 255.
  [[nodiscard]] std::vector<std::uint32_t> draw_ids(std::size_t window, std::size_t period, std::int64_t halo_px) const;
  /// Polygons: exact shares, those of overlapping ones added up to at most 1. Lines: counts of 16 x 16
  /// points a pixel, junctions counted once.
  [[nodiscard]] CoverageMask draw_coverage(std::size_t window, std::size_t period) const;

 private:
  /// An object in the CRS of a zone, densified.
  struct Placed {
    std::uint8_t value = 1;
    int rank = 0, level = 0;
    bool is_rejected = false;
    std::size_t feature = 0, period = 0;
    geometry::MapMultiPolygon polygons;
    std::vector<geometry::WideLine> lines;
  };
  using Pair = std::pair<std::uint32_t, std::uint32_t>;  ///< window, index into placed_

  std::vector<Pair> meetings(LabelObjects& objects, Halo halo);
  void place(LabelObjects& objects, std::vector<Pair> window_and_object);
  bool place_one(const LabelObjects& objects, std::size_t object, std::size_t zone, Placed& placed) const;
  void place_extent(const LabelObjects& objects);
  void place_margin();
  /// Sets what lies outside the extent to `value`; `frame`: the window, or one around it.
  template <class T>
  void cut_to_extent(std::size_t zone, const geometry::RasterFrame& frame, std::size_t period, std::vector<T>& pixels, T value) const;
  /// Calls `draw` for each object of a window and period, in the order of drawing.
  template <class Draw>
  void for_each_object(std::size_t window, std::size_t period, Draw draw) const;

  const LabelGround& ground_;
  std::vector<Placed> placed_;
  std::vector<Pair> by_window_;   ///< sorted by window, then rank, then feature
  bool everywhere_ = false;
  double extent_margin_m_ = 0;
  std::vector<geometry::Box> zone_boxes_;  ///< per zone: all its windows, in the layer's CRS
  std::vector<std::vector<std::vector<geometry::MapMultiPolygon>>> extents_;  ///< [zone][period]
  std::vector<std::vector<std::vector<geometry::WideLine>>> margins_;  ///< [zone][period]: borders of the extents, as wide as the margin
};

}  // namespace tilewright::pipeline
