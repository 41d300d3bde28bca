// SPDX-License-Identifier: Apache-2.0
// Cell means, and the search for near-equal ones.
#include "index/thumbnail.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

namespace tilewright::index {
namespace {

constexpr double kTolerance = 0.02;   ///< of the deviation
constexpr double kLeastDeviation = 1e-6;

double largest_distance(const Thumbnail& a) { return kTolerance * a.deviation; }

}  // namespace

std::optional<Thumbnail> thumbnail(std::span<const float> band, int width, int height) {
  if (width < kThumbnailEdge || height < kThumbnailEdge) return std::nullopt;
  Thumbnail out;
  for (int r = 0; r < kThumbnailEdge; ++r)
    for (int c = 0; c < kThumbnailEdge; ++c) {
      double sum = 0;
      const int top = r * height / kThumbnailEdge, bottom = (r + 1) * height / kThumbnailEdge, left = c * width / kThumbnailEdge, right = (c + 1) * width / kThumbnailEdge;
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) sum += static_cast<double>(band[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)]);
      const double mean = sum / ((bottom - top) * (right - left));
      if (!std::isfinite(mean)) return std::nullopt;
      out.cells[static_cast<std::size_t>(r * kThumbnailEdge + c)] = static_cast<float>(mean);
    }
  for (const float cell : out.cells) out.mean += static_cast<double>(cell);
  out.mean /= static_cast<double>(out.cells.size());
  for (const float cell : out.cells) out.deviation += (static_cast<double>(cell) - out.mean) * (static_cast<double>(cell) - out.mean);
  out.deviation = std::sqrt(out.deviation / static_cast<double>(out.cells.size()));
  if (out.deviation <= kLeastDeviation * std::max(1.0, std::abs(out.mean))) return std::nullopt;
  return out;
}

bool is_near_equal(const Thumbnail& a, const Thumbnail& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.cells.size(); ++i) squares += std::pow(static_cast<double>(a.cells[i]) - static_cast<double>(b.cells[i]), 2);
  return std::sqrt(squares / static_cast<double>(a.cells.size())) <= largest_distance(a);
}

ThumbnailIndex::ThumbnailIndex(std::vector<Thumbnail> thumbnails) : by_mean_(std::move(thumbnails)) {
  std::sort(by_mean_.begin(), by_mean_.end(), [](const auto& a, const auto& b) { return a.mean < b.mean; });
}

bool ThumbnailIndex::has_near_equal(const Thumbnail& to) const {
  // Means never differ by more than the root mean square of the differences; a hair for rounding.
  const double reach = largest_distance(to) * (1 + 1e-6) + 1e-9 * std::abs(to.mean);
  auto at = std::lower_bound(by_mean_.begin(), by_mean_.end(), to.mean - reach, [](const auto& one, double mean) { return one.mean < mean; });
  for (; at != by_mean_.end() && at->mean <= to.mean + reach; ++at)
    if (is_near_equal(to, *at)) return true;
  return false;
}

}  // namespace tilewright::index
