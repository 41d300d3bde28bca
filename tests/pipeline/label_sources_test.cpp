// SPDX-License-Identifier: Apache-2.0
// What a layer takes from its files: conditions, levels, several files, extents, and what rejections leave unknown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "geometry/error.h"
#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

using testing::HasSubstr;

const LatticeWindow kWindow{500000, 5000200, 200};
const Lattice kMetre{32633, 1, {0, 0}};
const std::string kPlace = "e32633_r1000000_s200_x500000_y5000200";

/// 200 x 200 pixels of 1 m, the lower left corner at 500000, 5000000.
class LabelSources : public testing::Test {
 protected:
  int at(const std::string& layer, int x, int y) { return world_.mask(layer, kPlace).at(static_cast<std::size_t>((199 - y) * 200 + x)); }
  std::vector<index::LabelObjectRow> objects(const std::string& layer) { return index::label_objects(world_.manifest(), layer); }
  std::int64_t count(const std::string& layer, int value) {
    const Bytes mask = world_.mask(layer, kPlace);
    return std::count(mask.begin(), mask.end(), value);
  }
  static std::vector<geometry::MapXY> box(double x, double y, double size) { return square(500000 + x, 5000000 + y, size); }
  static std::vector<geometry::MapXY> line(double x0, double y0, double x1, double y1) { return {{500000 + x0, 5000000 + y0}, {500000 + x1, 5000000 + y1}}; }

  World world_{kMetre, {kWindow}};
};

TEST_F(LabelSources, ConditionsChooseObjectsAndClasses) {
  Features f;
  f.polygon(box(10, 10, 20), "\"use\":\"house\",\"floors\":2");
  f.polygon(box(50, 10, 20), "\"use\":\"house\",\"floors\":9");
  f.polygon(box(90, 10, 20), "\"use\":\"barn\",\"floors\":1");
  f.polygon(box(130, 10, 20), "\"use\":\"house\",\"floors\":null");
  world_.write("f.geojson", f.text());
  LayerConfig layer = polygons_of("f.geojson");
  layer.where = "use <> 'barn'";
  layer.class_rule.by_condition = {{"floors > 5", 7}, {"floors > 0", 3}};
  world_.job.layers = {{"things", layer}};
  world_.run();
  EXPECT_EQ(objects("things").size(), 3U) << "barns are no part of the layer";
  EXPECT_EQ(at("things", 20, 20), 3);
  EXPECT_EQ(at("things", 60, 20), 7);
  EXPECT_EQ(at("things", 100, 20), 0);
  EXPECT_EQ(at("things", 140, 20), 255) << "it meets no condition: its ground is unknown";
  EXPECT_EQ(objects("things").at(2).reason, "no_class");
  world_.job.layers.front().second.where = "use LIKES 'barn'";
  EXPECT_THAT(world_.error_of_run(), AllOf(HasSubstr("use LIKES 'barn'"), HasSubstr("floors")));
  world_.job.layers.front().second.where.reset();
  world_.job.layers.front().second.class_rule.by_condition = {{"stories > 5", 7}};
  EXPECT_THAT(world_.error_of_run(), HasSubstr("stories > 5"));
}

TEST_F(LabelSources, BridgesAndTunnelsAreDrawnDroppedOrMarked) {
  Features f;
  f.line(line(20, 100, 180, 100), "\"width\":10,\"tunnel\":\"yes\",\"layer\":\"-1\"");
  f.line(line(60, 20, 60, 180), "\"width\":10");
  f.line(line(120, 20, 120, 180), "\"width\":10,\"bridge\":\"viaduct\",\"layer\":1");
  f.line(line(20, 150, 180, 150), "\"width\":6,\"tunnel\":\"no\",\"bridge\":\"\",\"layer\":\"0;1\"");
  world_.write("f.geojson", f.text());
  const auto run = [&](Structure bridges, Structure tunnels) {
    LayerConfig layer = lines_of("f.geojson");
    layer.levels = LevelConfig{"bridge", "tunnel", "layer", bridges, tunnels};
    world_.job.layers = {{"roads", layer}};
    world_.run();
  };
  run(Structure::draw, Structure::draw);
  EXPECT_EQ(at("roads", 90, 100), 1);
  run(Structure::draw, Structure::drop);
  EXPECT_EQ(at("roads", 90, 100), 0);
  EXPECT_EQ(objects("roads").at(0).reason, "structure_dropped");
  EXPECT_EQ(at("roads", 120, 50), 1);
  run(Structure::drop, Structure::mark);
  EXPECT_EQ(at("roads", 90, 100), 255);
  EXPECT_EQ(at("roads", 60, 100), 1) << "the road above the tunnel is seen";
  EXPECT_EQ(objects("roads").at(0).status, "drawn");
  EXPECT_EQ(objects("roads").at(0).object_class, 255);
  EXPECT_EQ(at("roads", 120, 50), 0);
  EXPECT_EQ(at("roads", 90, 150), 1) << "neither a bridge nor a tunnel";
}

