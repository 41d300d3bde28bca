// SPDX-License-Identifier: Apache-2.0
// A misplaced forest road moved onto the one that a lidar terrain shows.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "geometry/road_fit.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/vector_layer.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;

double distance_to(const geometry::MapLine& line, MapXY p) {
  double least = 1e9;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) {
    const double dx = line[k + 1].x - line[k].x, dy = line[k + 1].y - line[k].y;
    const double t = std::clamp(
        ((p.x - line[k].x) * dx + (p.y - line[k].y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
    least = std::min(least, std::hypot(p.x - line[k].x - t * dx, p.y - line[k].y - t * dy));
  }
  return least;
}

TEST(RoadFitReal, MovesTheForestRoadOfQuebecOntoItsBed) {
  TILEWRIGHT_NEEDS_DATA("B-quebec-dtm-forest-road");
  const auto folder = real_data() / "B-quebec-dtm-forest-road";
  const auto line_of = [&](const char* layer) {
    return read_vector_layer(folder / "j5gr_centerline_971487.gpkg", layer, {}, {})
        .features.at(0)
        .lines.at(0);
  };
  const auto original = line_of("original"), corrected = line_of("corrected");
  const Raster raster = Raster::open(folder / "j5gr_dtm.tif", {});
  const auto& info = raster.info();
  std::vector<float> heights(static_cast<std::size_t>(info.width * info.height));
  raster.read(0, {0, 0, info.width, info.height}, std::as_writable_bytes(std::span(heights)));
  const auto surface = [&](MapXY p) {
    const double col = (p.x - info.affine.c) / info.affine.a - 0.5,
                 row = (p.y - info.affine.f) / info.affine.e - 0.5;
    const auto c = static_cast<std::int64_t>(std::floor(col)),
               r = static_cast<std::int64_t>(std::floor(row));
    if (c < 0 || r < 0 || c + 1 >= info.width || r + 1 >= info.height) return std::nan("");
    const auto at = [&](std::int64_t x, std::int64_t y) {
      const float z = heights[static_cast<std::size_t>(y * info.width + x)];
      return z < -1e30F ? std::nan("") : static_cast<double>(z);
    };
    const double u = col - static_cast<double>(c), v = row - static_cast<double>(r);
    return (1 - v) * ((1 - u) * at(c, r) + u * at(c + 1, r)) +
           v * ((1 - u) * at(c, r + 1) + u * at(c + 1, r + 1));
  };
  const geometry::RoadFitConfig config;
  for (const double width_m : {7.0, 8.0, 9.0}) {
    const auto fit =
        geometry::fit_road(original, surface, {.width_m = width_m, .offset_sigma_m = 6}, config);
    double before = 0, after = 0;
    for (const auto& station : fit.stations)
      before += distance_to(corrected, station.on_line) / static_cast<double>(fit.stations.size());
    for (const MapXY p : fit.centre)
      after += distance_to(corrected, p) / static_cast<double>(fit.centre.size());
    EXPECT_TRUE(fit.is_fitted);
    EXPECT_NEAR(before, 6.80, 0.02);
    EXPECT_LE(after, 1.5) << width_m;
    EXPECT_NEAR(fit.width_m, 8.2, 1.5) << width_m;
    RecordProperty("mean_distance_m_" + std::to_string(static_cast<int>(width_m)),
                   std::to_string(after));
    RecordProperty("width_m_" + std::to_string(static_cast<int>(width_m)),
                   std::to_string(fit.width_m));
  }
}

}  // namespace
}  // namespace tilewright::pipeline
