// SPDX-License-Identifier: Apache-2.0
// How well the edges of classes agree, from counts over the whole set.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::learn {

/// Counts of one class. A pixel lies on the edge of a mask if one of its four neighbours is outside
/// it, in its band if a pixel outside is within kBoundaryPx. The border of the image and ignored
/// pixels are not outside.
struct BoundaryCounts {
  std::int64_t band_both = 0, band_either = 0;  ///< boundary IoU (Cheng et al. 2021)
  std::int64_t edge_truth = 0, edge_truth_met = 0;
  std::int64_t edge_guess = 0,
               edge_guess_met = 0;  ///< met: an edge of the other within kBoundaryPx
  /// Neither has a band: no value.
  [[nodiscard]] std::optional<double> iou() const;
  /// Harmonic mean of met shares; neither has an edge: no value.
  [[nodiscard]] std::optional<double> f1() const;
};

inline constexpr int kBoundaryPx = 2;

class BoundarySums {
 public:
  explicit BoundarySums(int classes) : counts_(static_cast<std::size_t>(classes)) {}
  /// Class numbers of a square image, row by row; a truth of 255 excludes the pixel from both.
  void add(std::span<const std::uint8_t> truth, std::span<const std::uint8_t> guess, int size_px);
  [[nodiscard]] const std::vector<BoundaryCounts>& classes() const { return counts_; }
  /// Means over classes that have a value; 0 without any.
  [[nodiscard]] double iou_macro() const;
  [[nodiscard]] double f1_macro() const;

 private:
  std::vector<BoundaryCounts> counts_;
};

}  // namespace tilewright::learn