TEST_F(LabelSources, APatternNamesSeveralFilesOfOneLayer) {
  Features a, b;
  a.polygon(box(10, 10, 20));
  b.polygon(box(50, 10, 20));
  std::filesystem::create_directories(world_.path("many"));
  world_.write("many/a.geojson", a.text());
  world_.write("many/b.geojson", b.text());
  world_.job.layers = {{"things", polygons_of("many/*.geojson")}};
  world_.run();
  EXPECT_EQ(at("things", 20, 20), 1);
  EXPECT_EQ(at("things", 60, 20), 1);
  EXPECT_EQ(objects("things").at(0).object_id, "a/0");
  EXPECT_EQ(objects("things").at(1).object_id, "b/0");
  world_.job.layers = {{"things", polygons_of("many/*.gpkg")}};
  EXPECT_THAT(world_.error_of_run(), HasSubstr("no file matches"));
}

TEST_F(LabelSources, WhatIsRejectedLeavesItsGroundUnknown) {
  Features f;
  f.polygon(box(10, 10, 20), "\"kind\":\"b\"");
  f.polygon(box(60, 10, 20), "\"kind\":\"a\"");
  f.polygon(box(70, 10, 20), "\"kind\":\"b\"");
  world_.write("f.geojson", f.text());
  LayerConfig layer = polygons_of("f.geojson");
  layer.class_rule.by_field = FieldClasses{"kind", {{"a", 1}}};
  world_.job.layers = {{"things", layer}};
  const auto report = world_.run();
  EXPECT_EQ(at("things", 20, 20), 255);
  EXPECT_EQ(at("things", 65, 20), 1);
  EXPECT_EQ(at("things", 75, 20), 255) << "one of the two is there: unknown";
  EXPECT_EQ(count("things", 255), 800);
  EXPECT_EQ(index::masks(world_.manifest(), "things").at(0).object_count, 1);
  EXPECT_NEAR(objects("things").at(0).lon_deg.value(), 15.0, 0.01);

  Features roads;
  roads.line(line(20, 100, 180, 100), "\"width\":\"wide\"");
  roads.line(line(20, 50, 180, 50), "\"width\":4");
  world_.write("r.geojson", roads.text());
  world_.job.layers = {{"roads", lines_of("r.geojson")}};
  world_.run();
  EXPECT_EQ(objects("roads").at(0).reason, "no_width");
  EXPECT_EQ(at("roads", 100, 100), 255);
  EXPECT_EQ(count("roads", 255), 160 * 12);
  EXPECT_EQ(at("roads", 100, 50), 1);
}

TEST_F(LabelSources, AnExtentMayBeWiderOrNarrowerThanItsOutline) {
  Features f;
  f.polygon(box(40, 40, 100));
  world_.write("f.geojson", f.text());
  const auto ignored = [&](const ExtentConfig& extent) {
    LayerConfig layer = polygons_of("f.geojson");
    layer.extent = extent;
    world_.job.layers = {{"things", layer}};
    world_.run();
    return count("things", 255);
  };
  EXPECT_NEAR(static_cast<double>(ignored({ExtentKind::bounds, "", {}, 0})), 40000 - 10000, 300);
  const double corners = (4 - M_PI) * 20 * 20;
  EXPECT_NEAR(static_cast<double>(ignored({ExtentKind::bounds, "", {}, 20})), 40000 - 140 * 140 + corners, 300);
  EXPECT_EQ(at("things", 25, 90), 0);
  EXPECT_EQ(at("things", 15, 90), 255);
  EXPECT_NEAR(static_cast<double>(ignored({ExtentKind::hull, "", {}, -20})), 40000 - 60 * 60, 300);
  EXPECT_EQ(at("things", 55, 90), 255) << "a building whose edge may not be the whole of it";
}

