// SPDX-License-Identifier: Apache-2.0
// Kernels against a plain double-precision computation.
#include "geometry/resample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

/// One band sampled at single points.
template <class T>
void resample(Resampling kernel, const Window& window, const std::vector<T>& pixels, const std::vector<std::uint8_t>& valid,
              const std::vector<PixelXY>& points, T fill, std::vector<T>& out, std::vector<std::uint8_t>& out_valid) {
  const Taps taps(kernel, window, valid, points, static_cast<std::int64_t>(points.size()));
  taps.apply<T>(std::span<const T>(pixels), fill, std::span<T>(out));
  out_valid.assign(taps.valid().begin(), taps.valid().end());
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
    resample<T>(Resampling::bilinear, kWindow, field.pixels, field.valid, points, T{7}, out, valid);
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
  resample<T>(Resampling::nearest, kWindow, field.pixels, {}, points, T{9}, out, valid);
  EXPECT_EQ(out[0], field.pixels[0]);
  EXPECT_EQ(out[1], field.pixels[0]);
  EXPECT_EQ(out[2], field.pixels[1]);
  EXPECT_EQ(out[3], field.pixels.back());
  EXPECT_EQ(valid, (std::vector<std::uint8_t>{1, 1, 1, 1, 0, 0}));
}

TEST(Bilinear, OnAPixelCentreNeedsThatPixelOnly) {
  const std::vector<float> pixels{5, std::nanf(""), 1, 2};
  const std::vector<std::uint8_t> valid{1, 0, 0, 0};
  std::vector<float> out(2);
  std::vector<std::uint8_t> ok(2);
  const std::vector<PixelXY> points{{0.5, 0.5}, {0.6, 0.5}};
  resample<float>(Resampling::bilinear, {0, 0, 2, 2}, pixels, valid, points, -1.F, out, ok);
  EXPECT_EQ(out[0], 5);
  EXPECT_EQ(ok[1], 0);
}

TEST(Bilinear, RoundsHalfUpAlsoBelowZero) {
  const std::vector<std::int16_t> pixels{-3, -2};
  std::vector<std::int16_t> out(1);
  std::vector<std::uint8_t> ok(1);
  const std::vector<PixelXY> points{{1.0, 0.5}};
  resample<std::int16_t>(Resampling::bilinear, {0, 0, 2, 1}, pixels, {}, points, 0, out, ok);
  EXPECT_EQ(out[0], -2);
}

