// SPDX-License-Identifier: Apache-2.0
// Split lists of other tools: tables, folders and vector files, and what each says of leakage.
#include "pipeline/stages/split_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "geometry/error.h"
#include "tests/pipeline/tiny_raster.h"

namespace tilewright::pipeline {
namespace {

using ::testing::HasSubstr;

TinyRaster raster_at(double x, double first) {
  TinyRaster raster;
  raster.transform = std::vector<double>{x, 10, 0, 5000000, 0, -10};
  raster.pixel = [first](int, int col, int row) { return first + col + row; };
  return raster;
}

class SplitListTest : public testing::Test {
 protected:
  [[nodiscard]] SplitList read(const std::string& name, const std::string& scene = "") const { return read_split_list(folder / name, scene, {}); }
  [[nodiscard]] index::SplitAudit audit(const std::string& name, const std::string& scene = "") const { return index::audit_samples(read(name, scene).samples); }
  std::string refusal(const std::string& name, const std::string& scene = "") const {
    try {
      (void)read(name, scene);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "nothing refused";
  }
  TemporaryFolder folder;
};

TEST_F(SplitListTest, FoldersOfRastersShareGroundAndPixels) {
  std::filesystem::create_directories(folder / "set/train");
  std::filesystem::create_directories(folder / "set/test");
  write_raster(folder / "set/train/a.tif", raster_at(500000, 1));
  write_raster(folder / "set/test/b.tif", raster_at(500040, 2));   // half of a's ground
  write_raster(folder / "set/test/c.tif", raster_at(500180, 3));   // 100 m from a
  std::filesystem::copy_file(folder / "set/train/a.tif", folder / "set/test/d.tif");
  const auto found = audit("set");
  ASSERT_EQ(found.parts.size(), 1U);
  EXPECT_EQ(found.train, 1);
  EXPECT_EQ(found.parts[0].samples, 3);
  EXPECT_EQ(found.parts[0].ground, 2);
  EXPECT_EQ(found.parts[0].content, 1);
  EXPECT_EQ(found.parts[0].any, 2);
  EXPECT_EQ(found.of[1].nearest_m, 100.0);
}

TEST_F(SplitListTest, ARecompressedCopyHasNearEqualPixels) {
  const auto waves = [](double phase, double more) {
    TinyRaster raster = raster_at(500000 + 1000 * phase, 0);
    raster.width = raster.height = 32;
    raster.type = GDT_Float32;
    raster.pixel = [phase, more](int, int col, int row) { return 50 + 30 * std::sin(phase + 0.3 * col) + 10 * std::cos(0.2 * row) + more; };
    return raster;
  };
  for (const char* name : {"set/train", "set/test"}) std::filesystem::create_directories(folder / name);
  write_raster(folder / "set/train/a.tif", waves(1, 0));
  auto copy = waves(1, 0.01);
  copy.transform = std::vector<double>{700000, 10, 0, 5000000, 0, -10};
  write_raster(folder / "set/test/b.tif", copy);
  write_raster(folder / "set/test/c.tif", waves(3, 0));
  const auto found = audit("set");
  EXPECT_EQ(found.parts.at(0).content, 0);
  EXPECT_EQ(found.parts.at(0).near_content, 1);
  EXPECT_EQ(found.parts.at(0).any, 1);
  EXPECT_TRUE(found.of[0].near_content) << "test/b.tif comes first";
}

TEST(SplitObjects, ASegmentTouchesABoxIfOneOfManyPointsDoes) {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> u(-3, 3);
  const geometry::Box box{-1, -1, 1, 1};
  int hits = 0;
  for (int n = 0; n < 3000; ++n) {
    const geometry::MapXY a{u(random), u(random)}, b{u(random), u(random)};
    bool wanted = false;
    double nearest = 9;
    for (int k = 0; k <= 2000; ++k) {
      const double t = k / 2000.0, x = a.x + t * (b.x - a.x), y = a.y + t * (b.y - a.y);
      nearest = std::min(nearest, std::max(std::abs(x), std::abs(y)));
      wanted = wanted || (std::abs(x) <= 1 && std::abs(y) <= 1);
    }
    if (std::abs(nearest - 1) < 0.004) continue;  // too near to the border for the points
    EXPECT_EQ(touches(box, a, b), wanted);
    hits += wanted;
  }
  EXPECT_GT(hits, 500);
  EXPECT_TRUE(touches(box, {0, 0}, {0, 0}));
  EXPECT_FALSE(touches(box, {2, 0}, {2, 0}));
}

TEST_F(SplitListTest, AnObjectThatRunsThroughTwoPartsIsTold) {
  folder.write("split.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {"subset": "train", "id": "a"}, "geometry": {"type": "Polygon", "coordinates": [[[10, 50], [10.01, 50], [10.01, 50.01], [10, 50.01], [10, 50]]]}},
    {"type": "Feature", "properties": {"subset": "test", "id": "b"}, "geometry": {"type": "Polygon", "coordinates": [[[10.02, 50], [10.03, 50], [10.03, 50.01], [10.02, 50.01], [10.02, 50]]]}},
    {"type": "Feature", "properties": {"subset": "test", "id": "c"}, "geometry": {"type": "Polygon", "coordinates": [[[10.04, 50], [10.05, 50], [10.05, 50.01], [10.04, 50.01], [10.04, 50]]]}}]})");
  folder.write("roads.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[10.005, 50.005], [10.025, 50.005]]}},
    {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [[10.041, 50.002], [10.049, 50.008]]}}]})");
  folder.write("houses.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[[10.009, 50.001], [10.0195, 50.001], [10.0195, 50.002], [10.009, 50.002], [10.009, 50.001]]]}}]})");
  Job job;
  job.file = folder / "job.yaml";
  LayerConfig roads, houses;
  roads.vector = "roads.geojson";
  roads.draw = Draw::lines;
  roads.width.emplace();
  roads.width->constant_m = 6;
  houses.vector = "houses.geojson";
  LayerConfig gone;
  gone.vector = "gone.geojson";
  job.layers = {{"roads", roads}, {"houses", houses}, {"gone", gone}};
  auto list = read("split.geojson");
  add_label_objects(list, job);
  EXPECT_EQ(list.samples[0].objects.size(), 2U);
  EXPECT_EQ(list.samples[1].objects.size(), 1U);
  EXPECT_EQ(list.samples[2].objects.size(), 1U);
  ASSERT_FALSE(list.notes.empty());
  EXPECT_THAT(list.notes.back(), HasSubstr("objects of layer gone are not compared"));
  const auto found = index::audit_samples(list.samples);
  EXPECT_TRUE(found.of[1].object);
  EXPECT_FALSE(found.of[2].object);
  EXPECT_EQ(found.parts.at(0).any, 0);
}

