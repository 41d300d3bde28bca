// SPDX-License-Identifier: Apache-2.0
// CRS values, transforms, zones, and footprints in degrees.
#include "geometry/crs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

MapMultiPolygon box(double x0, double y0, double x1, double y1) {
  return {MapPolygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}, {}}};
}

TEST(Crs, KnowsItsCodeAndUnit) {
  const Crs utm = Crs::from_epsg(32633);
  EXPECT_EQ(utm.epsg(), 32633);
  EXPECT_TRUE(utm.is_metric());
  EXPECT_EQ(utm.name(), "WGS 84 / UTM zone 33N");
  const Crs feet = Crs::from_epsg(2263);
  EXPECT_NEAR(feet.metres_per_unit(), 0.3048006, 1e-7);
  EXPECT_FALSE(feet.is_metric());
  EXPECT_TRUE(wgs84().is_geographic());
  EXPECT_FALSE(Crs().known());
}

TEST(Crs, FindsTheCodeOfAnyForm) {
  for (const int epsg : {32633, 4326, 2154, 26918, 3857, 32735}) {
    const Crs crs = Crs::from_epsg(epsg);
    const Crs again = Crs::from_text(crs.wkt());
    EXPECT_EQ(again.epsg(), epsg);
    EXPECT_TRUE(again.same_as(crs));
  }
  EXPECT_EQ(Crs::from_text("+proj=utm +zone=33 +datum=WGS84 +units=m +no_defs").epsg(), 32633);
  EXPECT_EQ(Crs::from_text("epsg:32633").epsg(), 32633);
  EXPECT_TRUE(Crs::from_text("OGC:CRS84").same_as(wgs84()));
  EXPECT_EQ(Crs::from_text("+proj=tmerc +lat_0=1.5 +lon_0=2.25 +ellps=WGS84").epsg(), 0);
  EXPECT_FALSE(Crs::from_epsg(32633).same_as(Crs::from_epsg(32634)));
}

TEST(Crs, RefusesWhatWouldReachFilesOrNetwork) {
  for (const char* text :
       {"", "http://www.opengis.net/def/crs/EPSG/0/4326", "+init=epsg:4326", "/etc/passwd", "esri.prj",
        "+proj=pipeline +step +proj=utm +zone=33", "+proj=longlat +nadgrids=/tmp/x.gsb",
        "+proj=longlat +geoidgrids=x.gtx", "file:///x", "WGS 84", "+proj=utm +zone=33 +init=foo:bar",
        "EPSG:999999", "{\"type\":\"GeographicCRS\"}", "GEOGCS["})
    EXPECT_THROW(Crs::from_text(text), Error) << text;
  EXPECT_THROW(Crs::from_text("GEOGCS[" + std::string(40000, 'x')), Error);
  EXPECT_THROW(Crs::from_epsg(-1), Error);
}

TEST(Transform, HasEastFirstWhateverTheAuthoritySays) {
  const Transform utm_from_degrees(wgs84(), Crs::from_epsg(32633));
  const auto p = utm_from_degrees({15, 0});
  ASSERT_TRUE(p);
  EXPECT_NEAR(p->x, 500000, 1e-6);
  EXPECT_NEAR(p->y, 0, 1e-6);
  const auto back = Transform(Crs::from_epsg(32633), wgs84())(*p);
  EXPECT_NEAR(back->x, 15, 1e-12);
  // EPSG:4326 states latitude first: two ways to say it give one answer.
  const Transform identity(wgs84(), Crs::from_text("EPSG:4326"));
  EXPECT_TRUE(identity.is_identity());
  EXPECT_EQ(identity({10, 20}), (MapXY{10, 20}));
}

