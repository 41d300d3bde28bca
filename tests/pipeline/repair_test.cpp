// SPDX-License-Identifier: Apache-2.0
// Damage of any kind to shards: repair gives the bytes that were there, and touches nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/tiny_region.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using tests::TinyRegion;
using ::testing::HasSubstr;

class Repair : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    ASSERT_EQ(world_->run().code, 0);
    golden_ = tests::verified_tree_hash(world_->work());
  }
  static void TearDownTestSuite() { world_.reset(); }

  static void flip(const fs::path& file, std::size_t at) {
    auto bytes = tests::read_text(file);
    bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ 4);
    tests::write_text(file, bytes);
  }
  static tests::Answer repair(const TinyRegion& region) { return tests::run_tilewright({"repair", (region / "job.yaml").string(), "-q"}); }
  static std::map<std::string, fs::file_time_type> times(const TinyRegion& region) {
    std::map<std::string, fs::file_time_type> out;
    for (const auto& entry : fs::directory_iterator(region / "work/shards")) out[entry.path().filename()] = fs::last_write_time(entry);
    return out;
  }
  static std::unique_ptr<TinyRegion> world_;
  static std::string golden_;
};
std::unique_ptr<TinyRegion> Repair::world_;
std::string Repair::golden_;

TEST_F(Repair, ASoundWorkspaceIsLeftAlone) {
  const TinyRegion region(*world_);
  const auto before = times(region);
  const auto answer = repair(region);
  EXPECT_EQ(answer.code, 0) << answer;
  EXPECT_EQ(times(region), before);
}

TEST_F(Repair, EveryDamagedShardGetsItsBytesBackAndNoOther) {
  const TinyRegion region(*world_);
  std::mt19937 random(3);
  for (const char* name : {"optical-000000.tar", "optical-000000.idx", "roads-000000.tar", "elevation-000000.idx"}) {
    const auto before = times(region);
    ASSERT_TRUE(before.contains(name)) << name;
    flip(region / (std::string("work/shards/") + name), random());
    ASSERT_EQ(tests::run_tilewright({"verify", region.work().string(), "-q"}).code, 1) << name;
    const auto answer = repair(region);
    EXPECT_EQ(answer.code, 0) << name << answer;
    EXPECT_THAT(answer.out, HasSubstr("was made anew"));
    EXPECT_EQ(tests::verified_tree_hash(region.work()), golden_) << name;
    EXPECT_THAT(region.run({"--dry-run"}).out, testing::Not(HasSubstr("would run"))) << "nothing is stale after it";
    const auto after = times(region);
    for (const auto& [file, time] : before)
      if (file.substr(0, file.rfind('.')) != std::string(name).substr(0, std::string(name).rfind('.'))) { EXPECT_EQ(after.at(file), time) << file; }
  }
}

TEST_F(Repair, AShardThatIsGoneComesBack) {
  const TinyRegion region(*world_);
  fs::remove(region / "work/shards/optical-000000.tar");
  fs::remove(region / "work/shards/roads-000000.tar");
  EXPECT_EQ(repair(region).code, 0);
  EXPECT_EQ(tests::verified_tree_hash(region.work()), golden_);
}

TEST_F(Repair, AShardOfAChangedInputIsAnErrorThatNamesIt) {
  const TinyRegion region(*world_);
  flip(region / "work/shards/optical-000000.tar", 20000);
  for (const auto& entry : fs::directory_iterator(region / "optical")) flip(entry.path(), fs::file_size(entry.path()) - 1);
  const auto answer = repair(region);
  EXPECT_EQ(answer.code, 1) << answer;
  EXPECT_THAT(answer.err, HasSubstr("was replaced since scan"));
}

}  // namespace
}  // namespace tilewright::pipeline
