// SPDX-License-Identifier: Apache-2.0
// Vectors beside the masks: their hashes, what verify and gc say of them, and how they come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pipeline/runner/gc.h"
#include "pipeline/runner/verify.h"
#include "pipeline/stages/label_export.h"
#include "tests/pipeline/label_world.h"
#include "tests/support/tiny_region.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// One road whose outline is exported.
class LabelVectors : public testing::Test {
 protected:
  void SetUp() override {
    Features roads;
    roads.line({{500010, 5000122}, {500110, 5000122}}, "\"width\":\"6\"");
    world_.write("r.geojson", roads.text());
    LayerConfig layer = lines_of("r.geojson");
    layer.exports = {"buffer"};
    world_.job.layers = {{"roads", layer}};
    world_.run();
  }
  [[nodiscard]] VerifyReport verify() const { return verify_workspace(work(), {}); }
  GarbageReport gc(bool dry_run = false) {
    return collect_garbage(world_.job, world_.manifest(), dry_run);
  }
  static std::vector<std::string> files_of(const GarbageReport& report) {
    std::vector<std::string> files;
    for (const auto& one : report.removed) files.push_back(one.file);
    return files;
  }
  [[nodiscard]] fs::path work() const { return world_.path("work"); }
  [[nodiscard]] fs::path buffer() const { return work() / "vectors/roads_buffer.geojson"; }

  World world_{{32633, 1, {0, 0}}, {{500000, 5000240, 240}}};
};

TEST_F(LabelVectors, AreOneDocumentAFileAlsoWithoutFeatures) {
  const auto filled = nlohmann::json::parse(tests::read_text(buffer()));
  ASSERT_EQ(filled.at("features").size(), 1U);
  EXPECT_EQ(filled.at("features")[0].at("properties").at("width_m"), 6);
  world_.write("r.geojson", R"({"type":"FeatureCollection","features":[]})");
  auto& width = *world_.job.layers[0].second.width;
  width.attribute.reset();
  width.constant_m = 6;
  world_.run();
  EXPECT_THAT(nlohmann::json::parse(tests::read_text(buffer())).at("features"), IsEmpty());
}

TEST_F(LabelVectors, EveryDamagedByteIsNamed) {
  ASSERT_TRUE(verify().is_sound()) << verify_text(verify());
  const std::string whole = tests::read_text(buffer());
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 23) {
    std::string copy = whole;
    copy[at] = static_cast<char>(copy[at] ^ 1);
    tests::write_text(buffer(), copy);
    const auto found = verify();
    ASSERT_EQ(found.damages.size(), 1U) << at;
    EXPECT_EQ(found.damages[0].file, "vectors/roads_buffer.geojson");
    EXPECT_THAT(found.damages[0].found, HasSubstr("the manifest says hash"));
  }
  tests::write_text(buffer(), whole.substr(0, whole.size() / 2));
  EXPECT_EQ(verify().damages.size(), 1U);
  fs::remove(buffer());
  ASSERT_EQ(verify().damages.size(), 1U);
  EXPECT_THAT(verify_text(verify()),
              AllOf(HasSubstr("vectors/roads_buffer.geojson"), HasSubstr("tilewright repair")));
  world_.run();
  EXPECT_TRUE(verify().is_sound());
  EXPECT_EQ(tests::read_text(buffer()), whole);
}

TEST_F(LabelVectors, WhatNoLayerExportsIsGarbageTheRestStays) {
  EXPECT_THAT(files_of(gc()), IsEmpty());
  tests::write_text(work() / "vectors/.tmp-roads_buffer.geojson-1", "a kill");
  tests::write_text(work() / "vectors/notes.geojson", "a person's own");
  tests::write_text(work() / "vectors/old_centre.geojson", "of a layer that is gone");
  EXPECT_THAT(files_of(gc(true)),
              ElementsAre("vectors/old_centre.geojson", "vectors/.tmp-roads_buffer.geojson-1"));
  EXPECT_TRUE(fs::exists(work() / "vectors/old_centre.geojson"));
  gc();
  EXPECT_FALSE(fs::exists(work() / "vectors/old_centre.geojson"));
  EXPECT_FALSE(fs::exists(work() / "vectors/.tmp-roads_buffer.geojson-1"));
  EXPECT_TRUE(fs::exists(work() / "vectors/notes.geojson"));
  EXPECT_TRUE(fs::exists(buffer()));
}

TEST_F(LabelVectors, ALayerThatIsRenamedLeavesAnOrphanThatGoes) {
  world_.job.layers[0].first = "streets";
  EXPECT_THAT(files_of(gc(true)), IsEmpty()) << "the manifest still names it";
  world_.run();
  EXPECT_TRUE(verify().is_sound()) << verify_text(verify());
  EXPECT_THAT(files_of(gc()), testing::Contains("vectors/roads_buffer.geojson"));
  EXPECT_FALSE(fs::exists(buffer()));
  EXPECT_TRUE(fs::exists(work() / "vectors/streets_buffer.geojson"));
}

TEST_F(LabelVectors, WhatIsWrittenAgainHasNoHashUntilItIsThere) {
  world_.write("r.geojson", "no layer any more");
  EXPECT_NE(world_.error_of_run(), "no error");
  EXPECT_THAT(index::facts(world_.manifest(), kVectorFact), IsEmpty());
  EXPECT_THAT(files_of(gc()), IsEmpty()) << "the job asks for it";
}

TEST(LabelVectorsCommands, RepairMakesThemAnew) {
  const tests::TinyRegion region;
  region.generate();
  const std::string roads = "vector: 'labels/roads.gpkg'\n";
  const auto job = region.write_job("roads.yaml", roads, roads + "    export: [buffer]\n");
  ASSERT_EQ(region.run({}, "roads.yaml").code, 0);
  const auto before = tests::verified_tree_hash(region.work());
  tests::write_text(region.work() / "vectors/roads_buffer.geojson", "edited by hand");
  EXPECT_EQ(tests::run_tilewright({"verify", region.work().string()}).code, 1);
  const auto repaired = tests::run_tilewright({"repair", job});
  EXPECT_EQ(repaired.code, 0) << repaired;
  EXPECT_THAT(repaired.out, HasSubstr("vectors/roads_buffer.geojson was made anew"));
  EXPECT_EQ(tests::verified_tree_hash(region.work()), before);
}

}  // namespace
}  // namespace tilewright::pipeline
