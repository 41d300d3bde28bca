// SPDX-License-Identifier: Apache-2.0
// Ranges of fields whose range is known by how they are made.
#include "index/variogram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tilewright::index {
namespace {

/// A field of mean values of white noise over discs of `radius` m around places of a lattice of 100 m:
/// places farther apart than 2 radius share no noise. Its variogram is nearly spherical with that range.
std::vector<PlacedValue> moving_average(double radius, unsigned seed, int side = 40) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  const int reach = static_cast<int>(radius / 100);
  std::vector<double> noise(static_cast<std::size_t>((side + 2 * reach) * (side + 2 * reach)));
  for (auto& one : noise) one = normal(random);
  std::vector<PlacedValue> out;
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      double sum = 0;
      for (int dy = -reach; dy <= reach; ++dy)
        for (int dx = -reach; dx <= reach; ++dx)
          if (dx * dx + dy * dy <= reach * reach) sum += noise[static_cast<std::size_t>((y + reach + dy) * (side + 2 * reach) + x + reach + dx)];
      out.push_back({32632, {500000.0 + 100 * x, 5000000.0 + 100 * y}, sum});
    }
  return out;
}

TEST(Variogram, FindsTheRangeOfAMovingAverage) {
  for (const double radius : {300.0, 600.0})
    for (unsigned seed = 1; seed <= 3; ++seed) {
      const auto found = variogram(moving_average(radius, seed));
      ASSERT_TRUE(found);
      EXPECT_GT(found->range_m, 1.3 * radius) << radius << " " << seed;
      EXPECT_LT(found->range_m, 2.9 * radius) << radius << " " << seed;
      EXPECT_LT(found->nugget, 0.2 * found->sill);
    }
}

TEST(Variogram, AWiderFieldHasALongerRange) {
  EXPECT_GT(variogram(moving_average(900, 5))->range_m, 1.5 * variogram(moving_average(300, 5))->range_m);
}

TEST(Variogram, NoiseConstantsAndFewPlacesHaveNone) {
  EXPECT_FALSE(variogram(moving_average(0, 7)));
  auto equal = moving_average(300, 7);
  for (auto& one : equal) one.value = 3;
  EXPECT_FALSE(variogram(equal));
  EXPECT_FALSE(variogram(std::span(equal).first(29)));
  for (auto& one : equal) one.at = {500000, 5000000};
  EXPECT_FALSE(variogram(equal)) << "all in one place";
  EXPECT_FALSE(variogram({}));
}

TEST(Variogram, AValueThatDriftsHasARangeBeyondTheLongestLag) {
  auto drift = moving_average(0, 9);
  for (auto& one : drift) one.value = one.at.x * 1e-3;
  const auto found = variogram(drift);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_longer);
}

TEST(Variogram, PlacesOfTwoZonesAreNotCompared) {
  auto both = moving_average(300, 2);
  const auto alone = *variogram(std::span(both).first(1000));
  for (std::size_t n = 0; n < 1000; ++n) both.push_back({32633, both[n].at, both[n].value + 1e6});
  both.erase(both.begin() + 1000, both.begin() + 1600);
  const auto found = variogram(both);
  ASSERT_TRUE(found);
  EXPECT_NEAR(found->sill, alone.sill, 0.3 * alone.sill) << "the other zone's values lie far away, its differences do not";
}

}  // namespace
}  // namespace tilewright::index
