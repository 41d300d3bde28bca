// SPDX-License-Identifier: Apache-2.0
// Kinds of a layer beside the class mask: cuts of the mosaic, their values, and what is unknown.
#include "pipeline/stages/label_kinds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "geometry/distance.h"
#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

constexpr int kPatch = 32, kTiles = 5;
constexpr std::int64_t kCol = 50000, kRow = 500160;  // of the mosaic's upper-left corner
const std::vector<std::string> kAllKinds{"instances", "boundary", "contact", "distance",
                                         "coverage", "touched"};

double any(std::mt19937& random, double low, double range) {
  return low + range * (random() / 4294967296.0);
}

/// Small polygons that touch and overlap, one wider than several patches, one that tells nothing.
Features buildings() {
  std::mt19937 random(72);
  Features features;
  for (int k = 0; k < 70; ++k) {
    const double x = any(random, 500000, 1600), y = any(random, 5000000, 1600);
    features.polygon({{x, y},
                      {x + any(random, 5, 90), y + any(random, -9, 20)},
                      {x + any(random, 20, 60), y + any(random, 20, 70)}});
  }
  features.polygon({{499900, 5000700}, {501700, 5000650}, {501700, 5000790}, {499900, 5000740}});
  features.polygon(square(500900, 5001100, 130), "\"kind\":\"unknown\"");
  return features;
}
Features roads() {
  std::mt19937 random(73);
  Features features;
  for (int k = 0; k < 25; ++k) {
    const double x = any(random, 500000, 1600), y = any(random, 5000000, 1600);
    features.line({{x, y},
                   {x + any(random, -200, 400), y + any(random, -200, 400)},
                   {x + any(random, -300, 600), y + any(random, -300, 600)}},
                  "\"kind\":\"a\",\"width\":\"" + std::to_string(3 + k % 30) + "\"");
  }
  return features;
}

NamedList<LayerConfig> layers() {
  LayerConfig polygons = polygons_of("b.geojson"), lines = lines_of("r.geojson");
  polygons.class_rule.by_field = FieldClasses{"kind", {{"a", 1}, {"unknown", 255}}};
  polygons.kinds = lines.kinds = kAllKinds;
  polygons.extent.kind = ExtentKind::hull;
  polygons.boundary_px = 2;
  polygons.distance_m = 120;
  lines.distance_m = 77;
  LayerConfig raster;
  raster.raster = "classes.tif";
  raster.kinds = {"boundary", "distance"};
  raster.boundary_px = 3;
  return {{"buildings", polygons}, {"roads", lines}, {"cover", raster}};
}

void write_inputs(World& world) {
  world.write("b.geojson", buildings().text());
  world.write("r.geojson", roads().text());
  TinyRaster raster;
  raster.width = raster.height = 150;
  raster.transform = std::vector<double>{500055, 10, 0, 5001555, 0, -10};
  raster.nodata = 9;
  raster.pixel = [](int, int col, int row) {
    return (col / 13 * 5 + row / 9 * 3) % 4 == 0 ? (col + row) % 90 == 0 ? 9 : 1 + col / 50 : 0;
  };
  write_raster(world.path("classes.tif"), raster);
  world.job.layers = layers();
}

std::vector<LatticeWindow> tiles() {
  std::vector<LatticeWindow> windows;
  for (int k = 0; k < kTiles * kTiles; ++k)
    windows.push_back({kCol + kPatch * (k % kTiles), kRow - kPatch * (k / kTiles), kPatch});
  return windows;
}

/// The mosaic in one window, and the same in tiles. The location of the mosaic is the only one of
/// its world.
struct Worlds {
  Worlds() : mosaic(kLattice, {{kCol, kRow, kPatch * kTiles}}), cut(kLattice, tiles()) {
    write_inputs(mosaic);
    write_inputs(cut);
    mosaic.run();
    cut.run();
  }
  World mosaic, cut;
};
Worlds& worlds() {
  static Worlds both;
  return both;
}

template <class T>
std::vector<T> mosaic_of(const std::string& series) {
  return worlds().mosaic.array<T>(series,
                                  geometry::location_id(kLattice, {kCol, kRow, kPatch * kTiles}));
}

/// Pixels that differ between the tiles and the cut of the mosaic, bit for bit.
template <class T>
std::int64_t different(const std::string& series) {
  const auto whole = mosaic_of<T>(series);
  if (whole.size() != std::size_t{kPatch * kTiles * kPatch * kTiles}) return -1;
  std::int64_t count = 0;
  for (const auto& window : tiles()) {
    const auto part = worlds().cut.array<T>(series, geometry::location_id(kLattice, window));
    if (part.size() != std::size_t{kPatch * kPatch}) return -1;
    for (int row = 0; row < kPatch; ++row)
      count +=
          kPatch * (std::memcmp(&part[static_cast<std::size_t>(row * kPatch)],
                                &whole[static_cast<std::size_t>(
                                    (kRow - window.j + row) * kPatch * kTiles + window.i - kCol)],
                                kPatch * sizeof(T)) != 0);
  }
  return count;
}

