// SPDX-License-Identifier: Apache-2.0
// The label stage on small worlds with known answers, and on real labels.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <sstream>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "index/manifest.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/vector_layer.h"
#include "pipeline/stages/label_ground.h"
#include "pipeline/stages/label_masks.h"
#include "pipeline/stages/label_objects.h"
#include "pipeline/stages/stage.h"
#include "tests/pipeline/label_world.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

TEST(Label, MasksOfAbuttingWindowsEqualTheCutOfTheMosaic) {
  std::mt19937 random(71);
  Features buildings, roads;
  const auto any = [&](double low, double range) { return low + range * (random() / 4294967296.0); };
  for (int k = 0; k < 60; ++k) {
    const double x = any(500000, 1300), y = any(5000000, 1300);
    buildings.polygon({{x, y}, {x + any(5, 90), y + any(-9, 20)}, {x + any(20, 60), y + any(20, 70)}});
    roads.line({{x, y}, {x + any(-200, 400), y + any(-200, 400)}, {x + any(-300, 600), y + any(-300, 600)}}, "\"width\":\"" + std::to_string(5 + k % 40) + " m\"");
  }
  const auto masks = [&](const std::vector<LatticeWindow>& windows, const std::string& layer) {
    World world(kLattice, windows);
    world.write("b.geojson", buildings.text());
    world.write("r.geojson", roads.text());
    world.job.layers = {{"buildings", polygons_of("b.geojson")}, {"roads", lines_of("r.geojson")}};
    world.run();
    std::map<std::string, Bytes> out;
    for (const auto& window : windows) out[geometry::location_id(kLattice, window)] = world.mask(layer, geometry::location_id(kLattice, window));
    return out;
  };
  const std::int64_t i = 50000, j = 500128;
  for (const char* layer : {"buildings", "roads"}) {
    const Bytes whole = masks({{i, j, 128}}, layer).begin()->second;
    ASSERT_EQ(whole.size(), 128U * 128U);
    EXPECT_GT(std::count(whole.begin(), whole.end(), 1), 500);
    std::vector<LatticeWindow> parts;
    for (int k = 0; k < 16; ++k) parts.push_back({i + 32 * (k % 4), j - 32 * (k / 4), 32});
    const auto cut = masks(parts, layer);
    for (int k = 0; k < 16; ++k) {
      const Bytes& part = cut.at(geometry::location_id(kLattice, parts[static_cast<std::size_t>(k)]));
      for (int row = 0; row < 32; ++row)
        for (int col = 0; col < 32; ++col)
          ASSERT_EQ(part[static_cast<std::size_t>(row * 32 + col)], whole[static_cast<std::size_t>((k / 4 * 32 + row) * 128 + k % 4 * 32 + col)]) << layer;
    }
  }
}

std::vector<LatticeWindow> grid_of_windows(int count) {
  std::vector<LatticeWindow> windows;
  for (int k = 0; k < count * count; ++k) windows.push_back({50000 + 16 * (k % count), 500064 - 16 * (k / count), 16});
  return windows;
}

TEST(Label, OutputIsTheSameForAnyNumberOfThreads) {
  Features roads;
  for (int k = 0; k < 40; ++k) roads.line({{500000 + 17.0 * k, 5000000}, {500700 - 13.0 * k, 5000640}}, "\"width\":" + std::to_string(4 + k % 9));
  std::string first, first_dump;
  for (const int threads : {1, 2, 5}) {
    World world(kLattice, grid_of_windows(4));
    world.write("r.geojson", roads.text());
    world.job.layers = {{"roads", lines_of("r.geojson")}};
    world.run(threads);
    const std::string hash = shard::sha256_file(world.path("work/shards/roads-000000.tar"));
    const std::string dump = index::canonical_dump(world.manifest());
    if (first.empty()) {
      first = hash;
      first_dump = dump;
    }
    EXPECT_EQ(hash, first);
    EXPECT_EQ(dump, first_dump);
  }
}

