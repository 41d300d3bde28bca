// SPDX-License-Identifier: Apache-2.0
// Parts of masks against repeated label spreading; shifts against masks that are really moved.
#include "geometry/mask_parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "geometry/mask_shift.h"

namespace {

using namespace tilewright::geometry;

struct Drawn {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels;
  [[nodiscard]] MaskPixels view() const { return {width, height, pixels}; }
  [[nodiscard]] std::uint8_t at(int col, int row) const { return pixels[static_cast<std::size_t>(row * width + col)]; }
};

Drawn random_mask(std::mt19937& random, double density) {
  Drawn out;
  out.width = 3 + static_cast<int>(random() % 14);
  out.height = 3 + static_cast<int>(random() % 14);
  std::uniform_real_distribution<double> u;
  for (int i = 0; i < out.width * out.height; ++i) {
    const bool is_set = u(random) < density;
    out.pixels.push_back(!is_set ? 0 : u(random) < 0.1 ? 255 : static_cast<std::uint8_t>(1 + random() % 2));
  }
  return out;
}

/// Every pixel takes the least number among itself and its equal neighbours until nothing changes.
std::vector<int> spread(const Drawn& mask) {
  std::vector<int> number(mask.pixels.size());
  for (std::size_t i = 0; i < number.size(); ++i) number[i] = mask.pixels[i] == 0 || mask.pixels[i] == 255 ? -1 : static_cast<int>(i);
  for (bool changed = true; changed;) {
    changed = false;
    for (int r = 0; r < mask.height; ++r)
      for (int c = 0; c < mask.width; ++c)
        for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}}) {
          if (c + dx < 0 || r + dy < 0 || c + dx >= mask.width || r + dy >= mask.height || mask.at(c, r) != mask.at(c + dx, r + dy)) continue;
          auto& own = number[static_cast<std::size_t>(r * mask.width + c)];
          const int other = number[static_cast<std::size_t>((r + dy) * mask.width + c + dx)];
          if (other < own) own = other, changed = true;
        }
  }
  return number;
}

TEST(MaskParts, AreThoseOfRepeatedSpreading) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const auto mask = random_mask(random, 0.3 + 0.5 * (round % 2));
    const auto parts = mask_parts(mask.view());
    const auto expected = spread(mask);
    std::map<int, std::int64_t> areas;
    std::map<int, bool> cut;
    for (int r = 0; r < mask.height; ++r)
      for (int c = 0; c < mask.width; ++c) {
        const auto i = static_cast<std::size_t>(r * mask.width + c);
        ASSERT_EQ(parts.part_of[i] < 0, expected[i] < 0);
        if (expected[i] < 0) continue;
        const auto& part = parts.parts[static_cast<std::size_t>(parts.part_of[i])];
        ASSERT_EQ(part.first_row * mask.width + part.first_col, expected[i]);
        ASSERT_EQ(part.value, mask.pixels[i]);
        ++areas[expected[i]];
        auto& is_cut = cut[expected[i]];
        for (const auto& [dx, dy] : {std::pair{1, 0}, {-1, 0}, {0, 1}, {0, -1}})
          is_cut = is_cut || c + dx < 0 || r + dy < 0 || c + dx >= mask.width || r + dy >= mask.height || mask.at(c + dx, r + dy) == 255;
      }
    ASSERT_EQ(parts.parts.size(), areas.size());
    for (const auto& part : parts.parts) {
      const int name = part.first_row * mask.width + part.first_col;
      EXPECT_EQ(part.area_px, areas.at(name));
      EXPECT_EQ(part.is_cut, cut.at(name));
    }
  }
}

TEST(MaskParts, ARingIsWhatLiesNearAndIsNotThePart) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    const auto mask = random_mask(random, 0.4);
    const auto parts = mask_parts(mask.view());
    const auto pixels = pixels_of_parts(parts);
    for (const auto& part : pixels)
      for (const int reach : {1, 3}) {
        std::vector<std::int32_t> expected;
        for (int r = 0; r < mask.height; ++r)
          for (int c = 0; c < mask.width; ++c) {
            const auto i = static_cast<std::int32_t>(r * mask.width + c);
            const bool is_near = std::any_of(part.begin(), part.end(), [&](auto p) { return std::abs(p % mask.width - c) <= reach && std::abs(p / mask.width - r) <= reach; });
            if (is_near && std::find(part.begin(), part.end(), i) == part.end()) expected.push_back(i);
          }
        EXPECT_EQ(ring_around(mask.view(), part, reach), expected);
      }
  }
}

