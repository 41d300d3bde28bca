// SPDX-License-Identifier: Apache-2.0
// Channels of heights: invariances, brute force, and windows that abut.
#include "geometry/terrain.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace tilewright::geometry {
namespace {

HeightField field_of(std::int64_t width, std::int64_t height, const auto& z) {
  HeightField field{width, height, {}, {}};
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t col = 0; col < width; ++col) {
      field.z.push_back(z(col, row));
      field.valid.push_back(1);
    }
  return field;
}
HeightField noise(std::int64_t width, std::int64_t height) {
  std::mt19937 random(3);
  return field_of(width, height, [&](std::int64_t col, std::int64_t row) { return 100 + 0.01 * static_cast<double>(random() % 1000) + 0.1 * static_cast<double>(col - row); });
}
HeightField cut(const HeightField& from, const Window& w) {
  HeightField out{w.width, w.height, {}, {}};
  for (std::int64_t row = w.row; row < w.row + w.height; ++row)
    for (std::int64_t col = w.col; col < w.col + w.width; ++col) {
      out.z.push_back(from.z[static_cast<std::size_t>(row * from.width + col)]);
      out.valid.push_back(from.valid[static_cast<std::size_t>(row * from.width + col)]);
    }
  return out;
}

std::vector<std::vector<float>> local(const HeightField& field, const Window& inner) {
  return {relief(field, inner, 2), relief(field, inner, 8), slope_deg(field, inner, 0.5), hillshade(field, inner, 0.5)};
}

TEST(Terrain, AbuttingWindowsEqualTheCutOfOneLargeWindowBitForBit) {
  HeightField whole = noise(160, 120);
  for (std::size_t k = 0; k < whole.valid.size(); k += 97)
    if (k % 160 < 40 || k % 160 > 110 || k / 160 < 30 || k / 160 > 90) whole.valid[k] = 0, whole.z[k] = -1e30;  // outside the windows
  const Window large{40, 30, 64, 48};
  const auto expected = local(whole, large);
  for (const Window& part : {Window{40, 30, 32, 48}, Window{72, 30, 32, 24}, Window{72, 54, 32, 24}}) {
    const Window around{part.col - 24, part.row - 24, part.width + 48, part.height + 48};
    const auto found = local(cut(whole, around), {24, 24, part.width, part.height});
    for (std::size_t c = 0; c < expected.size(); ++c)
      for (std::int64_t row = 0; row < part.height; ++row)
        for (std::int64_t col = 0; col < part.width; ++col)
          ASSERT_EQ(found[c][static_cast<std::size_t>(row * part.width + col)],
                    expected[c][static_cast<std::size_t>((part.row - large.row + row) * large.width + part.col - large.col + col)])
              << c << " " << col << " " << row;
  }
}

TEST(Terrain, ReliefIsTheBruteForceGaussianAndIgnoresWhatIsUnknown) {
  HeightField field = noise(40, 40);
  for (std::size_t k = 0; k < field.valid.size(); k += 11) field.valid[k] = 0, field.z[k] = 1e9;
  const Window inner{17, 19, 1, 1};
  field.valid[19 * 40 + 17] = 1, field.z[19 * 40 + 17] = 104;
  double sum = 0, weights = 0;
  for (int row = 0; row < 40; ++row)
    for (int col = 0; col < 40; ++col) {
      const int dx = col - 17, dy = row - 19;
      if (std::abs(dx) > 6 || std::abs(dy) > 6 || !field.valid[static_cast<std::size_t>(row * 40 + col)]) continue;
      const double weight = std::exp(-0.5 * (dx * dx + dy * dy) / 4.0);
      sum += weight * field.z[static_cast<std::size_t>(row * 40 + col)], weights += weight;
    }
  EXPECT_NEAR(relief(field, inner, 2)[0], 104 - sum / weights, 1e-5);
}

TEST(Terrain, AConstantHeightChangesNothingAndScalingScalesRelief) {
  const HeightField field = noise(90, 90);
  HeightField higher = field, tenfold = field;
  for (auto& z : higher.z) z += 250;
  for (auto& z : tenfold.z) z *= 10;
  const Window inner{26, 26, 30, 30};
  const auto a = local(field, inner), b = local(higher, inner);
  for (std::size_t c = 0; c < a.size(); ++c)
    for (std::size_t k = 0; k < a[c].size(); ++k) ASSERT_NEAR(a[c][k], b[c][k], 2e-5);
  const auto scaled = relief(tenfold, inner, 2);
  for (std::size_t k = 0; k < scaled.size(); ++k) ASSERT_NEAR(scaled[k], 10 * a[0][k], 1e-3);
  EXPECT_EQ(stretched(field, inner, 0, 100), stretched(field, inner, 0, 100));
  const auto x = stretched(field, inner, 1, 99), y = stretched(higher, inner, 1, 99);
  for (std::size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], y[k], 1e-5);
}

TEST(Terrain, APlaneHasItsSlopeAndNoRelief) {
  const auto plane = field_of(60, 60, [](std::int64_t col, std::int64_t row) { return 3.0 * static_cast<double>(col) - 4.0 * static_cast<double>(row); });
  const Window inner{25, 25, 10, 10};
  for (const float s : slope_deg(plane, inner, 10)) ASSERT_NEAR(s, std::atan(0.5) * 180 / 3.14159265358979, 1e-4);
  for (const float r : relief(plane, inner, 8)) ASSERT_NEAR(r, 0, 1e-4);
  const auto level = field_of(10, 10, [](std::int64_t, std::int64_t) { return 7.0; });
  EXPECT_NEAR(hillshade(level, {3, 3, 1, 1}, 1)[0], std::sqrt(0.5), 1e-6);
  EXPECT_EQ(stretched(level, {3, 3, 2, 1}, 0, 100), (std::vector<float>{0, 0}));
}

TEST(Terrain, StretchTakesLeastAndMostOfTheWindowOnly) {
  auto field = field_of(5, 1, [](std::int64_t col, std::int64_t) { return static_cast<double>(col); });
  field.z[0] = -1000, field.valid[0] = 0;
  EXPECT_EQ(stretched(field, {1, 0, 4, 1}, 0, 100), (std::vector<float>{0, 1.F / 3, 2.F / 3, 1}));
}

}  // namespace
}  // namespace tilewright::geometry