TEST(Label, EveryObjectIsDrawnOrHasAReason) {
  World world(kLattice, grid_of_windows(2));
  Features f;
  f.polygon(square(500030, 5000400, 100));
  f.polygon({{500030, 5000400}, {500130, 5000500}, {500130, 5000400}, {500030, 5000500}});  // bow-tie
  f.add("null", "\"kind\":\"a\"");
  f.polygon({{500030, 5000400}, {500130, 5000500}, {500030, 5000400}});                     // no area
  f.polygon(square(700000, 5000000, 100));                                                   // far away
  f.polygon(square(500030, 5000400, 100), "\"kind\":\"unknown\"");
  f.polygon(square(500030, 5000400, 100), "\"kind\":null");
  f.line({{500030, 5000400}, {500130, 5000500}}, "\"kind\":\"a\"");
  world.write("f.geojson", f.text());
  LayerConfig layer = polygons_of("f.geojson");
  layer.class_rule.by_field = FieldClasses{"kind", {{"a", 1}}};
  world.job.layers = {{"things", layer}};
  const StageReport report = world.run();
  const std::vector<std::pair<std::string, std::string>> expected{
      {"drawn", ""}, {"repaired", "repaired_geometry"}, {"rejected", "null_geometry"}, {"rejected", "empty_geometry"},
      {"rejected", "outside_rasters"}, {"rejected", "no_class"}, {"rejected", "no_class"}, {"rejected", "bad_geometry"}};
  const auto objects = index::label_objects(world.manifest(), "things");
  ASSERT_EQ(objects.size(), expected.size());
  for (std::size_t k = 0; k < objects.size(); ++k) {
    EXPECT_EQ(objects[k].status, expected[k].first) << k;
    EXPECT_EQ(objects[k].reason.value_or(""), expected[k].second) << k;
  }
  EXPECT_EQ(index::rejections(world.manifest(), "label").size(), 6U);
  const std::map<std::string, std::int64_t> counts(report.counts.begin(), report.counts.end());
  EXPECT_EQ(counts.at("objects"), counts.at("drawn") + counts.at("repaired") + counts.at("rejected"));
}

TEST(Label, AllObjectsElsewhereIsOneErrorWithBothExtents) {
  World world(kLattice, grid_of_windows(2));
  Features f;
  f.polygon(square(700000, 5100000, 100));
  world.write("f.geojson", f.text());
  world.job.layers = {{"things", polygons_of("f.geojson")}};
  try {
    world.run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    const std::string text = error.what();
    EXPECT_NE(text.find("things"), std::string::npos) << text;
    EXPECT_NE(text.find("[17."), std::string::npos) << text;
    EXPECT_NE(text.find("[15."), std::string::npos) << text;
  }
  EXPECT_TRUE(index::masks(world.manifest()).empty());
}

TEST(Label, HigherPriorityIsDrawnLaterAndOutsideTheExtentIsIgnored) {
  World world(kLattice, {{50000, 500064, 16}});  // 500003..500163, 5000487..5000647
  Features f;
  f.polygon(square(500010, 5000500, 100), "\"kind\":\"high\"");
  f.polygon(square(500050, 5000540, 80), "\"kind\":\"low\"");
  world.write("f.geojson", f.text());
  LayerConfig layer = polygons_of("f.geojson");
  layer.class_rule.by_field = FieldClasses{"kind", {{"high", 7}, {"low", 3}}};
  layer.extent.kind = ExtentKind::bounds;
  const auto pixel = [&](double x, double y) {
    const Bytes mask = world.mask("things", geometry::location_id(kLattice, {50000, 500064, 16}));
    return static_cast<int>(mask.at(static_cast<std::size_t>(std::floor((5000647 - y) / 10) * 16 + std::floor((x - 500003) / 10))));
  };
  world.job.layers = {{"things", layer}};
  world.run();
  EXPECT_EQ(pixel(500080, 5000580), 3) << "later entries of `values` are drawn on top";
  EXPECT_EQ(pixel(500020, 5000520), 7);
  EXPECT_EQ(pixel(500120, 5000510), 0);
  EXPECT_EQ(pixel(500150, 5000580), 255);
  EXPECT_EQ(pixel(500080, 5000640), 255);
  layer.priority = {3, 7};
  world.job.layers = {{"things", layer}};
  world.run();
  EXPECT_EQ(pixel(500080, 5000580), 7);
  const auto row = index::masks(world.manifest(), "things").at(0);
  const Bytes mask = world.mask("things", row.location_id);
  const auto ignored = std::count(mask.begin(), mask.end(), 255), background = std::count(mask.begin(), mask.end(), 0);
  EXPECT_DOUBLE_EQ(row.ignore_frac, static_cast<double>(ignored) / 256);
  EXPECT_DOUBLE_EQ(row.positive_frac, static_cast<double>(256 - ignored - background) / static_cast<double>(256 - ignored));
  EXPECT_EQ(row.object_count, 2);
}

