// SPDX-License-Identifier: Apache-2.0
// Footprint areas and overlaps against the general overlay with PROJ's geodesic areas, and masks.
#include "geometry/footprint_overlap.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numbers>
#include <random>

#include "geometry/bitmask.h"
#include "geometry/crs.h"

namespace tilewright::geometry {
namespace {

constexpr double kEarthM2 = 510065621724088.5;

GeoPolygon closed(std::vector<LonLat> ring) {
  ring.push_back(ring.front());
  return {std::move(ring), {}};
}
GeoMultiPolygon rectangle(double west, double south, double east, double north) {
  return {closed({{west, south}, {east, south}, {east, north}, {west, north}})};
}

/// Star-shaped around a place; `size` in degrees of latitude.
GeoPolygon star(std::mt19937_64& random, LonLat centre, double size, int corners) {
  std::uniform_real_distribution<double> share(0.3, 1);
  std::vector<LonLat> ring;
  for (int k = 0; k < corners; ++k) {
    const double angle = 2 * std::numbers::pi * k / corners, r = size * share(random);
    ring.push_back({centre.lon_deg + r * std::cos(angle) / std::cos(centre.lat_deg * std::numbers::pi / 180), centre.lat_deg + r * std::sin(angle)});
  }
  return closed(std::move(ring));
}

/// Areas equal to 1e-9 of the smaller footprint, or to what PROJ's own rounding allows (a square
/// centimetre an edge near the equator).
void expect_like_proj(const GeoMultiPolygon& a, const GeoMultiPolygon& b, double rounding_m2 = 0) {
  const PreparedFootprint pa(a), pb(b);
  const double area_a = geodesic_area_m2(a), area_b = geodesic_area_m2(b), smaller = std::min(area_a, area_b);
  const double expected = geodesic_area_m2(intersection(a, b));
  ASSERT_NEAR(pa.area(), area_a, 1e-9 * area_a + rounding_m2);
  ASSERT_NEAR(pb.area(), area_b, 1e-9 * area_b + rounding_m2);
  ASSERT_NEAR(overlap_area(pa, pb), expected, 1e-9 * smaller + rounding_m2);
  ASSERT_NEAR(overlap_area(pb, pa), expected, 1e-9 * smaller + rounding_m2);
}

TEST(FootprintOverlap, EqualsOverlayAndProjForEverySizeAndLatitude) {
  std::mt19937_64 random(1);
  for (const double size : {1e-3, 0.02, 0.2, 2.0}) {
    for (const double lat : {0.0, -30.0, 45.0, 60.0, 80.0, -87.9}) {
      if (std::abs(lat) + 1.5 * size > 90) continue;
      std::uniform_real_distribution<double> move(-size, size);
      for (int k = 0; k < 40; ++k) {
        const GeoMultiPolygon a{star(random, {20, lat}, size, 3 + k % 20)};
        const GeoMultiPolygon b{star(random, {20 + move(random), lat + move(random) / 2}, size, 4 + k % 13)};
        ASSERT_NO_FATAL_FAILURE(expect_like_proj(a, b, 1e-4)) << size << " degrees at " << lat << ", draw " << k;
      }
    }
  }
}

TEST(FootprintOverlap, OfOnePixelKeepsItsDigits) {
  for (const double lat : {0.0, 12.3, 45.0, -71.2}) {
    for (const double pixel : {1e-4, 1e-5, 2e-6}) {  // 10 m, 1 m, 0.2 m
      const double radians = std::numbers::pi / 180, s = std::sin((lat + pixel / 2) * radians), e2 = 0.0066943799901413165;
      const double w = 1 - e2 * s * s, square_m = 6378137.0 * 6378137.0 * (1 - e2) / (w * w) * std::cos((lat + pixel / 2) * radians) * radians * radians;
      // In steps of 2^-50 degrees, so that the pixels are what they are said to be.
      const double p = std::ldexp(std::round(std::ldexp(pixel, 44)), -44), x = 7, y = lat == 0 ? 0 : std::ldexp(std::round(std::ldexp(lat, 40)), -40);
      const PreparedFootprint a(rectangle(x, y, x + p, y + p)), b(rectangle(x + p / 2, y + p / 2, x + 2 * p, y + 2 * p)), beside(rectangle(x + p, y, x + 2 * p, y + p));
      EXPECT_NEAR(a.area() / (square_m * p * p), 1, 1e-8) << lat << " " << pixel;
      const double towards_pole = std::cos((y + p * 0.75) * radians) / std::cos((y + p * 0.5) * radians);
      EXPECT_NEAR(overlap_area(a, b) / a.area(), 0.25 * towards_pole, 1e-8);
      EXPECT_LT(overlap_area(a, beside), 1e-10 * a.area());
    }
  }
}

TEST(FootprintOverlap, FollowsAntimeridianPolesAndTheWholeGlobe) {
  const auto in_degrees = [](int epsg, double x, double y, double width, double height) {
    const MapMultiPolygon map{MapPolygon{{{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}, {x, y}}, {}}};
    return geographic(map, Crs::from_epsg(epsg)).value();
  };
  std::vector<GeoMultiPolygon> shapes = {
      in_degrees(32601, 200'000, 5'000'000, 400'000, 300'000),        // across 180, north
      in_degrees(32660, 600'000, 5'100'000, 300'000, 300'000),        // across 180 from the other zone
      in_degrees(3413, -500'000, -400'000, 900'000, 1'000'000),       // around the north pole
      in_degrees(3413, -100'000, 100, 900'000, 1'000'000),            // beside it
      in_degrees(3031, -500'000, -400'000, 900'000, 1'000'000),       // around the south pole
      in_degrees(3031, 0, 0, 700'000, 700'000),                       // with a corner on it
      in_degrees(4326, -180, -90, 360, 180),                          // everything
      in_degrees(4326, -180, 0, 360, 90),                             // a hemisphere
      in_degrees(4326, 170, -10, 20, 70),                             // degrees beyond 180
      in_degrees(4326, -180, 80, 360, 10),                            // a cap
  };
  for (std::size_t a = 0; a < shapes.size(); ++a)
    for (std::size_t b = a; b < shapes.size(); ++b) ASSERT_NO_FATAL_FAILURE(expect_like_proj(shapes[a], shapes[b], 2.0)) << a << " and " << b;
  EXPECT_NEAR(PreparedFootprint(shapes[6]).area(), kEarthM2, 1e-9 * kEarthM2);
  EXPECT_NEAR(PreparedFootprint(shapes[7]).area(), kEarthM2 / 2, 1e-9 * kEarthM2);
  EXPECT_NEAR(overlap_area(PreparedFootprint(shapes[0]), PreparedFootprint(shapes[6])), geodesic_area_m2(shapes[0]), 1e-9 * geodesic_area_m2(shapes[0]));
}

/// Outlines on one lattice: shared corners and edges everywhere, holes, parts that touch.
TEST(FootprintOverlap, OfOutlinesOnOneLatticeIsTheCountOfCommonPixels) {
  std::mt19937 random(11);
  const auto outline_of = [](const Bitmask& mask) {
    GeoMultiPolygon result;
    const auto ring = [](const std::vector<PixelXY>& pixels) {
      std::vector<LonLat> points;
      for (const auto& p : pixels) points.push_back({p.col, -p.row});
      return points;
    };
    for (const auto& polygon : outline(mask)) {
      auto& p = result.emplace_back(GeoPolygon{ring(polygon.outer), {}});
      for (const auto& hole : polygon.holes) p.holes.push_back(ring(hole));
    }
    return result;
  };
  for (int k = 0; k < 400; ++k) {
    Bitmask a(20, 20), b(20, 20);
    std::bernoulli_distribution set_a(0.1 + 0.002 * k), set_b(0.95 - 0.002 * k);
    for (int row = 0; row < 20; ++row) {
      for (int col = 0; col < 20; ++col) {
        a.set(col, row, set_a(random));
        b.set(col, row, set_b(random));
      }
    }
    const PreparedFootprint pa(outline_of(a), Measure::plane_deg2), pb(outline_of(b), Measure::plane_deg2);
    ASSERT_NEAR(pa.area(), static_cast<double>(a.count()), 1e-9);
    ASSERT_NEAR(overlap_area(pa, pb), static_cast<double>((a & b).count()), 1e-9) << k;
    ASSERT_NEAR(overlap_area(pa, pa), static_cast<double>(a.count()), 1e-9) << k;
  }
}

TEST(FootprintOverlap, AlmostEqualAndTouchingOutlinesCross) {
  const GeoMultiPolygon a = rectangle(10, 45, 10.2, 45.2);
  EXPECT_LT(overlap_area(PreparedFootprint(a), PreparedFootprint(rectangle(10.2, 45, 10.4, 45.2))), 1e-3);
  EXPECT_LT(overlap_area(PreparedFootprint(a), PreparedFootprint(rectangle(10.2, 45.2, 10.4, 45.4))), 1e-3);
  std::mt19937_64 random(3);
  for (int k = 0; k < 300; ++k) {
    const double step = std::ldexp(1.0, -20 - k % 30);
    std::uniform_int_distribution<int> shift(-1, 1);
    GeoMultiPolygon b = a;
    for (std::size_t n = 0; n < 4; ++n) b[0].outer[n] = {b[0].outer[n].lon_deg + step * shift(random), b[0].outer[n].lat_deg + step * shift(random)};
    b[0].outer[4] = b[0].outer[0];
    ASSERT_NO_FATAL_FAILURE(expect_like_proj(a, b)) << k;
  }
}

TEST(FootprintOverlap, ReversedAndRepeatedCornersChangeNothing) {
  GeoMultiPolygon a = rectangle(10, 45, 10.2, 45.2);
  a[0].holes.push_back(rectangle(10.05, 45.05, 10.1, 45.1)[0].outer);
  GeoMultiPolygon turned = a;
  std::reverse(turned[0].outer.begin(), turned[0].outer.end());
  turned[0].outer.insert(turned[0].outer.begin() + 2, turned[0].outer[2]);
  const PreparedFootprint b(rectangle(10.07, 44.9, 10.5, 45.3));
  EXPECT_DOUBLE_EQ(PreparedFootprint(turned).area(), PreparedFootprint(a).area());
  EXPECT_NEAR(overlap_area(PreparedFootprint(turned), b), overlap_area(PreparedFootprint(a), b), 1e-3);
  EXPECT_EQ(overlap_area(PreparedFootprint({}), b), 0);
}

TEST(FootprintOverlap, OfLargeOutlinesIsNearLinear) {
  const auto wavy = [](double lon, int corners) {
    std::vector<LonLat> ring;
    for (int k = 0; k < corners; ++k) {
      const double angle = 2 * std::numbers::pi * k / corners, r = 0.2 + 0.001 * std::sin(3000 * angle);
      ring.push_back({lon + r * std::cos(angle), 45 + r * std::sin(angle)});
    }
    return GeoMultiPolygon{closed(std::move(ring))};
  };
  const auto start = std::chrono::steady_clock::now();
  const PreparedFootprint a(wavy(10, 200'000)), b(wavy(10.1, 200'000));
  const double small = overlap_area(PreparedFootprint(wavy(10, 20'000)), PreparedFootprint(wavy(10.1, 20'000)));
  EXPECT_NEAR(overlap_area(a, b), small, 1e-2 * small);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 3.0);
}

}  // namespace
}  // namespace tilewright::geometry
