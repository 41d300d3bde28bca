// SPDX-License-Identifier: Apache-2.0
// Geometry blobs come back as they went in, and broken ones are refused.
#include "index/geopackage_blob.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "geometry/error.h"

namespace tilewright::index {
namespace {

using geometry::GeoMultiPolygon;

const GeoMultiPolygon kTwoParts = {
    {{{7, 50}, {9, 50}, {9, 52}, {7, 52}, {7, 50}}, {{{7.5, 50.5}, {7.5, 51}, {8, 51}, {7.5, 50.5}}}},
    {{{-3, -1}, {-2, -1}, {-2, 0}, {-3, -1}}, {}}};

TEST(GeopackageBlob, ComesBackAsItWentIn) { EXPECT_EQ(polygons_of_blob(geopackage_blob(kTwoParts)), kTwoParts); }

TEST(GeopackageBlob, BeginsWithTheHeaderOfTheStandard) {
  const auto blob = geopackage_blob(kTwoParts);
  const std::vector<std::byte> start(blob.begin(), blob.begin() + 8);
  const std::vector<std::byte> expected = {std::byte{'G'}, std::byte{'P'}, std::byte{0}, std::byte{3},
                                           std::byte{0xE6}, std::byte{0x10}, std::byte{0}, std::byte{0}};
  EXPECT_EQ(start, expected);
  EXPECT_EQ(box_of_blob(blob), (geometry::Box{-3, -1, 9, 52}));
}

TEST(GeopackageBlob, EmptyGeometryHasNoBox) {
  const auto blob = geopackage_blob({});
  EXPECT_EQ(std::to_integer<int>(blob[3]) & 0x1e, 0x10) << "empty flag set, no envelope";
  EXPECT_FALSE(box_of_blob(blob));
  EXPECT_TRUE(polygons_of_blob(blob).empty());
}

TEST(GeopackageBlob, EveryTruncationIsRefused) {
  const auto blob = geopackage_blob(kTwoParts);
  for (std::size_t size = 0; size < blob.size(); ++size)
    EXPECT_THROW(polygons_of_blob({blob.data(), size}), Error) << size << " of " << blob.size() << " bytes";
}

TEST(GeopackageBlob, DamagedBytesNeverCrash) {
  std::mt19937 random(7);
  const auto good = geopackage_blob(kTwoParts);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    auto blob = good;
    for (int n = 0; n < 3; ++n) blob[random() % blob.size()] = static_cast<std::byte>(random());
    (void)box_of_blob(blob);
    try {
      (void)polygons_of_blob(blob);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(GeopackageBlob, BigEndianPolygonOfAnotherWriterIsRead) {
  std::vector<std::byte> blob;
  const auto put = [&](std::initializer_list<int> bytes) {
    for (const int byte : bytes) blob.push_back(static_cast<std::byte>(byte));
  };
  const auto put_double = [&](double value) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, 8);
    for (int shift = 56; shift >= 0; shift -= 8) blob.push_back(static_cast<std::byte>(bits >> shift));
  };
  put({'G', 'P', 0, 0, 0, 0, 0x10, 0xE6});          // big-endian, no envelope
  put({0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 4});     // polygon, one ring, four points
  for (const double value : {1.0, 2.0, 3.0, 2.0, 3.0, 4.0, 1.0, 2.0}) put_double(value);
  EXPECT_EQ(polygons_of_blob(blob), (GeoMultiPolygon{{{{1, 2}, {3, 2}, {3, 4}, {1, 2}}, {}}}));
  EXPECT_EQ(box_of_blob(blob), (geometry::Box{1, 2, 3, 4}));
}

}  // namespace
}  // namespace tilewright::index