TEST(Label, AnExtentOfTheWholeWorldLeavesNothingOut) {
  World world(kLattice, {{50000, 500064, 16}});
  Features f;
  f.polygon(square(500050, 5000540, 40));
  for (const char* corner : {"[[[-179,-89],[-178,-89],[-178,-88],[-179,-89]]]", "[[[179,89],[178,89],[178,88],[179,89]]]"})
    f.add(std::string("{\"type\":\"Polygon\",\"coordinates\":") + corner + "}", "\"kind\":\"a\"");
  world.write("f.geojson", f.text());
  LayerConfig layer = polygons_of("f.geojson");
  layer.extent.kind = ExtentKind::bounds;
  world.job.layers = {{"things", layer}};
  world.run();
  const auto row = index::masks(world.manifest(), "things").at(0);
  EXPECT_EQ(row.ignore_frac, 0);
  EXPECT_EQ(row.object_count, 1);
}

TEST(Label, APolygonAroundHalfTheWorldIsDrawnWhereItIs) {
  World world(kLattice, {{50000, 500064, 16}});
  Features f;
  f.add("{\"type\":\"Polygon\",\"coordinates\":[[[-170,-80],[170,-80],[170,80],[-170,80],[-170,-80]]]}", "\"kind\":\"a\"");
  world.write("f.geojson", f.text());
  world.job.layers = {{"land", polygons_of("f.geojson")}};
  world.run();
  EXPECT_EQ(index::masks(world.manifest(), "land").at(0).positive_frac, 1);
}

TEST(Label, LinesHaveTheirWidthOnTheGroundAndCloseTheirJunctions) {
  World world({32633, 1, {0, 0}}, {{500000, 5000200, 200}});
  Features f;
  f.line({{500020, 5000100}, {500100, 5000100}}, "\"width\":\"10\"");
  f.line({{500100, 5000100}, {500160, 5000160}}, "\"width\":\"32'9.7\\\"\"");
  world.write("f.geojson", f.text());
  LayerConfig layer = lines_of("f.geojson");
  layer.width->min_m = 1;
  world.job.layers = {{"roads", layer}};
  world.run();
  const Bytes mask = world.mask("roads", "e32633_r1000000_s200_x500000_y5000200");
  const auto at = [&](int x, int y) { return mask.at(static_cast<std::size_t>((199 - y) * 200 + x)); };
  int across = 0;
  for (int y = 60; y < 140; ++y) across += at(50, y);
  EXPECT_EQ(across, 10);                      // metres on the ground, to the pixel
  EXPECT_EQ(at(18, 100), 0) << "flat where the network ends";
  EXPECT_EQ(at(103, 97), 1) << "round where it goes on";
  const auto objects = index::label_objects(world.manifest(), "roads");
  EXPECT_EQ(objects.at(1).rule, "attribute");
  EXPECT_NEAR(*objects.at(1).width_m, 10, 0.001);
}

TEST(Label, RasterOnTheSameGridIsCopiedExactly) {
  World world(kLattice, {{50000, 500064, 16}, {50016, 500064, 16}});
  TinyRaster raster;
  raster.width = 20;
  raster.height = 16;
  raster.transform = std::vector<double>{500003, 10, 0, 5000647, 0, -10};
  raster.nodata = 9;
  raster.pixel = [](int, int col, int row) { return (col * 7 + row * 3) % 11; };
  write_raster(world.path("classes.tif"), raster);
  LayerConfig layer;
  layer.raster = "classes.tif";
  LayerConfig mapped = layer;
  mapped.values = NamedList<std::string>{{"1", "5"}, {"2", "ignore"}, {"9", "0"}};
  world.job.layers = {{"plain", layer}, {"mapped", mapped}};
  world.run();
  const Bytes plain = world.mask("plain", geometry::location_id(kLattice, {50000, 500064, 16}));
  const Bytes table = world.mask("mapped", geometry::location_id(kLattice, {50000, 500064, 16}));
  const Bytes next = world.mask("plain", geometry::location_id(kLattice, {50016, 500064, 16}));
  for (int row = 0; row < 16; ++row)
    for (int col = 0; col < 16; ++col) {
      const auto k = static_cast<std::size_t>(row * 16 + col);
      const int value = (col * 7 + row * 3) % 11;
      ASSERT_EQ(plain[k], value == 9 ? 255 : value);
      ASSERT_EQ(table[k], value == 1 ? 5 : value == 9 ? 0 : 255);
      ASSERT_EQ(next[k], col < 4 ? ((col + 16) * 7 + row * 3) % 11 == 9 ? 255 : ((col + 16) * 7 + row * 3) % 11 : 255);
    }
}

