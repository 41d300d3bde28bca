// SPDX-License-Identifier: Apache-2.0
// The split stage: parts on locations, a person's own list, and what is told.
#include "geometry/crs.h"
#include "geometry/error.h"
#include "pipeline/stages/split_table.h"
#include "tests/pipeline/stage_bench.h"

namespace tilewright::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class SplitStage : public ::testing::Test {
 protected:
  SplitStage() : manifest_(bench_.manifest()) {
    bench_.job.split = SplitSection{.block_m = 400, .seed = 3};
    bench_.job.grid.resolution_m = 10;
  }
  /// A grid of locations of 160 m, one tile a column.
  void add_locations(int columns, int rows) {
    const auto crs = geometry::Crs::from_epsg(32633);
    manifest_.in_transaction([&] {
      for (int c = 0; c < columns; ++c) {
        const auto tile = "s-" + std::to_string(c);
        index::TileRow row{.tile_id = tile, .source = "s", .path = "data:scene_" + std::to_string(c) + ".tif", .component_id = c + 1, .status = "ok"};
        insert(manifest_, row);
        insert(manifest_, index::TileFileRow{tile, "", row.path, "", 1});
        for (int r = 0; r < rows; ++r) {
          const double x = 500000 + c * 160, y = 5000000 - r * 160;
          const auto id = "e32633_r10000000_s16_x" + std::to_string(c) + "_y" + std::to_string(r);
          const auto geom = geometry::geographic({{{{x, y - 160}, {x + 160, y - 160}, {x + 160, y}, {x, y}, {x, y - 160}}, {}}}, crs);
          insert(manifest_, index::LocationRow{id, *geom, 32633, x, y, 10, 16, 1, {}});
          insert(manifest_, index::ViewRow{.location_id = id, .tile_id = tile});
        }
      }
    });
  }
  StageReport run() { return bench_.run(run_split, manifest_); }

  StageBench bench_;
  index::Manifest manifest_;
};

TEST_F(SplitStage, WritesPartsTwiceTheSame) {
  add_locations(20, 20);
  const auto report = run();
  EXPECT_EQ(count_of(report, "train") + count_of(report, "val") + count_of(report, "test") + count_of(report, "guard"), 400);
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("share a scene with train"), HasSubstr("least distance between train and test")));
  const auto first = index::canonical_dump(manifest_);
  for (const auto& location : index::locations(manifest_)) EXPECT_TRUE(location.split);
  EXPECT_EQ(index::splits(manifest_, "split").size(), 400U);
  run();
  EXPECT_EQ(index::canonical_dump(manifest_), first);
}

TEST_F(SplitStage, FoldsAreThereWhenCurateWantsThem) {
  add_locations(20, 20);
  bench_.job.curate = CurateConfig{.scores = {"model_iou"}, .folds = 3};
  run();
  for (const auto& row : index::splits(manifest_, "split")) {
    ASSERT_TRUE(row.fold);
    EXPECT_LT(*row.fold, 3);
  }
}

TEST_F(SplitStage, StratifiedBlocksAreFrozenAtTheFirstSplit) {
  add_locations(20, 20);
  bench_.job.split->stratify = true;
  bench_.job.targets = {{"crop", TargetConfig{.kind = "class"}}};
  const auto give = [&](const std::string& id, int number) {
    manifest_.in_transaction([&] { insert(manifest_, index::TargetRow{.location_id = id, .name = "crop", .kind = "class", .value = number % 7 == 0 ? "rare" : "common"}); });
  };
  int number = 0;
  for (const auto& location : index::locations(manifest_)) give(location.location_id, number++);
  const auto report = run();
  EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("class crop rare is in")));
  std::map<std::string, std::optional<std::string>> first;
  for (const auto& location : index::locations(manifest_)) first[location.location_id] = location.split;
  manifest_.in_transaction([&] { index::clear_stage(manifest_, "label"); });
  for (const auto& [id, part] : first) give(id, 0);  // the labels change altogether
  run();
  for (const auto& location : index::locations(manifest_)) EXPECT_EQ(location.split, first[location.location_id]);
}

TEST_F(SplitStage, StratificationWithoutClassesIsRefused) {
  add_locations(4, 4);
  bench_.job.split->stratify = true;
  try {
    run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is nothing to balance"));
  }
}

TEST_F(SplitStage, OneSceneCannotBeSplitByAcquisition) {
  add_locations(1, 20);
  bench_.job.split->unit = index::SplitUnit::acquisition;
  EXPECT_THROW(run(), Error);
  EXPECT_TRUE(index::splits(manifest_, "split").empty());
}

TEST_F(SplitStage, TableNamesFilesByNameStemOrPath) {
  add_locations(4, 2);
  bench_.write_text("labels.csv", "\xEF\xBB\xBF\"file\",note,split\r\nscene_0,\"a, b\",train\r\ndata:scene_1.tif,,validate\nscene_2.tif,,test\n");
  bench_.job.split->table = SplitTable{.file = "labels.csv", .parts = {{"validate", "val"}}};
  auto report = run();
  EXPECT_THAT(report.notes, Not(Contains(HasSubstr("of no file of the sources"))));
  bench_.write_text("labels.csv", "\xEF\xBB\xBF\"file\",note,split\r\nscene_0,\"a, b\",train\r\ndata:scene_1.tif,,validate\nscene_2.tif,,test\nscene_7.tif,,test\n");
  report = run();
  EXPECT_THAT(report.notes, Contains("1 of 4 names in labels.csv are of no file of the sources, such as scene_7.tif"));
  EXPECT_EQ(count_of(report, "train"), 2);
  EXPECT_EQ(count_of(report, "val"), 2);
  EXPECT_EQ(count_of(report, "test"), 2);
  EXPECT_EQ(count_of(report, "unlisted"), 2);
  for (const auto& location : index::locations(manifest_))
    EXPECT_EQ(location.split.has_value(), location.location_id.find("_x3_") == std::string::npos);
}

TEST_F(SplitStage, TableWithUnknownPartsOrColumnsIsRefused) {
  add_locations(2, 2);
  const auto error_of = [&](const std::string& text) -> std::string {
    bench_.write_text("labels.csv", text);
    bench_.job.split->table = SplitTable{.file = "labels.csv"};
    try {
      run();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error_of("file,split\nscene_0,holdout\n"), HasSubstr("holdout"));
  EXPECT_THAT(error_of("name,split\nscene_0,train\n"), HasSubstr("has no column \"file\""));
  EXPECT_THAT(error_of("file,split\nscene_0,train\nscene_0,test\n"), HasSubstr("as train and as test"));
  EXPECT_THAT(error_of("file,split\nelsewhere,train\n"), HasSubstr("none of 4 locations"));
}

TEST(CsvFields, QuotesHoldCommasAndQuotes) {
  for (const std::string text : {"plain", "a, b", "say \"hi\"", "\"", ""}) EXPECT_THAT(csv_fields(csv_cell(text) + ",x"), ElementsAre(text, "x"));
  EXPECT_THAT(csv_fields("a,\"b, \"\"c\"\"\",,d\r"), ElementsAre("a", "b, \"c\"", "", "d"));
}

}  // namespace
}  // namespace tilewright::pipeline
