// SPDX-License-Identifier: Apache-2.0
// Each pixel gets the first move at which it belongs to the object; sums over moves give the contrast of all outlines.
#include "pipeline/scores/snap_outline.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "geometry/distance.h"

namespace tilewright::pipeline {
namespace {

constexpr int kBandPx = 2;
constexpr std::int64_t kLeastShare = 8;

struct Sums {
  double foreground = 0, strength = 0;
  std::int64_t count = 0;
  void add(const Sums& other) {
    foreground += other.foreground;
    strength += other.strength;
    count += other.count;
  }
  [[nodiscard]] double mean() const { return count == 0 ? 0 : foreground / static_cast<double>(count); }
};

/// The part of the label around an object.
struct Cut {
  int left, top, width, height;
  Cut(const LabelView& label, std::span<const std::int32_t> part, int margin) {
    int right = 0, bottom = part.back() / label.width;
    left = label.width, top = part.front() / label.width;
    for (const auto i : part) left = std::min(left, i % label.width), right = std::max(right, i % label.width);
    left = std::max(0, left - margin), top = std::max(0, top - margin);
    width = std::min(label.width, right + margin + 1) - left;
    height = std::min(label.height, bottom + margin + 1) - top;
  }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(width) * static_cast<std::size_t>(height); }
  [[nodiscard]] std::int32_t pixel(const LabelView& label, std::size_t i) const {
    const auto n = static_cast<int>(i);
    return (top + n / width) * label.width + left + n % width;
  }
};

}  // namespace

SnappedOutline snap_outline(const LabelView& label, std::span<const std::int32_t> part, std::span<const float> foreground, std::span<const float> strength, int reach_px) {
  const int most = reach_px + kBandPx;
  const Cut cut(label, part, most);
  std::vector<std::uint32_t> own(cut.size(), 0);
  for (const auto i : part) own[static_cast<std::size_t>(i / label.width - cut.top) * static_cast<std::size_t>(cut.width) + static_cast<std::size_t>(i % label.width - cut.left)] = 1;
  const auto distance = geometry::signed_distance_m({cut.width, cut.height, own}, {1, 1}, most + 1);
  // Moves -most .. most + 1, of which the last is never.
  std::vector<Sums> by_move(static_cast<std::size_t>(2 * most + 2));
  std::vector<int> enters(cut.size(), most + 1);
  for (std::size_t i = 0; i < cut.size(); ++i) {
    const auto pixel = static_cast<std::size_t>(cut.pixel(label, i));
    if (own[i] == 0 && label.pixels[pixel] != 0) continue;   // another object, or unknown
    const auto outwards = -static_cast<double>(distance[i]);
    enters[i] = std::clamp(own[i] == 1 ? static_cast<int>(std::floor(outwards)) + 1 : static_cast<int>(std::ceil(outwards)), -most, most + 1);
    by_move[static_cast<std::size_t>(enters[i] + most)].add({foreground[pixel], strength.empty() ? 0 : strength[pixel], 1});
  }
  const auto sums_of = [&](int first, int last) {
    Sums sums;
    for (int move = std::max(first, -most); move <= last; ++move) sums.add(by_move[static_cast<std::size_t>(move + most)]);
    return sums;
  };
  const auto contrast = [&](int move) {
    const auto edge = sums_of(move, move + 1);
    return sums_of(move - kBandPx + 1, move).mean() - sums_of(move + 1, move + kBandPx).mean() + (edge.count == 0 ? 0 : kEdgeWeight * edge.strength / static_cast<double>(edge.count));
  };
  SnappedOutline out;
  const double before = contrast(0);
  const auto area = static_cast<std::int64_t>(part.size());
  for (int step = 1; step <= reach_px; ++step)
    for (const int move : {-step, step}) {
      if (sums_of(-most, move).count * kLeastShare < area) continue;
      if (const double gain = contrast(move) - before; gain > out.gain) out.gain = gain, out.grown_px = move;
    }
  for (std::size_t i = 0; i < cut.size(); ++i)
    if (enters[i] <= out.grown_px) out.pixels.push_back(cut.pixel(label, i));
  return out;
}

}  // namespace tilewright::pipeline
