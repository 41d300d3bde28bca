// SPDX-License-Identifier: Apache-2.0
// `width.fit` of a layer: what is fitted, what keeps its rule, and what the manifest says of it.
#include "pipeline/stages/label_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "geometry/error.h"
#include "pipeline/io/vector_layer.h"
#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

constexpr int kSize = 240;
const Lattice kMetre{32633, 1, {0, 0}};
const LatticeWindow kWindow{500000, 5000240, kSize};

/// Ground with bumps; a road of 9 m along the middle row, raised half a metre, on the western half.
double height(int, int col, int row) {
  const double x = col, y = row, t = std::abs(y - kSize / 2.0);
  const double bumps = 0.3 * std::sin(0.9 * x + 0.4 * y) + 0.3 * std::sin(0.5 * x - 1.1 * y) +
                       0.2 * std::sin(1.3 * x + 2.1 * y);
  if (col >= kSize / 2) return 0.001 * std::sin(1.7 * x + 0.9 * y);  // a street that shows nothing
  return t <= 4.5 ? 0.5 - 0.02 * t : bumps;
}

void make(World& world, const std::string& fit) {
  TinyRaster raster;
  raster.width = raster.height = kSize;
  raster.type = GDT_Float32;
  raster.transform = std::vector<double>{500000, 1, 0, 5000240, 0, -1};
  raster.pixel = height;
  write_raster(world.path("dtm.tif"), raster);
  Features roads;
  roads.line({{500010, 5000122}, {500110, 5000122}}, "\"width\":\"6\"");
  roads.line({{500135, 5000120}, {500230, 5000120}}, "\"width\":\"6\"");
  world.write("r.geojson", roads.text());
  LayerConfig layer = lines_of("r.geojson");
  layer.width->fit = fit;
  world.job.layers = {{"roads", layer}};
}

TEST(LabelFit, DrawsTheWidthThatTheGroundShows) {
  World world(kMetre, {kWindow});
  make(world, "dtm.tif");
  world.run();
  const auto objects = index::label_objects(world.manifest(), "roads");
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[0].rule, "fitted");
  EXPECT_NEAR(*objects[0].width_m, 9, 1);
  EXPECT_LT(*objects[0].width_sigma_m, 1);
  EXPECT_NEAR(*objects[0].offset_m, -2, 1) << "to the left of the line is positive";
  const auto mask = world.mask("roads", geometry::location_id(kMetre, kWindow));
  int across = 0;
  for (int row = 0; row < kSize; ++row)
    across += mask.at(static_cast<std::size_t>(row * kSize + 60));
  EXPECT_NEAR(across, *objects[0].width_m, 1.01) << "a metre of the map is 1.0004 on the ground";
}

TEST(LabelFit, AStripOfNodataIsNoRoad) {
  World world(kMetre, {kWindow});
  make(world, "dtm.tif");
  TinyRaster raster;
  raster.width = raster.height = kSize;
  raster.type = GDT_Float32;
  raster.nodata = -9999;
  raster.transform = std::vector<double>{500000, 1, 0, 5000240, 0, -1};
  raster.pixel = [](int, int col, int row) {  // as flat as a road of 11 m among bumps
    return std::abs(row - kSize / 2) <= 5 ? -9999 : std::sin(0.9 * col + 0.4 * row) + std::sin(0.5 * col - 1.1 * row);
  };
  write_raster(world.path("dtm.tif"), raster);
  world.run();
  const auto objects = index::label_objects(world.manifest(), "roads");
  EXPECT_EQ(objects.at(0).rule, "attribute");
  EXPECT_EQ(objects.at(0).width_m, 6);
}

TEST(LabelFit, KeepsTheRuleWhereTheGroundShowsNothing) {
  World world(kMetre, {kWindow});
  make(world, "dtm.tif");
  world.run();
  const auto objects = index::label_objects(world.manifest(), "roads");
  EXPECT_EQ(objects.at(1).rule, "attribute");
  EXPECT_EQ(objects.at(1).width_m, 6);
  EXPECT_NEAR(*objects.at(1).width_sigma_m, 0.72, 1e-9);
  EXPECT_FALSE(objects.at(1).offset_m);
}

TEST(LabelFit, WithoutItTheRulesAreAll) {
  World world(kMetre, {kWindow});
  make(world, "none");
  world.run();
  const auto objects = index::label_objects(world.manifest(), "roads");
  EXPECT_EQ(objects.at(0).rule, "attribute");
  EXPECT_NEAR(*objects.at(0).width_sigma_m, 0.72, 1e-9) << "that of the rule";
}

TEST(LabelFit, AFileThatIsNoRasterIsAnErrorWithItsName) {
  World world(kMetre, {kWindow});
  make(world, "r.geojson");
  try {
    world.run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("roads: width.fit: "), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("r.geojson"), std::string::npos) << error.what();
  }
}

