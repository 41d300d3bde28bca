// SPDX-License-Identifier: Apache-2.0
// Kernels against a plain double-precision computation.
#include "geometry/resample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace tilewright::geometry {
namespace {

constexpr Window kWindow{100, 200, 17, 11};

template <class T>
struct Field {
  std::vector<T> pixels;
  std::vector<std::uint8_t> valid;
  [[nodiscard]] SourceView<T> view() const { return {kWindow, pixels, valid}; }
};
template <class T>
Field<T> random_field(std::mt19937& random) {
  Field<T> field;
  for (int k = 0; k < 17 * 11; ++k) {
    field.pixels.push_back(static_cast<T>(random()));
    field.valid.push_back(random() % 12 != 0);
  }
  return field;
}

/// Weighted sum over all four neighbours, written the long way.
template <class T>
bool expected(const Field<T>& field, PixelXY p, double& value) {
  value = 0;
  for (int row = 0; row < 11; ++row)
    for (int col = 0; col < 17; ++col) {
      const double weight = std::max(0.0, 1 - std::abs(p.col - 0.5 - (100 + col))) *
                            std::max(0.0, 1 - std::abs(p.row - 0.5 - (200 + row)));
      if (weight == 0) continue;
      if (!field.valid[static_cast<std::size_t>(row * 17 + col)]) return false;
      value += weight * static_cast<double>(field.pixels[static_cast<std::size_t>(row * 17 + col)]);
    }
  return p.col >= 100.5 && p.col <= 116.5 && p.row >= 200.5 && p.row <= 210.5;
}

template <class T>
class Kernel : public testing::Test {};
using Types = testing::Types<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t,
                             std::int32_t, float, double>;
TYPED_TEST_SUITE(Kernel, Types);

TYPED_TEST(Kernel, BilinearEqualsBruteForce) {
  using T = TypeParam;
  std::mt19937 random(41);
  for (int round = 0; round < 20; ++round) {
    const Field<T> field = random_field<T>(random);
    std::vector<PixelXY> points;
    for (int k = 0; k < 300; ++k)
      points.push_back({99 + (random() % (19 * 8)) / 8.0, 199 + (random() % (13 * 8)) / 8.0});
    std::vector<T> out(points.size());
    std::vector<std::uint8_t> valid(points.size());
    resample<T>(Resampling::bilinear, field.view(), points, T{7}, out, valid);
    for (std::size_t k = 0; k < points.size(); ++k) {
      double value = 0;
      ASSERT_EQ(valid[k] != 0, expected(field, points[k], value)) << points[k].col << " " << points[k].row;
      if (!valid[k]) {
        ASSERT_EQ(out[k], T{7});
      } else if constexpr (std::is_integral_v<T>) {
        ASSERT_EQ(out[k], static_cast<T>(std::floor(value + 0.5)));  // eighths are exact
      } else {
        ASSERT_NEAR(out[k], value, 1e-6 * std::abs(value) + 1e-9);
      }
    }
  }
}

TYPED_TEST(Kernel, NearestTakesThePixelThatContainsThePoint) {
  using T = TypeParam;
  std::mt19937 random(43);
  const Field<T> field = random_field<T>(random);
  const std::vector<PixelXY> points{{100, 200}, {100.99, 200}, {101, 200}, {116.99, 210.99}, {117, 210}, {99.99, 205}};
  std::vector<T> out(points.size());
  std::vector<std::uint8_t> valid(points.size());
  const SourceView<T> all_valid{kWindow, field.pixels, {}};
  resample<T>(Resampling::nearest, all_valid, points, T{9}, out, valid);
  EXPECT_EQ(out[0], field.pixels[0]);
  EXPECT_EQ(out[1], field.pixels[0]);
  EXPECT_EQ(out[2], field.pixels[1]);
  EXPECT_EQ(out[3], field.pixels.back());
  EXPECT_EQ(valid, (std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0}));
}

TEST(Bilinear, OnAPixelCentreNeedsThatPixelOnly) {
  const std::vector<float> pixels{5, std::nanf(""), 1, 2};
  const std::vector<std::uint8_t> valid{1, 0, 0, 0};
  const SourceView<float> view{{0, 0, 2, 2}, pixels, valid};
  std::vector<float> out(2);
  std::vector<std::uint8_t> ok(2);
  const std::vector<PixelXY> points{{0.5, 0.5}, {0.6, 0.5}};
  resample<float>(Resampling::bilinear, view, points, -1.F, out, ok);
  EXPECT_EQ(out[0], 5);
  EXPECT_EQ(ok[1], 0);
  EXPECT_EQ(kernel_radius_px(Resampling::nearest), 0);
  EXPECT_EQ(kernel_radius_px(Resampling::bilinear), 1);
}

TEST(Bilinear, RoundsHalfUpAlsoBelowZero) {
  const std::vector<std::int16_t> pixels{-3, -2};
  const SourceView<std::int16_t> view{{0, 0, 2, 1}, pixels, {}};
  std::vector<std::int16_t> out(1);
  std::vector<std::uint8_t> ok(1);
  const std::vector<PixelXY> points{{1.0, 0.5}};
  resample<std::int16_t>(Resampling::bilinear, view, points, 0, out, ok);
  EXPECT_EQ(out[0], -2);
}

TEST(Resample, PointsThatAreNotNumbersAreInvalid) {
  const std::vector<std::uint8_t> pixels(4, 1);
  const SourceView<std::uint8_t> view{{0, 0, 2, 2}, pixels, {}};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<PixelXY> points{{nan, 0.5}, {0.5, nan}, {1e300, 0}};
  for (const Resampling kernel : {Resampling::nearest, Resampling::bilinear}) {
    std::vector<std::uint8_t> out(3), ok(3, 1);
    resample<std::uint8_t>(kernel, view, points, 9, out, ok);
    EXPECT_EQ(ok, (std::vector<std::uint8_t>{0, 0, 0}));
  }
}

}  // namespace
}  // namespace tilewright::geometry
