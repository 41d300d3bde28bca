// SPDX-License-Identifier: Apache-2.0
// A coarse picture of pixels: are two images the same but for compression and rounding?
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::index {

inline constexpr int kThumbnailEdge = 16;

/// Means of 16 x 16 cells of one band, with their mean and standard deviation.
struct Thumbnail {
  std::array<float, kThumbnailEdge * kThumbnailEdge> cells{};
  double mean = 0, deviation = 0;
};

/// Of a band (H, W); cell k spans pixels floor(k n / 16) to floor((k + 1) n / 16). nullopt: fewer than 16 pixels an
/// edge, a value that is not finite, or no contrast between the cells: such images say nothing.
std::optional<Thumbnail> thumbnail(std::span<const float> band, int width, int height);

/// Root mean square difference of the cells at most 2 % of a's deviation. Not symmetric where the deviations differ.
bool is_near_equal(const Thumbnail& a, const Thumbnail& b);

/// Thumbnails to be asked which of them are near-equal to another: exact, by the order of their means.
class ThumbnailIndex {
 public:
  explicit ThumbnailIndex(std::vector<Thumbnail> thumbnails);
  [[nodiscard]] bool has_near_equal(const Thumbnail& to) const;

 private:
  std::vector<Thumbnail> by_mean_;
};

}  // namespace tilewright::index