TEST(Resample, PointsThatAreNotNumbersAreInvalid) {
  const std::vector<std::uint8_t> pixels(4, 1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<PixelXY> points{{nan, 0.5}, {0.5, nan}, {1e300, 0}};
  for (const Resampling kernel : {Resampling::nearest, Resampling::bilinear, Resampling::cubic}) {
    std::vector<std::uint8_t> out(3), ok(3, 1);
    resample<std::uint8_t>(kernel, {0, 0, 2, 2}, pixels, {}, points, 9, out, ok);
    EXPECT_EQ(ok, (std::vector<std::uint8_t>{0, 0, 0}));
  }
}

/// Cubic convolution by its published pieces (Keys 1981, a = -0.5).
double keys(double x) {
  x = std::abs(x);
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

TYPED_TEST(Kernel, CubicEqualsBruteForce) {
  using T = TypeParam;
  std::mt19937 random(47);
  const Field<T> field = random_field<T>(random);
  std::vector<PixelXY> points;
  for (int k = 0; k < 2000; ++k) points.push_back({100 + (random() % (17 * 8)) / 8.0, 200 + (random() % (11 * 8)) / 8.0});
  std::vector<T> out(points.size());
  std::vector<std::uint8_t> valid;
  resample<T>(Resampling::cubic, kWindow, field.pixels, field.valid, points, T{7}, out, valid);
  int seen = 0;
  for (std::size_t k = 0; k < points.size(); ++k) {
    double value = 0;
    bool ok = true;
    const PixelXY p = points[k];
    for (int row = -3; row < 14; ++row)
      for (int col = -3; col < 20; ++col) {
        const double weight = keys(p.col - 0.5 - (100 + col)) * keys(p.row - 0.5 - (200 + row));
        if (weight == 0) continue;
        ok = ok && col >= 0 && row >= 0 && col < 17 && row < 11 && field.valid[static_cast<std::size_t>(row * 17 + col)];
        if (ok) value += weight * static_cast<double>(field.pixels[static_cast<std::size_t>(row * 17 + col)]);
      }
    ASSERT_EQ(valid[k] != 0, ok) << p.col << " " << p.row;
    if (!ok) continue;
    ++seen;
    if constexpr (std::is_integral_v<T>) {
      const double clamped = std::clamp(std::floor(value + 0.5), double(std::numeric_limits<T>::min()), double(std::numeric_limits<T>::max()));
      ASSERT_LE(std::abs(static_cast<double>(out[k]) - clamped), 1e-9 * std::abs(value) + (std::abs(value + 0.5 - std::round(value + 0.5)) < 1e-6 ? 1 : 0));
    } else {
      ASSERT_NEAR(out[k], value, 1e-6 * std::abs(value) + 1e-2 * (sizeof(T) == 4) * std::abs(static_cast<double>(out[k])) + 1e-3);
    }
  }
  EXPECT_GT(seen, 100);
}

/// Area of a pixel inside a convex quad, by clipping the quad with the pixel's four sides.
double clipped_area(std::vector<PixelXY> ring, double col, double row) {
  for (int side = 0; side < 4; ++side) {
    const auto inside = [&](PixelXY p) { return side == 0 ? p.col - col : side == 1 ? col + 1 - p.col : side == 2 ? p.row - row : row + 1 - p.row; };
    std::vector<PixelXY> kept;
    for (std::size_t k = 0; k < ring.size(); ++k) {
      const PixelXY a = ring[k], b = ring[(k + 1) % ring.size()];
      const double da = inside(a), db = inside(b);
      if (da >= 0) kept.push_back(a);
      if ((da < 0) != (db < 0)) kept.push_back({a.col + (b.col - a.col) * da / (da - db), a.row + (b.row - a.row) * da / (da - db)});
    }
    ring = kept;
  }
  double area = 0;
  for (std::size_t k = 0; k < ring.size(); ++k) {
    const PixelXY a = ring[k], b = ring[(k + 1) % ring.size()];
    area += 0.5 * (a.col * b.row - b.col * a.row);
  }
  return std::abs(area);
}

TEST(Average, EqualsTheClippedAreasOfRotatedPixels) {
  std::mt19937 random(53);
  const Field<double> field = random_field<double>(random);
  int seen = 0;
  for (int round = 0; round < 400; ++round) {
    const double angle = 0.01 * static_cast<double>(random() % 628), size = 0.3 + 0.01 * static_cast<double>(random() % 300);
    const double x = 103 + 0.01 * static_cast<double>(random() % 1100), y = 202 + 0.01 * static_cast<double>(random() % 600);
    std::vector<PixelXY> corners;
    for (const auto& [u, v] : {std::pair{-.5, -.5}, {.5, -.5}, {-.5, .5}, {.5, .5}})
      corners.push_back({x + size * (u * std::cos(angle) - v * std::sin(angle)), y + size * (u * std::sin(angle) + v * std::cos(angle))});
    const Taps taps(Resampling::average, kWindow, field.valid, corners, 1);
    const std::vector<PixelXY> ring{corners[0], corners[1], corners[3], corners[2]};
    double sum = 0, weights = 0;
    bool ok = true;
    for (int row = -4; row < 15; ++row)
      for (int col = -4; col < 21; ++col) {
        const double area = clipped_area(ring, 100 + col, 200 + row);
        if (area < 1e-9) continue;
        ok = ok && col >= 0 && row >= 0 && col < 17 && row < 11 && field.valid[static_cast<std::size_t>(row * 17 + col)];
        if (ok) sum += area * field.pixels[static_cast<std::size_t>(row * 17 + col)], weights += area;
      }
    ASSERT_EQ(taps.valid()[0] != 0, ok) << round;
    if (!ok) continue;
    ++seen;
    std::vector<double> out(1);
    taps.apply<double>(field.pixels, -1, out);
    ASSERT_NEAR(out[0], sum / weights, 1e-9 * std::abs(sum / weights));
  }
  EXPECT_GT(seen, 60);
}

TEST(Average, OfWholePixelsIsTheirMeanRoundedHalfUp) {
  const std::vector<std::uint8_t> pixels{1, 2, 250, 255, 3, 4, 251, 255};
  const std::vector<PixelXY> corners{{0, 0}, {2, 0}, {4, 0}, {0, 2}, {2, 2}, {4, 2}};
  const Taps taps(Resampling::average, {0, 0, 4, 2}, {}, corners, 2);
  std::vector<std::uint8_t> out(2);
  taps.apply<std::uint8_t>(pixels, 0, out);
  EXPECT_EQ(out, (std::vector<std::uint8_t>{3, 253}));  // 2.5 and 252.75
}

/// A pixel is the same whatever part of the source is in memory, as long as the kernel fits.
TYPED_TEST(Kernel, BilinearIsTheSameForEveryInstructionSet) {
  using T = TypeParam;
  if (!is_supported(Isa::avx2)) GTEST_SKIP() << "this processor has no AVX2";
  std::mt19937 random(47);
  for (int round = 0; round < 40; ++round) {
    const Field<T> field = random_field<T>(random);
    const std::vector<std::uint8_t> valid = round % 2 == 0 ? field.valid : std::vector<std::uint8_t>{};
    std::vector<PixelXY> points;
    for (int k = 0, count = 290 + round; k < count; ++k) {  // counts that leave 0 to 7 over
      const double lone = std::uniform_real_distribution<double>(0, 1)(random);
      const double whole = random() % 7 == 0 ? 0.5 : lone;
      points.push_back({98 + static_cast<double>(random() % 21) + whole, 198 + static_cast<double>(random() % 15) + lone});
      if (round % 3 == 0) points.back() = {98.2 + 1.01 * (k % 19), 198.4 + 0.05 * (k % 19) + k / 19 % 15};  // neighbours, as windows have them
      if (round % 3 == 1) points.back() = {100.6 + 0.99 * (k % 16), 209.3 - 0.13 * (k % 16) - k / 16 % 12};  // from row to row, upwards too
    }
    points[7].row = std::numeric_limits<double>::quiet_NaN();
    points[9].col = 1e300;
    const auto count = static_cast<std::int64_t>(points.size());
    const Taps scalar(Resampling::bilinear, kWindow, valid, points, count, Isa::scalar);
    std::vector<T> a(points.size(), T{1});
    scalar.apply<T>(std::span<const T>(field.pixels), T{7}, std::span<T>(a));
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (!is_supported(isa)) continue;
      const Taps vectors(Resampling::bilinear, kWindow, valid, points, count, isa);
      std::vector<T> b(points.size(), T{2});
      vectors.apply<T>(std::span<const T>(field.pixels), T{7}, std::span<T>(b));
      ASSERT_TRUE(std::equal(scalar.valid().begin(), scalar.valid().end(), vectors.valid().begin(), vectors.valid().end()));
      ASSERT_EQ(a, b) << round << ", variant " << static_cast<int>(isa);
    }
  }
}

/// The first and the last pixel of a source, and the ends of its rows: nothing beyond them counts.
TYPED_TEST(Kernel, BilinearOfATurnedGridIsTheSameForEveryInstructionSet) {
  using T = TypeParam;
  constexpr int kWide = 61, kHigh = 37;
  std::mt19937 random(53);
  std::vector<T> pixels;
  for (int k = 0; k < kWide * kHigh; ++k) pixels.push_back(random() % 4 == 0 ? std::numeric_limits<T>::max() : random() % 4 == 0 ? std::numeric_limits<T>::lowest() : static_cast<T>(random()));
  for (const double slope : {-0.3, -0.08, -1e-3, 0.0, 0.08, 0.11, 0.4}) {
    std::vector<PixelXY> points;
    for (int row = 0; row < kHigh; ++row)
      for (int col = 0; col < kWide; ++col) points.push_back({0.5 + 0.997 * col - slope * row, 0.5 + row * 0.999 + slope * col});
    const auto count = static_cast<std::int64_t>(points.size());
    std::vector<T> expected(points.size()), out(points.size());
    Taps(Resampling::bilinear, {0, 0, kWide, kHigh}, {}, points, count, Isa::scalar).template apply<T>(pixels, T{7}, expected);
    for (const Isa isa : {Isa::avx2, Isa::avx512}) {
      if (!is_supported(isa)) continue;
      Taps(Resampling::bilinear, {0, 0, kWide, kHigh}, {}, points, count, isa).template apply<T>(pixels, T{7}, out);
      ASSERT_EQ(out, expected) << slope << ", variant " << static_cast<int>(isa);
    }
  }
}

/// Buffers that were used for another kernel, size and validity leave no trace.
TEST(Taps, PlacedAgainAreAsNew) {
  std::mt19937 random(5);
  Taps again;
  for (int round = 0; round < 200; ++round) {
    const Field<float> field = random_field<float>(random);
    const std::vector<std::uint8_t> valid = round % 3 == 0 ? std::vector<std::uint8_t>{} : field.valid;
    const Resampling kernel = std::array{Resampling::nearest, Resampling::bilinear, Resampling::cubic, Resampling::average}[random() % 4];
    const std::int64_t width = 1 + static_cast<std::int64_t>(random() % 9), height = 1 + static_cast<std::int64_t>(random() % 9), more = samples_corners(kernel) ? 1 : 0;
    std::vector<PixelXY> places;
    for (std::int64_t row = 0; row < height + more; ++row)
      for (std::int64_t col = 0; col < width + more; ++col) places.push_back({99.3 + 1.7 * static_cast<double>(col), 199.1 + 1.2 * static_cast<double>(row)});
    again.place(kernel, kWindow, valid, places, width);
    const Taps fresh(kernel, kWindow, valid, places, width);
    ASSERT_TRUE(std::equal(fresh.valid().begin(), fresh.valid().end(), again.valid().begin(), again.valid().end()));
    std::vector<float> a(static_cast<std::size_t>(width * height)), b = a;
    fresh.apply<float>(field.pixels, 7, a);
    again.apply<float>(field.pixels, 7, b);
    ASSERT_EQ(a, b) << round;
  }
}

TEST(Taps, ANarrowerPartOfTheSourceChangesNoBit) {
  std::mt19937 random(59);
  std::vector<float> whole;
  for (int k = 0; k < 40 * 40; ++k) whole.push_back(static_cast<float>(random() % 100000) / 7);
  for (const auto kernel : {Resampling::nearest, Resampling::bilinear, Resampling::cubic, Resampling::average}) {
    for (int round = 0; round < 300; ++round) {
      const double x = 15 + 0.125 * static_cast<double>(random() % 80), y = 15 + 0.125 * static_cast<double>(random() % 80);
      const std::vector<PixelXY> places = samples_corners(kernel) ? std::vector<PixelXY>{{x, y}, {x + 2.3, y + .1}, {x - .1, y + 2.3}, {x + 2.2, y + 2.4}}
                                                                  : std::vector<PixelXY>{{x, y}};
      const double far = samples_corners(kernel) ? 2.4 : 0;
      const auto cols = touched_pixels(kernel, x - (far > 0 ? .1 : 0), x + far), rows = touched_pixels(kernel, y, y + far);
      const Window part{cols.low, rows.low, cols.high - cols.low, rows.high - rows.low};
      std::vector<float> cut;
      for (auto row = part.row; row < part.row + part.height; ++row)
        for (auto col = part.col; col < part.col + part.width; ++col) cut.push_back(whole[static_cast<std::size_t>(row * 40 + col)]);
      std::vector<float> a(1), b(1);
      const Taps from_whole(kernel, {0, 0, 40, 40}, {}, places, 1), from_part(kernel, part, {}, places, 1);
      ASSERT_TRUE(from_whole.all_valid() && from_part.all_valid());
      from_whole.apply<float>(whole, 0, a);
      from_part.apply<float>(cut, 0, b);
      ASSERT_EQ(a[0], b[0]) << static_cast<int>(kernel) << " " << x << " " << y;
    }
  }
}

}  // namespace
}  // namespace tilewright::geometry