TEST(Label, RasterElsewhereIsAnError) {
  World world(kLattice, {{50000, 500064, 16}});
  TinyRaster raster;
  raster.transform = std::vector<double>{600000, 10, 0, 5000647, 0, -10};
  write_raster(world.path("classes.tif"), raster);
  LayerConfig layer;
  layer.raster = "classes.tif";
  world.job.layers = {{"classes", layer}};
  EXPECT_THROW(world.run(), Error);
}

TEST(Label, InputHashFollowsContent) {
  World world(kLattice, {{50000, 500064, 16}});
  world.write("f.geojson", "{}");
  world.job.layers = {{"things", polygons_of("f.geojson")}};
  const StageInput in{world.job, world.manifest(), world.path("work")};
  const std::string before = hash_label_inputs(in);
  EXPECT_EQ(hash_label_inputs(in), before);
  world.write("f.geojson", "{ }");
  EXPECT_NE(hash_label_inputs(in), before);
  std::filesystem::remove(world.path("f.geojson"));
  EXPECT_THROW(hash_label_inputs(in), Error);
}

TEST(LabelReal, LandUsePolygonsBurnToTheReferenceRaster) {
  TILEWRIGHT_NEEDS_DATA("A-s2-slovenia-series");
  const auto folder = real_data() / "A-s2-slovenia-series";
  const Raster raster = Raster::open(folder / "LULC.tif", {});
  const auto& info = raster.info();
  Bytes expected(static_cast<std::size_t>(info.width * info.height));
  raster.read(0, {0, 0, info.width, info.height}, std::as_writable_bytes(std::span(expected)));
  LayerConfig config;
  config.vector = "LULC.gpkg";
  config.layer = "LULC";
  config.extent.kind = ExtentKind::all;
  config.where = "LULC_ID > 0";  // 0 is no land use
  config.class_rule.by_field = FieldClasses{"LULC_ID", {{"1", 1}, {"2", 2}, {"3", 3}, {"4", 4}, {"8", 8}}};
  LabelObjects objects = read_label_objects("lulc", config, {folder / "LULC.gpkg", "", ""}, {});
  LabelGround ground;
  ground.zones = {info.crs};
  ground.windows = {{"whole", 0, {info.affine, {0, 0, info.width, info.height}}, info.affine}};
  const VectorMasks masks(ground, objects);
  const Bytes drawn = masks.draw(0).pixels;
  std::size_t different = 0;
  for (std::size_t k = 0; k < drawn.size(); ++k) different += drawn[k] != expected[k];
  EXPECT_EQ(different, 0U);
}

TEST(LabelReal, RoadsOfLasVegasHaveWidthsFromTheirLanes) {
  TILEWRIGHT_NEEDS_DATA("B-vegas-spacenet-roads");
  LayerConfig config;
  config.vector = "roads";
  config.draw = Draw::lines;
  config.width.emplace();
  config.width->lanes = "lane_number";
  config.width->shoulder_m = 1;
  config.width->constant_m = 6;
  const LabelObjects objects =
      read_label_objects("roads", config, {real_data() / "B-vegas-spacenet-roads/img0/roads_AOI_2_Vegas_img0.geojson", "", ""}, {});
  ASSERT_EQ(objects.rows.size(), 38U);
  std::map<double, int> widths;
  for (const auto& row : objects.rows) {
    EXPECT_EQ(row.rule, "lanes");
    ++widths[*row.width_m];
  }
  EXPECT_EQ(widths, (std::map<double, int>{{4.5, 34}, {8, 2}, {11.5, 2}}));
}

