// SPDX-License-Identifier: Apache-2.0
// Set operations on runs equal those on bits.
#include "geometry/runs.h"

#include <gtest/gtest.h>

#include <random>

namespace tilewright::geometry {
namespace {

constexpr std::int64_t kWidth = 70;

std::vector<bool> bits_of(const Runs& runs) {
  std::vector<bool> bits(kWidth, false);
  for (const auto& run : runs)
    for (auto col = run.begin; col < run.end; ++col) bits[static_cast<std::size_t>(col)] = true;
  return bits;
}

Runs random_runs(std::mt19937& random) {
  Bitmask mask(kWidth, 1);
  const auto filled = random() % 5;
  for (std::int64_t col = 0; col < kWidth; ++col) mask.set(col, 0, random() % 5 < filled);
  const auto runs = RunMask::from(mask);
  return {runs.row(0).begin(), runs.row(0).end()};
}

void expect_canonical(const Runs& runs) {
  for (std::size_t n = 0; n < runs.size(); ++n) {
    EXPECT_LT(runs[n].begin, runs[n].end);
    EXPECT_TRUE(n == 0 || runs[n - 1].end < runs[n].begin);
  }
}

TEST(Runs, OperationsEqualThoseOnBits) {
  std::mt19937 random(5);
  for (int round = 0; round < 500; ++round) {
    const auto a = random_runs(random), b = random_runs(random);
    const auto shift = static_cast<std::int64_t>(random() % 41) - 20;
    const auto x = bits_of(a), y = bits_of(b), both = bits_of(united(a, b)), left = bits_of(without(a, b)), there = bits_of(moved(a, shift, 0, kWidth));
    std::int64_t inside = 0;
    for (std::size_t n = 0; n < x.size(); ++n) {
      EXPECT_EQ(both[n], x[n] || y[n]);
      EXPECT_EQ(left[n], x[n] && !y[n]);
      const auto from = static_cast<std::int64_t>(n) - shift;
      EXPECT_EQ(there[n], from >= 0 && from < kWidth && x[static_cast<std::size_t>(from)]);
      inside += n >= 13 && n < 55 && x[n] ? 1 : 0;
    }
    EXPECT_EQ(overlap_px(a, 13, 55), inside);
    expect_canonical(united(a, b));
    expect_canonical(without(a, b));
  }
}

}  // namespace
}  // namespace tilewright::geometry