TEST_F(LabelSources, AWidthMayChangeAlongTheLine) {
  Features f;
  f.line(line(20, 100, 180, 100), "\"width\":4,\"to\":24");
  world_.write("f.geojson", f.text());
  LayerConfig layer = lines_of("f.geojson");
  layer.width->attribute_end = "to";
  world_.job.layers = {{"roads", layer}};
  world_.run();
  const auto across = [&](int x) {
    int sum = 0;
    for (int y = 0; y < 200; ++y) sum += at("roads", x, y);
    return sum;
  };
  EXPECT_NEAR(across(22), 4, 1);
  EXPECT_NEAR(across(100), 14, 1);
  EXPECT_NEAR(across(178), 24, 1);
  EXPECT_EQ(objects("roads").at(0).source, "width = 4, to = 24");
}

/// Every way in which a layer draws, 5 x 5 tiles against their mosaic.
TEST(LabelMosaic, TilesAreCutsInEveryNewMode) {
  Features f, extent;
  for (int k = 0; k < 30; ++k)
    f.line({{500003 + 17.0 * k, 5000640 - 9.0 * k}, {500640 - 11.0 * k, 5000010 + 3.0 * k}}, "\"width\":" + std::to_string(3 + k % 20) + ",\"to\":" + std::to_string(40 - k) + ",\"layer\":" + std::to_string(k % 3 - 1) + ",\"kind\":\"" + (k % 7 == 0 ? "b" : "a") + "\"");
  extent.polygon({{500100, 5000050}, {500600, 5000120}, {500500, 5000600}, {500060, 5000420}});
  const auto masks = [&](const std::vector<LatticeWindow>& windows) {
    World world(kLattice, windows);
    world.write("f.geojson", f.text());
    world.write("e.geojson", extent.text());
    LayerConfig layer = lines_of("f.geojson");
    layer.width->attribute_end = "to";
    layer.class_rule.by_field = FieldClasses{"kind", {{"a", 1}}};
    layer.levels = LevelConfig{{}, {}, "layer", Structure::draw, Structure::mark};
    layer.extent = {ExtentKind::file, "e.geojson", {}, 35};
    LayerConfig narrow = layer;
    narrow.extent.margin_m = -35;
    world.job.layers = {{"wide", layer}, {"narrow", narrow}};
    world.run();
    std::map<std::string, Bytes> out;
    for (const auto& window : windows)
      for (const char* name : {"wide", "narrow"}) out[name + geometry::location_id(kLattice, window)] = world.mask(name, geometry::location_id(kLattice, window));
    return out;
  };
  const LatticeWindow whole_window{50000, 500064, 65};
  const auto whole = masks({whole_window});
  std::vector<LatticeWindow> parts;
  for (int k = 0; k < 25; ++k) parts.push_back({50000 + 13 * (k % 5), 500064 - 13 * (k / 5), 13});
  const auto cut = masks(parts);
  for (const std::string name : {"wide", "narrow"}) {
    const Bytes& all = whole.at(name + geometry::location_id(kLattice, whole_window));
    for (int value : {0, 1, 255}) EXPECT_GT(std::count(all.begin(), all.end(), value), 20) << name << value;
    for (int k = 0; k < 25; ++k)
      for (int row = 0; row < 13; ++row)
        for (int col = 0; col < 13; ++col)
          ASSERT_EQ(cut.at(name + geometry::location_id(kLattice, parts[static_cast<std::size_t>(k)]))[static_cast<std::size_t>(row * 13 + col)],
                    all[static_cast<std::size_t>((k / 5 * 13 + row) * 65 + k % 5 * 13 + col)]);
  }
}

}  // namespace
}  // namespace tilewright::pipeline
