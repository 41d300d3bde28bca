// SPDX-License-Identifier: Apache-2.0
// Split lists of other tools: tables, folders and vector files, and what each says of leakage.
#include "pipeline/stages/split_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