TEST(Transform, ArraysEqualSinglePointsAndFailuresAreNan) {
  const Transform utm_from_degrees(wgs84(), Crs::from_epsg(32633));
  std::vector<MapXY> points{{14, 46}, {15.5, 46.25}, {std::nan(""), 1}, {15, 91}};
  const auto copy = points;
  utm_from_degrees.in_place(points.data(), points.size());
  for (int k = 0; k < 2; ++k) EXPECT_EQ(points[static_cast<std::size_t>(k)], utm_from_degrees(copy[static_cast<std::size_t>(k)]));
  EXPECT_TRUE(std::isnan(points[2].x));
  EXPECT_TRUE(std::isnan(points[3].x));
  EXPECT_FALSE(utm_from_degrees(copy[3]));
}

TEST(Transform, OutlivesTheThreadThatMadeIt) {
  std::optional<Transform> transform;
  std::thread([&] { transform.emplace(wgs84(), Crs::from_epsg(32633)); }).join();
  EXPECT_TRUE((*transform)({15, 46}));
}

TEST(Transform, WithoutCrsIsAnError) { EXPECT_THROW(Transform(Crs(), wgs84()), Error); }

TEST(UtmZone, TiesGoToTheLowerZone) {
  EXPECT_EQ(utm_epsg({15, 46}), 32633);
  EXPECT_EQ(utm_epsg({12, 46}), 32632);
  EXPECT_EQ(utm_epsg({12.0001, 46}), 32633);
  EXPECT_EQ(utm_epsg({15, -0.1}), 32733);
  EXPECT_EQ(utm_epsg({15, 0}), 32633);
  EXPECT_EQ(utm_epsg({180, 10}), 32601);
  EXPECT_EQ(utm_epsg({-180, 10}), 32601);
  EXPECT_EQ(utm_epsg({179.9, 10}), 32660);
  EXPECT_EQ(utm_epsg({190, 10}), 32602);
  EXPECT_EQ(utm_epsg({0, 84}), 32630);
  EXPECT_EQ(utm_epsg({0, 84.1}), 32661);
  EXPECT_EQ(utm_epsg({0, -80.1}), 32761);
}

/// Area by the point scale factor alone: fine pieces, each with its own Jacobian.
double area_by_jacobian(double x0, double y0, double size, const Crs& crs, int pieces) {
  double sum = 0;
  const double step = size / pieces;
  for (int i = 0; i < pieces; ++i)
    for (int j = 0; j < pieces; ++j) {
      const GroundScale s = ground_scale({x0 + (i + 0.5) * step, y0 + (j + 0.5) * step}, crs);
      sum += std::abs(s.east_x * s.north_y - s.east_y * s.north_x) * step * step;
    }
  return sum;
}

