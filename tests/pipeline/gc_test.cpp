// SPDX-License-Identifier: Apache-2.0
// Garbage: what is found, what is kept because something refers to it, what a dry run leaves alone.
#include "pipeline/runner/gc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "pipeline/runner/verify.h"
#include "tests/support/tiny_region.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tests::TinyRegion;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A region whose second run lost one scene: its views are dead.
class Gc : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    const auto answer = world_->run();
    ASSERT_EQ(answer.code, 0) << answer;
  }
  static void TearDownTestSuite() { world_.reset(); }

  static json gc(const TinyRegion& region, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"gc", (region / "job.yaml").string(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto answer = tests::run_tilewright(arguments);
    EXPECT_EQ(answer.code, 0) << answer;
    return json::parse(answer.out, nullptr, false);
  }
  static std::set<std::string> files_of(const json& list) {
    std::set<std::string> files;
    for (const auto& one : list) files.insert(one.at("file").get<std::string>());
    return files;
  }
  static std::unique_ptr<TinyRegion> world_;
};
std::unique_ptr<TinyRegion> Gc::world_;

TEST_F(Gc, FindsNothingInAWorkspaceThatIsInUseThroughout) {
  const TinyRegion region(*world_);
  const auto before = tests::verified_tree_hash(region.work());
  const auto report = gc(region);
  EXPECT_THAT(report.at("removed"), IsEmpty());
  EXPECT_EQ(report.at("dead_members"), 0);
  EXPECT_EQ(tests::verified_tree_hash(region.work()), before);
}

TEST_F(Gc, RemovesDeadShardsPredictionsAndLeftovers) {
  const TinyRegion region(*world_);
  tests::write_text(region / "work/shards/naip-000000.tar", "a source that is not in the job any more");
  tests::write_text(region / "work/shards/.tmp-x", "a kill");
  fs::create_directories(region / "work/.tmp/predict");
  tests::write_text(region / "work/.tmp/predict/window", "scratch");
  const auto plan = gc(region, {"--dry-run"});
  EXPECT_EQ(files_of(plan.at("removed")), (std::set<std::string>{"shards/naip-000000.tar", "shards/.tmp-x", ".tmp/predict"}));
  EXPECT_TRUE(fs::exists(region / "work/shards/naip-000000.tar"));
  gc(region);
  EXPECT_FALSE(fs::exists(region / "work/shards/naip-000000.tar"));
  EXPECT_FALSE(fs::exists(region / "work/.tmp/predict"));
  EXPECT_THAT(gc(region).at("removed"), IsEmpty());
  EXPECT_FALSE(tests::verified_tree_hash(region.work()).empty());
}

TEST_F(Gc, TellsDeadMembersAndRemovesPredictionsOfAGoneScene) {
  const TinyRegion region(*world_);
  std::string tile_id;
  {
    const auto manifest = index::Manifest::open(region.work() / "manifest.gpkg", index::Manifest::Mode::read_only);
    for (const auto& tile : index::tiles(manifest, "optical", "ok"))
      if (tile.path.ends_with("optical_e_20230602.tif")) tile_id = tile.tile_id;
  }
  ASSERT_FALSE(tile_id.empty());
  fs::create_directories(region / "work/predictions");
  tests::write_text(region / ("work/predictions/unet_" + tile_id + ".tif"), "a map");
  tests::write_text(region / "work/predictions/unet_elsewhere.tif", "a map of another file");
  fs::remove(region / "optical/optical_e_20230602.tif");
  ASSERT_EQ(region.run().code, 0);
  const auto report = gc(region);
  EXPECT_EQ(files_of(report.at("removed")), (std::set<std::string>{"predictions/unet_" + tile_id + ".tif"}));
  EXPECT_GT(report.at("dead_members"), 0);
  EXPECT_GT(report.at("dead_bytes"), 0);
  EXPECT_TRUE(fs::exists(region / "work/predictions/unet_elsewhere.tif"));
  EXPECT_FALSE(tests::verified_tree_hash(region.work()).empty());
  const auto status = tests::run_tilewright({"status", (region / "job.yaml").string()});
  EXPECT_THAT(status.out, HasSubstr("shards, dead members"));
  // Everything anew gives the bytes of a workspace that never had the scene.
  ASSERT_EQ(region.run({"--replan"}).code, 0);
  EXPECT_EQ(gc(region).at("dead_members"), 0);
  const auto again = tests::verified_tree_hash(region.work());
  region.start_anew();
  ASSERT_EQ(region.run().code, 0);
  EXPECT_EQ(tests::verified_tree_hash(region.work()), again);
}

TEST_F(Gc, KeepsAShardThatADatasetReads) {
  const TinyRegion region(*world_);
  tests::write_text(region / "work/shards/old-000000.tar", "pixels of an earlier plan");
  fs::create_directories(region / "work/datasets/town");
  tests::write_text(region / "work/datasets/town/train.tsv", "sample\tlocation\tshard\na\tb\tshards/old-000000.tar\t0\n");
  const auto report = gc(region);
  EXPECT_THAT(report.at("removed"), IsEmpty());
  EXPECT_EQ(files_of(report.at("kept")), (std::set<std::string>{"shards/old-000000.tar"}));
  EXPECT_THAT(report.at("kept")[0].at("why").get<std::string>(), HasSubstr("dataset town"));
  EXPECT_TRUE(fs::exists(region / "work/shards/old-000000.tar"));
}

TEST_F(Gc, AnyKillLeavesTheRestForTheNextTime) {
  const TinyRegion region(*world_);
  for (int n = 0; n < 4; ++n) tests::write_text(region / ("work/shards/old-00000" + std::to_string(n) + ".tar"), "dead");
  const auto golden = [&] {
    gc(region);
    return tests::verified_tree_hash(region.work());
  };
  fs::remove(region / "work/shards/old-000002.tar");  // as a kill after some removals
  const auto hash = golden();
  EXPECT_EQ(hash, tests::verified_tree_hash(world_->work()));
}

}  // namespace
}  // namespace tilewright::pipeline