TEST(LabelKinds, TilesEqualTheCutOfTheMosaic) {
  for (const std::string layer : {"buildings", "roads"}) {
    EXPECT_EQ(different<std::uint8_t>(layer), 0) << layer;
    EXPECT_EQ(different<std::uint32_t>(layer + "_instances"), 0) << layer;
    EXPECT_EQ(different<std::uint8_t>(layer + "_boundary"), 0) << layer;
    EXPECT_EQ(different<std::uint8_t>(layer + "_contact"), 0) << layer;
    EXPECT_EQ(different<float>(layer + "_distance"), 0) << layer;
    EXPECT_EQ(different<float>(layer + "_coverage"), 0) << layer;
    EXPECT_EQ(different<std::uint8_t>(layer + "_touched"), 0) << layer;
  }
  EXPECT_EQ(different<std::uint8_t>("cover_boundary"), 0);
  EXPECT_EQ(different<float>("cover_distance"), 0);
}

TEST(LabelKinds, AreMadeOfTheObjectsOfTheMosaic) {
  const auto classes = mosaic_of<std::uint8_t>("buildings");
  const auto ids = mosaic_of<std::uint32_t>("buildings_instances");
  const auto boundary = mosaic_of<std::uint8_t>("buildings_boundary"),
             contact = mosaic_of<std::uint8_t>("buildings_contact");
  const auto distance = mosaic_of<float>("buildings_distance"),
             coverage = mosaic_of<float>("buildings_coverage");
  std::set<std::uint32_t> found;
  std::int64_t in_band = 0, near = 0;
  for (std::size_t k = 0; k < ids.size(); ++k) {
    const bool is_object = ids[k] != 0 && ids[k] != geometry::kUnknownObject;
    ASSERT_EQ(classes[k], ids[k] == geometry::kUnknownObject ? 255 : is_object ? 1 : 0);
    if (is_object) found.insert(ids[k]);
    if (!std::isnan(distance[k])) {
      ASSERT_EQ(distance[k] > 0, is_object);
      ASSERT_LE(std::abs(distance[k]), 120.0F);
    }
    ASSERT_EQ(std::isnan(coverage[k]), ids[k] == geometry::kUnknownObject);
    ASSERT_TRUE(boundary[k] != 1 || is_object);
    ASSERT_TRUE(contact[k] != 1 || ids[k] == 0);
    in_band += boundary[k] == 1;
    near += contact[k] == 1;
  }
  EXPECT_GT(found.size(), 60U);
  EXPECT_TRUE(found.contains(71)) << "the object that is wider than a patch";
  EXPECT_LE(*found.rbegin(), 71U) << "ids count the objects of the file, from 1";
  EXPECT_GT(in_band, 300);
  EXPECT_GT(near, 20);
}

TEST(LabelKinds, TouchedPixelsAreThoseThatAreCoveredAtAll) {
  for (const std::string layer : {"buildings", "roads"}) {
    const auto classes = mosaic_of<std::uint8_t>(layer), touched = mosaic_of<std::uint8_t>(layer + "_touched");
    const auto coverage = mosaic_of<float>(layer + "_coverage");
    std::int64_t more = 0;
    for (std::size_t k = 0; k < classes.size(); ++k) {
      ASSERT_TRUE(classes[k] == 0 || touched[k] != 0 || layer == "roads") << layer << " " << k;
      if (classes[k] == 255 || touched[k] == 255) continue;
      ASSERT_TRUE(touched[k] == 1 || coverage[k] < 1e-11F) << layer << " " << k;
      ASSERT_TRUE(touched[k] == 0 || coverage[k] > 0) << layer << " " << k;
      more += classes[k] == 0 && touched[k] == 1 ? 1 : 0;
    }
    EXPECT_GT(more, 500) << layer;
  }
}

TEST(LabelKinds, AnObjectHasTheSameIdInEveryTile) {
  int tiles_with_the_wide_one = 0;
  for (const auto& window : tiles()) {
    const auto ids = worlds().cut.array<std::uint32_t>("buildings_instances",
                                                       geometry::location_id(kLattice, window));
    tiles_with_the_wide_one += std::ranges::find(ids, 71U) != ids.end();
  }
  EXPECT_GE(tiles_with_the_wide_one, kTiles);
}

TEST(LabelKinds, SharesOfPixelsAddUpToTheAreaOfWhatIsDrawn) {
  World world(kLattice, {{50000, 500064, 16}});  // 500003..500163, 5000487..5000647
  Features polygons, lines;
  polygons.polygon(square(500051, 5000512, 33));
  lines.line({{500020, 5000500}, {500140, 5000620}}, "\"width\":\"6\"");
  world.write("p.geojson", polygons.text());
  world.write("l.geojson", lines.text());
  LayerConfig p = polygons_of("p.geojson"), l = lines_of("l.geojson");
  p.kinds = l.kinds = {"coverage"};
  world.job.layers = {{"p", p}, {"l", l}};
  world.run();
  const auto area = [&](const std::string& series) {
    double sum = 0;
    for (const float share :
         world.array<float>(series, geometry::location_id(kLattice, {50000, 500064, 16})))
      sum += 100.0 * static_cast<double>(share);
    return sum;
  };
  EXPECT_NEAR(area("p_coverage"), 33 * 33, 0.01);
  EXPECT_NEAR(area("l_coverage"), 120 * std::sqrt(2.0) * 6, 40)
      << "a road thinner than a pixel, by points: worst where it runs along their diagonal";
}

