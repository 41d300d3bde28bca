// SPDX-License-Identifier: Apache-2.0
// The monotone map from doubles to the lattice, and the choice of size classes.
#include "index/box_lattice.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <tuple>

#include "index/in_parallel.h"

namespace tilewright::index {
namespace {

using geometry::Box;

constexpr double kCells = 2147483644.0;  // 2^31 - 4
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t chunks_of(std::size_t count) { return (count + kBoxChunk - 1) / kBoxChunk; }

static_assert(sizeof(Box) == 4 * sizeof(double) && offsetof(Box, max_x) == 2 * sizeof(double), "kernels read boxes as four doubles");

Box extent_of(std::span<const Box> boxes, int threads, const JoinKernels& kernels) {
  const Box none{kInfinity, kInfinity, -kInfinity, -kInfinity};
  std::vector<Box> parts(chunks_of(boxes.size()), none);
  in_parallel(threads, parts.size(), [&](std::size_t chunk) {
    const auto first = chunk * kBoxChunk;
    kernels.extent(&boxes[first].min_x, std::min(kBoxChunk, boxes.size() - first), &parts[chunk].min_x);
  });
  Box all = none;
  for (const auto& part : parts)
    all = {std::min(all.min_x, part.min_x), std::min(all.min_y, part.min_y), std::max(all.max_x, part.max_x), std::max(all.max_y, part.max_y)};
  return all;
}

/// Expected comparisons of one class in units of one vector step.
double cost_of(double count, double longest, double finer, double area) {
  const double per_box = count * longest * longest / std::max(area, 1.0) / 8;
  return count * (2 + 2.5 * per_box) + finer * (3 + 9 * per_box) + 2000;
}

}  // namespace

LatticeStatistics to_lattice(std::span<const Box> boxes, int threads, const JoinKernels& kernels, LatticeBox* lattice) {
  const Box all = extent_of(boxes, threads, kernels);
  const double half_extent = std::max(all.max_x * 0.5 - all.min_x * 0.5, all.max_y * 0.5 - all.min_y * 0.5);
  const LatticeMap map{all.min_x * 0.5, all.min_y * 0.5, std::min(kCells / half_extent, 1e300)};
  std::vector<SizeBins> parts(chunks_of(boxes.size()));
  in_parallel(threads, parts.size(), [&](std::size_t chunk) {
    const std::size_t first = chunk * kBoxChunk, end = std::min(boxes.size(), first + kBoxChunk);
    kernels.to_lattice(&boxes[first].min_x, end - first, map, lattice + first);
    SizeBins& bins = parts[chunk];
    for (std::size_t n = first; n < end; ++n) {
      if (!is_usable(lattice[n])) continue;
      const std::int32_t side = longest_side(lattice[n]);
      auto& bin = bins[bin_of(side)];
      ++bin.count;
      bin.longest = std::max(bin.longest, side);
    }
  });
  LatticeStatistics sum;
  for (const auto& part : parts)
    for (std::size_t b = 0; b < part.size(); ++b) sum.bins[b] = {sum.bins[b].count + part[b].count, std::max(sum.bins[b].longest, part[b].longest)};
  if (half_extent >= 0) {
    sum.far_x = static_cast<std::int32_t>((all.max_x * 0.5 - map.half_x) * map.scale);
    sum.far_y = static_cast<std::int32_t>((all.max_y * 0.5 - map.half_y) * map.scale);
  }
  return sum;
}

std::vector<SizeClass> size_classes(const SizeBins& bins) {
  constexpr double kArea = kCells * kCells;  // of the square around all boxes: an estimate is enough
  struct Best {
    double cost = kInfinity;
    std::size_t first = 0;
  };
  std::array<Best, std::tuple_size_v<SizeBins> + 1> best;  // over bins [0, n)
  std::array<double, best.size()> below{};                 // boxes in bins [0, n)
  best[0].cost = 0;
  for (std::size_t n = 1; n < best.size(); ++n) {
    below[n] = below[n - 1] + static_cast<double>(bins[n - 1].count);
    std::int32_t longest = 0;
    for (std::size_t first = n; first-- > 0;) {
      longest = std::max(longest, bins[first].longest);
      const double count = below[n] - below[first];
      const double cost = best[first].cost + (count > 0 ? cost_of(count, longest, below[first], kArea) : 0);
      if (cost < best[n].cost) best[n] = {cost, first};
    }
  }
  std::vector<SizeClass> classes;
  for (std::size_t n = bins.size(); n > 0; n = best[n].first) {
    SizeClass c{best[n].first, n - 1, 0, 0};
    for (std::size_t b = c.first_bin; b <= c.last_bin; ++b) {
      c.count += bins[b].count;
      c.longest = std::max(c.longest, bins[b].longest);
    }
    if (c.count > 0) classes.push_back(c);
  }
  std::reverse(classes.begin(), classes.end());
  return classes;
}

}  // namespace tilewright::index
