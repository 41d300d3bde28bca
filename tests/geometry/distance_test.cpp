// SPDX-License-Identifier: Apache-2.0
// Distances between pixels against all pairs; cuts of larger windows against the mosaic.
#include "geometry/distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace tilewright::geometry {
namespace {

struct Image {
  std::int64_t width, height;
  std::vector<std::uint32_t> ids;
  [[nodiscard]] IdImage view() const { return {width, height, ids}; }
  [[nodiscard]] std::uint32_t at(std::int64_t col, std::int64_t row) const { return ids[static_cast<std::size_t>(row * width + col)]; }
};

/// Random rectangles of random ids.
Image random_image(std::mt19937& random, std::int64_t width, std::int64_t height) {
  Image image{width, height, std::vector<std::uint32_t>(static_cast<std::size_t>(width * height), 0)};
  for (int k = 0; k < 6; ++k) {
    const auto id = 1 + random() % 5;
    const auto col = static_cast<std::int64_t>(random() % static_cast<unsigned>(width)), row = static_cast<std::int64_t>(random() % static_cast<unsigned>(height));
    for (auto r = row; r < std::min<std::int64_t>(height, row + 1 + static_cast<std::int64_t>(random() % 7)); ++r)
      for (auto c = col; c < std::min<std::int64_t>(width, col + 1 + static_cast<std::int64_t>(random() % 7)); ++c)
        image.ids[static_cast<std::size_t>(r * width + c)] = static_cast<std::uint32_t>(id);
  }
  return image;
}

TEST(SignedDistance, EqualsTheNearestOfAllPixels) {
  std::mt19937 random(21);
  for (int k = 0; k < 80; ++k) {
    const auto image = random_image(random, 5 + random() % 30, 5 + random() % 30);
    const PixelSize pixel{0.5 + random() % 4 / 4.0, 0.5 + random() % 4 / 4.0};
    const double most = 1 + random() % 8;
    const auto distances = signed_distance_m(image.view(), pixel, most);
    for (std::int64_t row = 0; row < image.height; ++row)
      for (std::int64_t col = 0; col < image.width; ++col) {
        const bool inside = image.at(col, row) != 0;
        double best = most;
        for (std::int64_t r = 0; r < image.height; ++r)
          for (std::int64_t c = 0; c < image.width; ++c)
            if ((image.at(c, r) != 0) != inside)
              best = std::min(best, std::hypot(static_cast<double>(c - col) * pixel.east_m, static_cast<double>(r - row) * pixel.north_m));
        ASSERT_NEAR(static_cast<double>(distances[static_cast<std::size_t>(row * image.width + col)]), inside ? best : -best, 1e-5) << k;
      }
  }
}

TEST(BoundaryBand, AndContactEqualTheirDefinition) {
  std::mt19937 random(22);
  for (int k = 0; k < 80; ++k) {
    const auto image = random_image(random, 4 + random() % 25, 4 + random() % 25);
    const int reach = 1 + static_cast<int>(random() % 3);
    const auto band = boundary_band(image.view(), reach), touch = contact(image.view(), reach);
    for (std::int64_t row = 0; row < image.height; ++row)
      for (std::int64_t col = 0; col < image.width; ++col) {
        bool other = false;
        std::uint32_t first = 0;
        bool several = false;
        for (std::int64_t r = std::max<std::int64_t>(0, row - reach); r <= std::min(image.height - 1, row + reach); ++r)
          for (std::int64_t c = std::max<std::int64_t>(0, col - reach); c <= std::min(image.width - 1, col + reach); ++c) {
            const auto id = image.at(c, r);
            other |= id != image.at(col, row);
            several |= id != 0 && first != 0 && id != first;
            if (id != 0) first = id;
          }
        const auto n = static_cast<std::size_t>(row * image.width + col);
        ASSERT_EQ(band[n] != 0, image.at(col, row) != 0 && other);
        ASSERT_EQ(touch[n] != 0, image.at(col, row) == 0 && several);
      }
  }
}

TEST(SignedDistance, CutFromALargerWindowEqualsTheMosaic) {
  std::mt19937 random(23);
  const auto mosaic = random_image(random, 60, 60);
  const double most = 4;
  const int reach = 8;
  const PixelSize pixel{0.5, 0.75};
  const auto whole = signed_distance_m(mosaic.view(), pixel, most);
  for (std::int64_t top = reach; top + 10 + reach <= 60; top += 7)
    for (std::int64_t left = reach; left + 10 + reach <= 60; left += 5) {
      Image window{10 + 2 * reach, 10 + 2 * reach, {}};
      for (std::int64_t r = 0; r < window.height; ++r)
        for (std::int64_t c = 0; c < window.width; ++c) window.ids.push_back(mosaic.at(left - reach + c, top - reach + r));
      const auto part = signed_distance_m(window.view(), pixel, most);
      for (std::int64_t r = 0; r < 10; ++r)
        for (std::int64_t c = 0; c < 10; ++c)
          ASSERT_EQ(part[static_cast<std::size_t>((r + reach) * window.width + c + reach)], whole[static_cast<std::size_t>((top + r) * 60 + left + c)]);
    }
}

/// Every way to fill a few unknown pixels: what differs between them is unknown, the rest is not.
TEST(UnknownPixels, LeaveUnknownExactlyWhatTheyCouldChange) {
  std::mt19937 random(24);
  for (int k = 0; k < 60; ++k) {
    auto image = random_image(random, 12, 12);
    std::vector<std::size_t> holes;
    for (int n = 0; n < 3; ++n) holes.push_back(random() % image.ids.size());
    for (const auto hole : holes) image.ids[hole] = kUnknownObject;
    const auto band = boundary_band(image.view(), 1), touch = contact(image.view(), 2);
    const auto distance = signed_distance_m(image.view(), {1, 1}, 5);
    std::vector<Image> worlds;
    const std::uint32_t fillings[] = {0, 1, 2, 3, 4, 5, 77};
    for (const auto a : fillings)
      for (const auto b : fillings)
        for (const auto c : fillings) {
          worlds.push_back(image);
          worlds.back().ids[holes[0]] = a;
          if (holes[1] != holes[0]) worlds.back().ids[holes[1]] = b;
          if (holes[2] != holes[0] && holes[2] != holes[1]) worlds.back().ids[holes[2]] = c;
        }
    std::vector<std::vector<std::uint8_t>> bands, touches;
    std::vector<std::vector<float>> distances;
    for (const auto& world : worlds) {
      bands.push_back(boundary_band(world.view(), 1));
      touches.push_back(contact(world.view(), 2));
      distances.push_back(signed_distance_m(world.view(), {1, 1}, 5));
    }
    for (std::size_t n = 0; n < image.ids.size(); ++n) {
      const auto differs = [&](const auto& all) { return std::ranges::any_of(all, [&](const auto& one) { return one[n] != all[0][n]; }); };
      const bool is_hole = image.ids[n] == kUnknownObject;
      ASSERT_EQ(std::isnan(distance[n]), is_hole || differs(distances)) << k;
      if (!std::isnan(distance[n])) {
        ASSERT_EQ(distance[n], distances[0][n]);
      }
      ASSERT_EQ(band[n], is_hole || differs(bands) ? kUnknownPixel : bands[0][n]) << k;
      ASSERT_EQ(touch[n], is_hole || differs(touches) ? kUnknownPixel : touches[0][n]) << k;
    }
  }
}

}  // namespace
}  // namespace tilewright::geometry