TEST(LabelKinds, DistancesAreMetresOnTheGround) {
  World world({3857, 10, {0, 0}},
              {{200000, 834000, 64}});  // 60 degrees north: a pixel measures 5 m
  const geometry::Transform degrees(geometry::Crs::from_epsg(3857), geometry::wgs84());
  const auto at = [&](double x, double y) {
    const auto p = degrees({x, y});
    return "[" + std::to_string(p->x) + "," + std::to_string(p->y) + "]";
  };
  const double x = 2000000, y = 8340000;
  world.write("p.geojson",
              "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{"
              "},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[" +
                  at(x, y - 640) + "," + at(x + 320, y - 640) + "," + at(x + 320, y) + "," +
                  at(x, y) + "," + at(x, y - 640) + "]]}}]}");
  LayerConfig layer = polygons_of("p.geojson");
  layer.kinds = {"distance"};
  layer.distance_m = 40;
  world.job.layers = {{"p", layer}};
  world.run();
  const auto distance = world.array<float>("p_distance", "e3857_r10000000_s64_x200000_y834000");
  ASSERT_EQ(distance.size(), 64U * 64U);
  EXPECT_NEAR(distance[32 * 64 + 36], -25, 0.3);
  EXPECT_NEAR(distance[32 * 64 + 28], 20, 0.3);
  EXPECT_EQ(distance[32 * 64 + 60], -40.0F);
}

TEST(LabelPoints, AreDiscsOrSinglePixelsInEveryTile) {
  Features f;
  const geometry::Transform degrees(geometry::Crs::from_epsg(32633), geometry::wgs84());
  std::mt19937 random(74);
  for (int k = 0; k < 40; ++k) {
    const auto p = degrees({any(random, 500003, 320), any(random, 5000327, 320)});
    std::ostringstream text;
    text.precision(17);
    text << "{\"type\":\"Point\",\"coordinates\":[" << p->x << "," << p->y << "]}";
    f.add(text.str(), "\"kind\":\"a\"");
  }
  LayerConfig pixels = polygons_of("f.geojson"), discs = pixels;
  pixels.draw = discs.draw = Draw::points;
  discs.width.emplace();
  discs.width->constant_m = 60;
  discs.kinds = {"instances"};
  const auto drawn = [&](const std::vector<LatticeWindow>& windows, const std::string& series) {
    World world(kLattice, windows);
    world.write("f.geojson", f.text());
    world.job.layers = {{"pixels", pixels}, {"discs", discs}};
    world.run();
    std::vector<Bytes> masks;
    for (const auto& window : windows)
      masks.push_back(world.mask(series, geometry::location_id(kLattice, window)));
    return masks;
  };
  std::vector<LatticeWindow> quarters;
  for (int k = 0; k < 4; ++k) quarters.push_back({50000 + 16 * (k % 2), 500064 - 16 * (k / 2), 16});
  for (const std::string series : {"pixels", "discs"}) {
    const Bytes whole = drawn({{50000, 500064, 32}}, series).at(0);
    const auto cut = drawn(quarters, series);
    const auto count = std::ranges::count(whole, 1);
    if (series == "pixels") {
      EXPECT_GT(count, 35);
      EXPECT_LE(count, 40);
    } else {
      EXPECT_GT(count, 40 * 12) << "a disc of 60 m holds about 28 pixels, some twice";
    }
    for (std::size_t row = 0; row < 32; ++row)
      for (std::size_t col = 0; col < 32; ++col)
        ASSERT_EQ(cut[row / 16 * 2 + col / 16][row % 16 * 16 + col % 16], whole[row * 32 + col]);
  }
}

TEST(LabelKinds, ANewKindLeavesTheOthersAlone) {
  World world(kLattice, {{50000, 500064, 16}});
  Features f;
  f.polygon(square(500051, 5000512, 33));
  world.write("p.geojson", f.text());
  LayerConfig layer = polygons_of("p.geojson");
  layer.kinds = {"boundary"};
  world.job.layers = {{"p", layer}};
  world.run();
  const auto before = index::masks(world.manifest(), "p_boundary").at(0).place;
  std::filesystem::remove(world.path("work/shards/p_boundary-000000.idx"));
  world.job.layers[0].second.kinds = {"boundary", "distance"};
  world.job.layers[0].second.distance_m = 20;
  world.run();
  EXPECT_EQ(index::masks(world.manifest(), "p_boundary").at(0).place->sha256, before->sha256);
  EXPECT_EQ(index::masks(world.manifest(), "p_distance").size(), 1U);
  world.job.layers[0].second.kinds = {};
  world.run();
  EXPECT_TRUE(index::masks(world.manifest(), "p_boundary").empty());
  EXPECT_EQ(index::masks(world.manifest(), "p").size(), 1U);
}

}  // namespace
}  // namespace tilewright::pipeline