TEST(LabelReal, AllFootprintsOfAlexandriaAreDrawn) {
  TILEWRIGHT_NEEDS_DATA("B-alexandria-dsm-buildings");
  const auto folder = real_data() / "B-alexandria-dsm-buildings";
  const Raster raster = Raster::open(folder / "dsm.tif", {});
  const auto& a = raster.info().affine;
  const Lattice lattice{26918, 2, {a.c, a.f}};
  std::vector<LatticeWindow> windows;
  for (int k = 0; k < 25; ++k) windows.push_back({64 * (k % 5), -64 * (k / 5), 64});
  World world(lattice, windows);
  std::filesystem::copy_file(folder / "buildings.geojson", world.path("buildings.geojson"));
  LayerConfig layer = polygons_of("buildings.geojson");
  layer.extent.kind = ExtentKind::hull;
  world.job.layers = {{"buildings", layer}};
  const StageReport report = world.run();
  const std::map<std::string, std::int64_t> counts(report.counts.begin(), report.counts.end());
  EXPECT_EQ(counts.at("drawn") + counts.at("repaired"), 84);
  EXPECT_EQ(counts.at("masks"), 25);
  double painted_m2 = 0, true_m2 = 0;
  for (const auto& row : index::masks(world.manifest(), "buildings")) {
    const Bytes mask = world.mask("buildings", row.location_id);
    painted_m2 += 4.0 * static_cast<double>(std::count(mask.begin(), mask.end(), 1));
  }
  const auto features = read_vector_layer(folder / "buildings.geojson", "", {}, {});
  for (const auto& feature : features.features) true_m2 += geometry::geodesic_area_m2(*geometry::geographic(geometry::gate(feature.polygons).polygons, features.crs));
  EXPECT_NEAR(painted_m2 / true_m2, 1, 0.01);
}

TEST(LabelReal, RoadsOfOlempsKeepTheRuleOfTheirWidth) {
  TILEWRIGHT_NEEDS_DATA("B-olemps-bdtopo-road-widths");
  LayerConfig config;
  config.layer = "route_v2";
  config.draw = Draw::lines;
  config.width.emplace();
  config.width->attribute = "largeur";
  config.width->classes = WidthClasses{"nature", "france"};
  config.width->constant_m = 6;
  const LabelObjects objects =
      read_label_objects("roads", config, {real_data() / "B-olemps-bdtopo-road-widths/olemps_bdtopo.gpkg", "", ""}, {});
  std::map<std::string, int> rules;
  for (const auto& row : objects.rows) ++rules[row.rule.value_or("none")];
  EXPECT_EQ(rules["attribute"], 4981 - 918) << "0 = unknown goes to the next rule";
  EXPECT_EQ(rules["classes"] + rules["constant"], 918);
  EXPECT_GT(rules["classes"], 900);
}

TEST(LabelReal, RoadsOfTheMaugesCoverTheirAreaThoughThinnerThanAPixel) {
  TILEWRIGHT_NEEDS_DATA("B-mauges-dem-road-widths");
  const auto folder = real_data() / "B-mauges-dem-road-widths";
  const Raster raster = Raster::open(folder / "dem_15m.tif", {});
  const auto& info = raster.info();
  LayerConfig config = lines_of("roads.geojson");
  config.width->attribute = "WIDTH";
  config.width->constant_m = 4;
  LabelObjects objects = read_label_objects("roads", config, {folder / "roads.geojson", "", ""}, {});
  std::map<std::string, int> rules;
  for (const auto& row : objects.rows) ++rules[row.rule.value_or("none")];
  EXPECT_EQ(rules, (std::map<std::string, int>{{"attribute", 274}, {"constant", 9}}));
  LabelGround ground;
  ground.zones = {info.crs};
  const geometry::Window window{-20, -20, info.width + 40, info.height + 40};
  ground.windows = {{"whole", 0, {info.affine, window}, info.affine}};
  const VectorMasks masks(ground, objects);
  double covered_m2 = 0, lengths_m2 = 0;
  for (const float share : masks.draw_coverage(0, 0).shares) covered_m2 += 225.0 * static_cast<double>(share);
  for (const auto& object : objects.objects)
    for (const auto& line : object.lines)
      for (std::size_t k = 0; k + 1 < line.line.size(); ++k)
        lengths_m2 += 2 * object.half_width_m * std::hypot(line.line[k + 1].x - line.line[k].x, line.line[k + 1].y - line.line[k].y);
  RecordProperty("covered_share", std::to_string(covered_m2 / lengths_m2));
  EXPECT_NEAR(covered_m2 / lengths_m2, 1, 0.03) << "roads that meet share their junctions";
}

}  // namespace
}  // namespace tilewright::pipeline