TEST_F(SplitListTest, ATableSaysScenesPlacesAndParts) {
  folder.write("list.csv", "\xEF\xBB\xBFID,Split,scene,location,lon,lat\n\"a,1\",training,s1,l1,10,50\nb,Validation,s1,l2,10.01,50\nc,test,s2,l1,11,50\n");
  const auto list = read("list.csv");
  ASSERT_EQ(list.samples.size(), 3U);
  EXPECT_EQ(list.samples[0].where.location_id, "a,1");
  EXPECT_EQ(list.samples[1].part, "val");
  const auto found = index::audit_samples(list.samples);
  EXPECT_TRUE(found.of[1].scene);
  EXPECT_FALSE(found.of[2].scene);
  EXPECT_TRUE(found.of[2].location);
  EXPECT_NEAR(*found.of[1].nearest_m, 716, 3);  // a hundredth of a degree at 50 north, less the metre that a point counts as
}

TEST_F(SplitListTest, ANameInTwoRowsIsToldAndCountsAsOneLocation) {
  folder.write("list.csv", "id,split\na,train\nb,test\na,test\nc,test\n");
  const auto list = read("list.csv");
  EXPECT_THAT(list.notes.at(0), HasSubstr("1 name stands in several rows, such as 'a' (train and test)"));
  const auto found = index::audit_samples(list.samples);
  EXPECT_FALSE(found.of[1].location);
  EXPECT_TRUE(found.of[2].location);
  EXPECT_EQ(found.parts.at(0).any, 1);
  // Two tables may number their rows alike.
  folder.write("apart/train.csv", "id\n1\n2\n");
  folder.write("apart/test.csv", "id\n1\n");
  EXPECT_EQ(index::audit_samples(read("apart").samples).parts.at(0).any, 0);
}

TEST_F(SplitListTest, TablesByPartAndScenesByName) {
  folder.write("train_files.csv", "image,mask\nscene7/1.tif,x\nscene8/1.tif,x\n");
  folder.write("test_files.csv", "image,mask\nscene7/2.tif,x\nscene9/1.tif,x\n");
  EXPECT_FALSE(audit("").knows_scenes);
  const auto found = audit("", "^([^/]+)/");
  EXPECT_EQ(found.parts.at(0).scene, 1);
  EXPECT_THAT(read("").notes.at(0), HasSubstr("4 files of the list are not beside it"));
}

TEST_F(SplitListTest, VectorFilesGivePolygons) {
  folder.write("split.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {"subset": "train", "id": "a"}, "geometry": {"type": "Polygon", "coordinates": [[[10, 50], [10.01, 50], [10.01, 50.01], [10, 50.01], [10, 50]]]}},
    {"type": "Feature", "properties": {"subset": "test", "id": "b"}, "geometry": {"type": "Polygon", "coordinates": [[[10.005, 50], [10.02, 50], [10.02, 50.01], [10.005, 50.01], [10.005, 50]]]}},
    {"type": "Feature", "properties": {"subset": "test", "id": "c"}, "geometry": null}]})");
  const auto found = audit("split.geojson");
  EXPECT_EQ(found.parts.at(0).ground, 1);
  EXPECT_EQ(found.without_place, 1);
}

TEST_F(SplitListTest, WhatIsNoSplitListIsRefusedWithItsRemedy) {
  folder.write("no_part.csv", "file,class\na.tif,1\n");
  folder.write("no_train.csv", "file,split\na.tif,test\n");
  folder.write("ragged.csv", "file,split\na.tif\n");
  folder.write("empty/readme.txt", "");
  EXPECT_THAT(refusal("no_part.csv"), HasSubstr("no_part.csv:2 has no part; it needs a column split"));
  EXPECT_THAT(refusal("no_train.csv"), HasSubstr("none of the part 'train'"));
  EXPECT_THAT(refusal("ragged.csv"), HasSubstr("ragged.csv:2 has 1 fields, its header 2"));
  EXPECT_THAT(refusal("empty"), HasSubstr("neither tables"));
  EXPECT_THAT(refusal("missing"), HasSubstr("there is no"));
  EXPECT_THAT(refusal("no_train.csv", "("), HasSubstr("not a regular expression"));
  EXPECT_THAT(refusal("no_train.csv", "abc"), HasSubstr("has no group"));
}

}  // namespace
}  // namespace tilewright::pipeline
