// SPDX-License-Identifier: Apache-2.0
// Lattice, affine and location ids.
#include "geometry/grid.h"

#include <gtest/gtest.h>

#include <random>

namespace tilewright::geometry {
namespace {

TEST(Affine, InverseUndoesTheTransform) {
  const Affine rotated{3, 1, 500000, 0.5, -2, 4600000};
  const auto back = inverse(rotated);
  ASSERT_TRUE(back);
  const MapXY p = rotated.map_from_pixel({17.25, 40.5});
  const PixelXY q = pixel_from_map(*back, p);
  EXPECT_NEAR(q.col, 17.25, 1e-6);
  EXPECT_NEAR(q.row, 40.5, 1e-6);
}

TEST(Affine, SingularOrInfiniteHasNoInverse) {
  EXPECT_FALSE(inverse({1, 2, 0, 2, 4, 0}));
  EXPECT_FALSE(inverse({1e200, 0, 0, 0, 1e200, 0}));
}

TEST(Window, IntersectionIsSymmetricAndEmptyWhereApart) {
  const Window a{0, 0, 10, 10}, b{5, -3, 10, 8};
  EXPECT_EQ(intersection(a, b), (Window{5, 0, 5, 5}));
  EXPECT_EQ(intersection(a, b), intersection(b, a));
  EXPECT_TRUE(intersection(a, Window{10, 0, 4, 4}).empty());
}

TEST(Lattice, WindowsShareOneFrame) {
  const Lattice lattice{32633, 10, {3, 7}};
  const LatticeWindow window{-5, 12, 64};
  EXPECT_EQ(upper_left(lattice, window), (MapXY{-47, 127}));
  const Window pixels = lattice_pixels(window);
  EXPECT_EQ(lattice_affine(lattice).map_from_pixel({static_cast<double>(pixels.col),
                                                    static_cast<double>(pixels.row)}),
            upper_left(lattice, window));
  EXPECT_EQ(window_affine(lattice, window).map_from_pixel({1, 1}), (MapXY{-37, 117}));
}

TEST(LocationId, SaysZoneResolutionSizeAndPlace) {
  EXPECT_EQ(location_id({32615, 0.6, {0, 0}}, {-12, 34, 128}), "e32615_r600000_s128_xm12_y34");
}

TEST(LocationId, ParsesBackToItself) {
  std::mt19937_64 random(1);
  for (int k = 0; k < 1000; ++k) {
    const auto any = [&] { return static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000; };
    const Lattice lattice{32600 + static_cast<int>(random() % 60), 0.25 * (1 + random() % 100), {}};
    const LatticeWindow window{any(), any(), 1 + static_cast<int>(random() % 512)};
    const auto key = parse_location_id(location_id(lattice, window));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->epsg, lattice.epsg);
    EXPECT_EQ(key->window, window);
    EXPECT_EQ(static_cast<double>(key->resolution_um), lattice.resolution_m * 1e6);
  }
}

TEST(LocationId, RefusesOtherForms) {
  for (const char* text : {"", "w_0123456789ab", "e1_r1_s1_x1", "e1_r1_s1_x1_y", "e1_r1_s1_xm0_y1",
                           "e1_r1_s1_x-1_y1", "e1_r1_s1_x01_y1", "e1_r1_s1_x1_y1 ", "E1_r1_s1_x1_y1",
                           "e99999999999_r1_s1_x1_y1", "e1_r1_s1_x99999999999999999999_y1"})
    EXPECT_FALSE(parse_location_id(text)) << text;
}

}  // namespace
}  // namespace tilewright::geometry