TEST(Geographic, KeepsTheAreaToOnePartInAMillion) {
  for (const double northing : {100'000.0, 5'100'000.0, 8'000'000.0})
    for (const double size : {640.0, 30'000.0, 110'000.0}) {
      const Crs utm = Crs::from_epsg(32633);
      const auto degrees = geographic(box(300'000, northing, 300'000 + size, northing + size), utm);
      ASSERT_TRUE(degrees);
      const double expected = area_by_jacobian(300'000, northing, size, utm, 24);
      EXPECT_NEAR(geodesic_area_m2(*degrees) / expected, 1, 2e-6);
      EXPECT_LT((*degrees)[0].outer.size(), 4000U);
    }
}

TEST(Geographic, SplitsAtTheAntimeridian) {
  const Crs utm = Crs::from_epsg(32601);  // central meridian 177 W
  const auto degrees = geographic(box(200'000, 5'000'000, 400'000, 5'100'000), utm);
  ASSERT_TRUE(degrees);
  ASSERT_EQ(degrees->size(), 2U);
  double west = 1000, east = -1000;
  for (const GeoPolygon& p : *degrees)
    for (const LonLat& v : p.outer) {
      EXPECT_LE(std::abs(v.lon_deg), 180);
      west = std::min(west, v.lon_deg);
      east = std::max(east, v.lon_deg);
    }
  EXPECT_EQ(west, -180);
  EXPECT_EQ(east, 180);
  EXPECT_NEAR(geodesic_area_m2(*degrees) / 2e10, 1, 0.003);
  const auto same_inland = geographic(box(200'000, 5'000'000, 400'000, 5'100'000), Crs::from_epsg(32633));
  EXPECT_NEAR(geodesic_area_m2(*degrees) / geodesic_area_m2(*same_inland), 1, 1e-7);
}

TEST(Geographic, EnclosesAPole) {
  for (const int epsg : {3995, 3031}) {
    const Crs polar = Crs::from_epsg(epsg);
    const auto around = geographic(box(-1e5, -1e5, 1e5, 1e5), polar);
    ASSERT_TRUE(around);
    const double expected = area_by_jacobian(-1e5, -1e5, 2e5, polar, 40);
    EXPECT_NEAR(geodesic_area_m2(*around) / expected, 1, 1e-5);
    const double pole = epsg == 3031 ? -90 : 90;
    bool touches = false;
    for (const GeoPolygon& p : *around)
      for (const LonLat& v : p.outer) touches = touches || v.lat_deg == pole;
    EXPECT_TRUE(touches);
  }
}

TEST(Geographic, WrapsGridsFromZeroTo360) {
  const auto degrees = geographic(box(170, 10, 200, 20), wgs84());
  ASSERT_TRUE(degrees);
  EXPECT_EQ(degrees->size(), 2U);
  EXPECT_NEAR(geodesic_area_m2(*degrees), geodesic_area_m2(*geographic(box(0, 10, 30, 20), wgs84())), 1e3);
  const auto globe = geographic(box(-180, -90, 180, 90), wgs84());
  ASSERT_TRUE(globe);
  EXPECT_NEAR(geodesic_area_m2(*globe) / 510065621724078.9, 1, 1e-6);
}

TEST(Geographic, KeepsHolesAndSaysWhenItCannot) {
  MapMultiPolygon holed = box(4e5, 5e6, 5e5, 5.1e6);
  holed[0].holes.push_back({{4.2e5, 5.02e6}, {4.2e5, 5.04e6}, {4.4e5, 5.04e6}, {4.4e5, 5.02e6}, {4.2e5, 5.02e6}});
  const auto degrees = geographic(holed, Crs::from_epsg(32633));
  ASSERT_TRUE(degrees);
  EXPECT_EQ((*degrees)[0].holes.size(), 1U);
  EXPECT_FALSE(projected(box(0, 89, 10, 99), wgs84(), Crs::from_epsg(3857), 0));
}

TEST(Projected, GoesThereAndBack) {
  const Crs utm = Crs::from_epsg(32633), lambert = Crs::from_epsg(3035);
  const MapMultiPolygon start = box(4e5, 5e6, 4.1e5, 5.01e6);
  const auto there = projected(start, utm, lambert, 500);
  ASSERT_TRUE(there);
  EXPECT_GT((*there)[0].outer.size(), 70U);
  const auto back = projected(*there, lambert, utm, 0);
  EXPECT_NEAR(planar_area(*back), planar_area(start), 10);
}

TEST(GroundScale, IsOneOverTheMapScale) {
  const GroundScale centre = ground_scale({500'000, 5'000'000}, Crs::from_epsg(32633));
  EXPECT_NEAR(centre.east_x, 1 / 0.9996, 1e-8);
  EXPECT_NEAR(centre.north_y, 1 / 0.9996, 1e-8);
  EXPECT_NEAR(centre.north_x, 0, 1e-8);
  // Web Mercator at 60 degrees is stretched by a factor of two, a little less on the ellipsoid.
  const GroundScale mercator = ground_scale({0, 8'399'737.89}, Crs::from_epsg(3857));
  EXPECT_NEAR(mercator.east_x, 0.50125, 1e-4);
  const GroundScale degrees = ground_scale({10, 60}, wgs84());
  EXPECT_NEAR(degrees.east_x, 55800, 5);
  EXPECT_NEAR(degrees.north_y, 111412, 5);
}

}  // namespace
}  // namespace tilewright::geometry