TEST(MaskShift, SoftIouIsThatOfTheMaskThatIsReallyMoved) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> u;
  for (int round = 0; round < 40; ++round) {
    const auto mask = random_mask(random, 0.4);
    std::vector<float> p;
    for (std::size_t i = 0; i < mask.pixels.size(); ++i) p.push_back(u(random));
    std::vector<std::int32_t> labelled;
    for (std::size_t i = 0; i < p.size(); ++i)
      if (mask.pixels[i] == 1) labelled.push_back(static_cast<std::int32_t>(i));
    const auto values = soft_iou_by_shift(labelled, {mask.width, mask.height, p}, 3);
    for (int dy = -3; dy <= 3; ++dy)
      for (int dx = -3; dx <= 3; ++dx) {
        double both = 0, either = 0;
        bool has_any = false;
        for (int r = 0; r < mask.height; ++r)
          for (int c = 0; c < mask.width; ++c) {
            const bool is_inside = c - dx >= 0 && r - dy >= 0 && c - dx < mask.width && r - dy < mask.height;
            const bool is_label = is_inside && mask.at(c - dx, r - dy) == 1;
            const auto value = static_cast<double>(p[static_cast<std::size_t>(r * mask.width + c)]);
            both += is_label ? value : 0;
            either += is_label ? 1 : value;
            has_any = has_any || is_label;
          }
        EXPECT_NEAR(values.at({dx, dy}), has_any ? both / either : 0, 1e-6);
      }
  }
}

/// A field that is 1 on a square, 0 elsewhere.
std::vector<float> square(int size, int col, int row, int edge) {
  std::vector<float> out(static_cast<std::size_t>(size * size), 0);
  for (int r = row; r < row + edge; ++r)
    for (int c = col; c < col + edge; ++c) out[static_cast<std::size_t>(r * size + c)] = 1;
  return out;
}

TEST(MaskShift, FindsEveryShiftOfASquareExactly) {
  const int size = 40;
  const auto truth = square(size, 15, 15, 8);
  for (int dy = -5; dy <= 5; ++dy)
    for (int dx = -5; dx <= 5; ++dx) {
      const auto moved = square(size, 15 + dx, 15 + dy, 8);
      std::vector<std::int32_t> label;
      for (std::size_t i = 0; i < moved.size(); ++i)
        if (moved[i] > 0) label.push_back(static_cast<std::int32_t>(i));
      EXPECT_EQ(soft_iou_by_shift(label, {size, size, truth}, 6).best(), (PixelShift{-dx, -dy}));
      std::vector<std::uint8_t> pixels(moved.begin(), moved.end());
      const auto ring = ring_around({size, size, pixels}, label, 2);
      EXPECT_EQ(contrast_by_shift(label, ring, {size, size, truth}, 6).best(), (PixelShift{-dx, -dy}));
    }
}

TEST(MaskShift, TiesGoToTheShortestAndFarShiftsOutOfTheWindowAreWorthNothing) {
  const std::vector<float> flat(100, 0.5F);
  EXPECT_EQ(soft_iou_by_shift(std::vector<std::int32_t>{44, 45}, {10, 10, flat}, 3).best(), (PixelShift{0, 0}));
  const auto values = contrast_by_shift(std::vector<std::int32_t>{0, 1}, {}, {10, 10, flat}, 3);
  EXPECT_EQ(values.at({-2, 0}), -1);
  EXPECT_DOUBLE_EQ(values.at({-1, 0}), 0.5);
}

TEST(MaskShift, AnObjectWithoutEvidenceMovesWithItsNeighbours) {
  std::vector<ShiftValues> objects(5, ShiftValues(4));
  std::vector<MaskPart> places(5);
  for (int n = 0; n < 5; ++n) {
    places[static_cast<std::size_t>(n)].centre_col = 10 * n;
    if (n != 2) objects[static_cast<std::size_t>(n)].at({3, -1}) = 1;
  }
  const auto shifts = smooth_shifts(objects, places, {0, 0}, 0.02);
  for (const auto& shift : shifts) EXPECT_EQ(shift, (PixelShift{3, -1}));
  const auto free = smooth_shifts(objects, places, {0, 0}, 0);
  EXPECT_EQ(free[2], (PixelShift{0, 0}));
}

TEST(MaskShift, MovedPartsLieWhereTheirPixelsWentAndIgnoredOnesStay) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; ++round) {
    const auto mask = random_mask(random, 0.35);
    const auto parts = mask_parts(mask.view());
    std::vector<PixelShift> shifts;
    for (std::size_t n = 0; n < parts.parts.size(); ++n) shifts.push_back({static_cast<int>(random() % 5) - 2, static_cast<int>(random() % 5) - 2});
    const auto moved = moved_parts(mask.view(), parts, shifts);
    for (int r = 0; r < mask.height; ++r)
      for (int c = 0; c < mask.width; ++c) {
        std::uint8_t expected = mask.at(c, r) == 255 ? 255 : 0;
        for (int q = 0; q < mask.height && expected != 255; ++q)
          for (int p = 0; p < mask.width; ++p) {
            const auto part = parts.part_of[static_cast<std::size_t>(q * mask.width + p)];
            if (part < 0) continue;
            const auto& d = shifts[static_cast<std::size_t>(part)];
            if (p + d.dx == c && q + d.dy == r) expected = std::max(expected, std::uint8_t{1});
          }
        const auto found = moved[static_cast<std::size_t>(r * mask.width + c)];
        EXPECT_EQ(found == 0, expected == 0);
        EXPECT_EQ(found == 255, expected == 255);
      }
  }
}

}  // namespace
