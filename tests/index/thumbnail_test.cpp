// SPDX-License-Identifier: Apache-2.0
// Near-equal images: all pairs, and what compression and other places do.
#include "index/thumbnail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "index/split_audit.h"

namespace tilewright::index {
namespace {

std::vector<float> picture(std::uint32_t seed, int width = 40, int height = 33) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> u(0, 100);
  const float a = u(random), b = u(random), c = u(random), d = u(random);
  std::vector<float> out;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) out.push_back(a + 20 * std::sin(b + 0.2F * static_cast<float>(x)) + 15 * std::cos(c + 0.3F * static_cast<float>(y)) + 0.1F * d);
  return out;
}

TEST(Thumbnail, IsTheMeanOfEachCell) {
  const auto band = picture(1);
  const auto made = thumbnail(band, 40, 33);
  ASSERT_TRUE(made);
  for (int r = 0; r < 16; ++r)
    for (int c = 0; c < 16; ++c) {
      double sum = 0;
      int count = 0;
      for (int y = 0; y < 33; ++y)
        for (int x = 0; x < 40; ++x)
          if (y >= r * 33 / 16 && y < (r + 1) * 33 / 16 && x >= c * 40 / 16 && x < (c + 1) * 40 / 16) sum += static_cast<double>(band[static_cast<std::size_t>(y * 40 + x)]), ++count;
      EXPECT_NEAR(made->cells[static_cast<std::size_t>(16 * r + c)], sum / count, 1e-4);
    }
}

TEST(Thumbnail, RoundingAndNoiseOfCompressionAreNearEqualAnotherPlaceIsNot) {
  const auto band = picture(2);
  std::mt19937 random(3);
  std::normal_distribution<float> noise(0, 1);
  auto rounded = band, lossy = band;
  for (auto& v : rounded) v = std::round(v);
  for (auto& v : lossy) v += noise(random);
  const auto a = *thumbnail(band, 40, 33);
  EXPECT_TRUE(is_near_equal(a, a));
  EXPECT_TRUE(is_near_equal(a, *thumbnail(rounded, 40, 33)));
  auto brighter = band;
  for (auto& v : brighter) v += 5;
  EXPECT_FALSE(is_near_equal(a, *thumbnail(brighter, 40, 33)));
  for (std::uint32_t seed = 10; seed < 40; ++seed) EXPECT_FALSE(is_near_equal(a, *thumbnail(picture(seed), 40, 33)));
}

TEST(Thumbnail, FlatSmallOrUnknownImagesSayNothing) {
  EXPECT_FALSE(thumbnail(std::vector<float>(40 * 40, 7), 40, 40));
  EXPECT_FALSE(thumbnail(picture(1, 15, 40), 15, 40));
  auto broken = picture(1);
  broken[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(thumbnail(broken, 40, 33));
}

TEST(Thumbnail, TheIndexFindsWhatAllPairsFind) {
  std::mt19937 random(5);
  std::normal_distribution<float> u;
  int found = 0;
  for (int world = 0; world < 50; ++world) {
    std::vector<Thumbnail> all;
    for (int n = 0; n < 40; ++n) {
      auto band = picture(static_cast<std::uint32_t>(random() % 12));
      const float change = 0.05F * static_cast<float>(random() % 12);
      for (auto& v : band) v += change * u(random) + change;
      all.push_back(*thumbnail(band, 40, 33));
    }
    const std::vector<Thumbnail> train(all.begin(), all.begin() + 20);
    const ThumbnailIndex index(train);
    for (std::size_t n = 20; n < all.size(); ++n) {
      const bool wanted = std::any_of(train.begin(), train.end(), [&](const auto& one) { return is_near_equal(all[n], one); });
      EXPECT_EQ(index.has_near_equal(all[n]), wanted);
      found += wanted;
    }
  }
  EXPECT_GT(found, 50);
  EXPECT_LT(found, 950);
}

TEST(SplitAudit, NearEqualPixelsLeakAndSharedObjectsAreOnlyTold) {
  std::vector<AuditedSample> samples(4);
  const char* parts[] = {"train", "test", "test", "test"};
  for (std::size_t n = 0; n < 4; ++n) samples[n].part = parts[n];
  samples[0].thumbnails = {*thumbnail(picture(1), 40, 33)};
  auto copy = picture(1);
  for (auto& v : copy) v += 0.1F;
  samples[1].thumbnails = {*thumbnail(picture(2), 40, 33), *thumbnail(copy, 40, 33)};
  samples[0].objects = {"roads/7", "roads/9"};
  samples[2].objects = {"roads/9"};
  samples[3].objects = {"roads/8"};
  const auto audit = audit_samples(samples);
  EXPECT_TRUE(audit.knows_thumbnails);
  EXPECT_TRUE(audit.knows_objects);
  ASSERT_EQ(audit.parts.size(), 1U);
  EXPECT_EQ(audit.parts[0].near_content, 1);
  EXPECT_EQ(audit.parts[0].object, 1);
  EXPECT_EQ(audit.parts[0].any, 1);
  EXPECT_TRUE(audit.of[1].near_content);
  EXPECT_TRUE(audit.of[2].object);
  EXPECT_FALSE(audit.of[3].object);
}

}  // namespace
}  // namespace tilewright::index