/// Brightness of a road of 7 m in grass, in numbers of 8 bits.
double brightness(int, int col, int row) {
  const double x = col, y = row;
  const double grass = 70 + 25 * std::sin(0.9 * x + 0.4 * y) + 20 * std::sin(0.5 * x - 1.1 * y) + 12 * std::sin(1.3 * x + 2.1 * y);
  return std::abs(row - 100) <= 3 ? 120 + 2 * std::sin(2.1 * x + 1.7 * y) : grass;
}

TEST(LabelFit, AnImageIsEvidenceToo) {
  World world(kMetre, {kWindow});
  make(world, "image.tif");
  TinyRaster raster;
  raster.width = raster.height = kSize;
  raster.bands = 2;
  raster.type = GDT_Byte;
  raster.transform = std::vector<double>{500000, 1, 0, 5000240, 0, -1};
  raster.pixel = [](int band, int col, int row) { return band == 1 ? brightness(band, col, row) : 100.0 + (col * 7 + row * 13) % 5; };
  write_raster(world.path("image.tif"), raster);
  Features roads;
  roads.line({{500010, 5000142}, {500230, 5000142}}, "\"width\":\"5\"");
  world.write("r.geojson", roads.text());
  auto& layer = world.job.layers.front().second;
  layer.width->fit_band = 2;
  layer.width->fit_evidence = FitEvidence::image;
  layer.exports = {"centre", "buffer"};
  world.run();
  const auto object = index::label_objects(world.manifest(), "roads").at(0);
  EXPECT_EQ(object.rule, "fitted");
  EXPECT_NEAR(*object.width_m, 7, 1);
  EXPECT_NEAR(*object.offset_m, -2.5, 1);
  EXPECT_EQ(object.source, "prior: width = 5");
  const auto centre = read_vector_layer(world.path("work/vectors/roads_centre.geojson"), "", {"object_id", "width_m"}, {});
  ASSERT_EQ(centre.features.size(), 1U);
  const geometry::Transform to_map(geometry::wgs84(), geometry::Crs::from_epsg(32633));
  for (const auto& p : centre.features[0].lines.at(0)) EXPECT_NEAR(to_map(p)->y, 5000139.5, 1.5);
  const auto outline = read_vector_layer(world.path("work/vectors/roads_buffer.geojson"), "", {"object_id", "rule"}, {});
  ASSERT_EQ(outline.features.size(), 1U);
  EXPECT_NEAR(geometry::geodesic_area_m2(*geometry::geographic(outline.features[0].polygons, outline.crs)), 220 * *object.width_m, 15);
  const auto drawn = world.mask("roads", geometry::location_id(kMetre, kWindow));
  EXPECT_EQ(drawn.at(static_cast<std::size_t>((kSize - 142 - 1) * kSize + 100)), 1) << "the line itself is not moved";
  layer.exports.clear();
  world.run();
  EXPECT_FALSE(std::filesystem::exists(world.path("work/vectors/roads_centre.geojson")));
}

double distance_to(const geometry::MapLine& line, geometry::MapXY p) {
  double least = 1e9;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) {
    const double dx = line[k + 1].x - line[k].x, dy = line[k + 1].y - line[k].y;
    const double t = std::clamp(((p.x - line[k].x) * dx + (p.y - line[k].y) * dy) / (dx * dx + dy * dy), 0.0, 1.0);
    least = std::min(least, std::hypot(p.x - line[k].x - t * dx, p.y - line[k].y - t * dy));
  }
  return least;
}

TEST(LabelFitReal, TheForestRoadOfQuebecHasItsWidth) {
  TILEWRIGHT_NEEDS_DATA("B-quebec-dtm-forest-road");
  const auto folder = real_data() / "B-quebec-dtm-forest-road";
  LayerConfig config;
  config.layer = "original";
  config.draw = Draw::lines;
  config.width.emplace();
  config.width->constant_m = 8;
  LabelObjects objects =
      read_label_objects("roads", config, {folder / "j5gr_centerline_971487.gpkg", "", ""}, {});
  const auto centres = fit_widths(objects, folder / "j5gr_dtm.tif", *config.width, {});
  ASSERT_EQ(objects.rows.size(), 1U);
  EXPECT_EQ(objects.rows[0].rule, "fitted");
  EXPECT_NEAR(*objects.rows[0].width_m, 8.2, 1.5);
  ASSERT_EQ(centres.size(), 1U);
  const auto corrected = read_vector_layer(folder / "j5gr_centerline_971487.gpkg", "corrected", {}, {});
  const geometry::Transform to_map(geometry::wgs84(), corrected.crs);
  double sum = 0;
  for (const auto& p : centres[0].centre) sum += distance_to(corrected.features.at(0).lines.at(0), *to_map({p.lon_deg, p.lat_deg}));
  EXPECT_LE(sum / static_cast<double>(centres[0].centre.size()), 1.5) << "it starts at 6.80 m";
  RecordProperty("width_m", std::to_string(*objects.rows[0].width_m));
}

}  // namespace
}  // namespace tilewright::pipeline
