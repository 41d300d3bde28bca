// SPDX-License-Identifier: Apache-2.0
// The monotone map from doubles to the lattice, and the choice of size classes.
#include "index/box_lattice.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "index/in_parallel.h"

namespace tilewright::index {
namespace {

using geometry::Box;

constexpr double kCells = 2147483644.0;  // 2^31 - 4
constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool is_usable(const Box& box) {
  return box.min_x <= box.max_x && box.min_y <= box.max_y && box.min_x > -kInfinity && box.max_x < kInfinity && box.min_y > -kInfinity &&
         box.max_y < kInfinity;
}

std::size_t chunks_of(std::size_t count) { return (count + kBoxChunk - 1) / kBoxChunk; }

Box extent_of(std::span<const Box> boxes, int threads) {
  const Box none{kInfinity, kInfinity, -kInfinity, -kInfinity};
  std::vector<Box> parts(chunks_of(boxes.size()), none);
  in_parallel(threads, parts.size(), [&](std::size_t chunk) {
    Box all = none;
    for (const auto& box : boxes.subspan(chunk * kBoxChunk, std::min(kBoxChunk, boxes.size() - chunk * kBoxChunk))) {
      if (!is_usable(box)) continue;
      all = {std::min(all.min_x, box.min_x), std::min(all.min_y, box.min_y), std::max(all.max_x, box.max_x), std::max(all.max_y, box.max_y)};
    }
    parts[chunk] = all;
  });
  Box all = none;
  for (const auto& part : parts)
    all = {std::min(all.min_x, part.min_x), std::min(all.min_y, part.min_y), std::max(all.max_x, part.max_x), std::max(all.max_y, part.max_y)};
  return all;
}

/// Halves first: the difference of two finite numbers may be too large for a double.
struct Axis {
  double half_origin, scale;
  [[nodiscard]] std::int32_t operator()(double v) const { return static_cast<std::int32_t>((v * 0.5 - half_origin) * scale); }
};

/// Expected comparisons of one class in units of one vector step.
double cost_of(double count, double longest, double finer, double area) {
  const double per_box = count * longest * longest / std::max(area, 1.0) / 8;
  return count * (2 + 2.5 * per_box) + finer * (3 + 9 * per_box) + 2000;
}

}  // namespace

SizeBins to_lattice(std::span<const Box> boxes, int threads, LatticeBox* lattice) {
  const Box all = extent_of(boxes, threads);
  const double half_extent = std::max(all.max_x * 0.5 - all.min_x * 0.5, all.max_y * 0.5 - all.min_y * 0.5);
  const double scale = std::min(kCells / half_extent, 1e300);
  const Axis x{all.min_x * 0.5, scale}, y{all.min_y * 0.5, scale};
  std::vector<SizeBins> parts(chunks_of(boxes.size()));
  in_parallel(threads, parts.size(), [&](std::size_t chunk) {
    SizeBins bins;
    const std::size_t end = std::min(boxes.size(), (chunk + 1) * kBoxChunk);
    for (std::size_t n = chunk * kBoxChunk; n < end; ++n) {
      const Box& box = boxes[n];
      if (!is_usable(box)) {
        lattice[n] = {0, 0, -1, -1};
        continue;
      }
      lattice[n] = {x(box.min_x), y(box.min_y), x(box.max_x), y(box.max_y)};
      const std::int32_t side = longest_side(lattice[n]);
      auto& bin = bins[std::bit_width(static_cast<std::uint32_t>(side))];
      ++bin.count;
      bin.longest = std::max(bin.longest, side);
    }
    parts[chunk] = bins;
  });
  SizeBins sum;
  for (const auto& part : parts)
    for (std::size_t b = 0; b < sum.size(); ++b) sum[b] = {sum[b].count + part[b].count, std::max(sum[b].longest, part[b].longest)};
  return sum;
}

std::vector<SizeClass> size_classes(const SizeBins& bins) {
  constexpr int kBins = 32;
  constexpr double kArea = kCells * kCells;  // of the square around all boxes: an estimate is enough
  struct Best {
    double cost = 0;
    int first = 0;
  };
  std::array<Best, kBins + 1> best;  // over bins [0, n)
  double finer = 0;
  std::array<double, kBins + 1> below{};
  for (int n = 0; n < kBins; ++n) below[static_cast<std::size_t>(n) + 1] = finer += static_cast<double>(bins[static_cast<std::size_t>(n)].count);
  for (int n = 1; n <= kBins; ++n) {
    best[static_cast<std::size_t>(n)].cost = kInfinity;
    std::int32_t longest = 0;
    for (int first = n - 1; first >= 0; --first) {
      longest = std::max(longest, bins[static_cast<std::size_t>(first)].longest);
      const double before = below[static_cast<std::size_t>(first)], count = below[static_cast<std::size_t>(n)] - before;
      const double cost = best[static_cast<std::size_t>(first)].cost + (count > 0 ? cost_of(count, longest, before, kArea) : 0);
      if (cost < best[static_cast<std::size_t>(n)].cost) best[static_cast<std::size_t>(n)] = {cost, first};
    }
  }
  std::vector<SizeClass> classes;
  for (int n = kBins; n > 0; n = best[static_cast<std::size_t>(n)].first) {
    SizeClass c{best[static_cast<std::size_t>(n)].first, n - 1, 0, 0};
    for (int b = c.first_bin; b <= c.last_bin; ++b) {
      c.count += bins[static_cast<std::size_t>(b)].count;
      c.longest = std::max(c.longest, bins[static_cast<std::size_t>(b)].longest);
    }
    if (c.count > 0) classes.push_back(c);
  }
  std::reverse(classes.begin(), classes.end());
  return classes;
}

}  // namespace tilewright::index
