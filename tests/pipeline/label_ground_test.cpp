// SPDX-License-Identifier: Apache-2.0
// Metres are metres on the ground: roads at every latitude, one town drawn in two zones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <sstream>

#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

using geometry::LonLat;
using geometry::MapXY;

constexpr double kResolutionM = 0.5;
constexpr int kPixels = 1000;

/// The place `east` and `north` metres from another on the ellipsoid of WGS84, for some hundred metres.
LonLat moved(LonLat place, double east_m, double north_m) {
  constexpr double a = 6378137, e2 = 0.00669437999014, degree = std::numbers::pi / 180;
  const double s = std::sin(place.lat_deg * degree), w = std::sqrt(1 - e2 * s * s);
  return {place.lon_deg + east_m / (a / w * std::cos(place.lat_deg * degree)) / degree, place.lat_deg + north_m / (a * (1 - e2) / (w * w * w)) / degree};
}

/// Square metres of ground that are 1 in `layer`, drawn around `middle` in a zone.
double painted_m2(int epsg, LonLat middle, const std::string& features, const LayerConfig& layer) {
  const auto crs = geometry::Crs::from_epsg(epsg);
  const MapXY centre = *geometry::Transform(geometry::wgs84(), crs)({middle.lon_deg, middle.lat_deg});
  const Lattice lattice{epsg, kResolutionM, {0, 0}};
  const LatticeWindow window{std::llround(centre.x / kResolutionM) - kPixels / 2, std::llround(centre.y / kResolutionM) + kPixels / 2, kPixels};
  World world(lattice, {window});
  world.write("f.geojson", features);
  world.job.layers = {{"things", layer}};
  world.run();
  const Bytes mask = world.mask("things", geometry::location_id(lattice, window));
  EXPECT_EQ(mask.size(), static_cast<std::size_t>(kPixels) * kPixels);
  const auto scale = geometry::ground_scale(centre, crs);
  return static_cast<double>(std::count(mask.begin(), mask.end(), 1)) * kResolutionM * kResolutionM * std::abs(scale.east_x * scale.north_y - scale.east_y * scale.north_x);
}

std::string places(const std::vector<LonLat>& line) {
  std::ostringstream out;
  out.precision(17);
  for (std::size_t k = 0; k < line.size(); ++k) out << (k ? ",[" : "[[") << line[k].lon_deg << "," << line[k].lat_deg << "]";
  return out.str() + "]";
}

TEST(LabelGround, ARoadHasItsWidthAtEveryLatitudeInEveryDirection) {
  constexpr double kWidth = 7, kLength = 100;
  double least = 1e9, most = 0;
  for (const double lat : {0.001, 36.0, 52.0, 60.0, 70.0})
    for (const double lon : {15.0, 17.95})
      for (const double azimuth : {0.1, 0.6, 1.47}) {  // along a column whole pixels count
        const LonLat middle{lon, lat};
        const double east = kLength / 2 * std::sin(azimuth), north = kLength / 2 * std::cos(azimuth);
        Features road;
        road.add("{\"type\":\"LineString\",\"coordinates\":" + places({moved(middle, -east, -north), moved(middle, east, north)}) + "}", "\"width\":\"7\"");
        const double area = painted_m2(32633, middle, road.text(), lines_of("f.geojson"));
        EXPECT_NEAR(area, kWidth * kLength, 0.01 * kWidth * kLength) << lat << " N " << lon << " E, azimuth " << azimuth;
        least = std::min(least, area), most = std::max(most, area);
      }
  std::printf("a road of 7 x 100 m: %.1f to %.1f square metres\n", least, most);
}

TEST(LabelGround, ATownAtTheBorderOfTwoZonesHasOneAreaInBoth) {
  for (const double lat : {8.0, 48.0, 65.0}) {
    const LonLat middle{18, lat};
    Features houses, roads;
    for (int k = 0; k < 9; ++k) {
      const double x = -120.0 + 100 * (k % 3), y = -120.0 + 100 * (k / 3), c = std::cos(0.3 * k), s = std::sin(0.3 * k);
      std::vector<LonLat> ring;
      for (const auto& [a, b] : {std::pair{-20.0, -12.0}, {20.0, -12.0}, {20.0, 12.0}, {-20.0, 12.0}, {-20.0, -12.0}}) ring.push_back(moved(middle, x + a * c - b * s, y + a * s + b * c));
      houses.add("{\"type\":\"Polygon\",\"coordinates\":[" + places(ring) + "]}", "\"kind\":\"a\"");
      roads.add("{\"type\":\"LineString\",\"coordinates\":" + places({moved(middle, x, y), moved(middle, x + 60 * c, y + 60 * s)}) + "}", "\"width\":\"" + std::to_string(3 + k) + "\"");
    }
    const double house_33 = painted_m2(32633, middle, houses.text(), polygons_of("f.geojson")), house_34 = painted_m2(32634, middle, houses.text(), polygons_of("f.geojson"));
    EXPECT_NEAR(house_33, 9 * 40 * 24, 0.005 * 9 * 40 * 24) << lat;
    EXPECT_NEAR(house_34, house_33, 0.005 * house_33) << lat;
    const double road_33 = painted_m2(32633, middle, roads.text(), lines_of("f.geojson")), road_34 = painted_m2(32634, middle, roads.text(), lines_of("f.geojson"));
    EXPECT_NEAR(road_33, 60 * 63, 0.01 * 60 * 63) << lat;
    EXPECT_NEAR(road_34, road_33, 0.01 * road_33) << lat;
  }
}

}  // namespace
}  // namespace tilewright::pipeline
