// SPDX-License-Identifier: Apache-2.0
// Kills in a run that takes up new, changed and gone scenes: the same bytes as without the kill.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <memory>

#include "index/manifest.h"
#include "index/shard/failpoint.h"
#include "pipeline/runner/verify.h"
#include "tests/crash/crash_job.h"

namespace tilewright::pipeline {
namespace {

/// The history: a job on five scenes, then one comes, one changes, one goes.
class AppendCrash : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(kProgram)) return;
    job_ = std::make_unique<tests::ScratchFolder>();
    make_job(job_->path());
    ASSERT_EQ(run_job(job_->path(), "").code, 3) << read_text(*job_ / "output.txt");
    fs::rename(job_->path() / "work", job_->path() / "first");
    write_text(*job_ / "in/s_20200701.tif", scene(7, 400, 0));
    write_text(*job_ / "in/s_20200201.tif", scene(22, 0, 40));
    fs::remove(*job_ / "in/s_20200301.tif");
    start_again();
    ASSERT_EQ(run_job(job_->path(), "").code, 3) << read_text(*job_ / "output.txt");
    golden_ = tree_hash(work());
    ASSERT_TRUE(verify_workspace(work(), {}).is_sound());
  }
  static void TearDownTestSuite() { job_.reset(); }
  void SetUp() override {
    if (!fs::exists(kProgram)) GTEST_SKIP() << kProgram << " is not built";
  }

  static fs::path work() { return job_->path() / "work"; }
  static void start_again() {
    fs::remove_all(work());
    fs::copy(job_->path() / "first", work(), fs::copy_options::recursive);
  }
  static void expect_golden(const std::string& after) {
    const Ending ending = run_job(job_->path(), "");
    ASSERT_EQ(ending.code, 3) << after << "\n" << read_text(*job_ / "output.txt");
    EXPECT_EQ(tree_hash(work()), golden_) << after;
  }

  static std::unique_ptr<tests::ScratchFolder> job_;
  static std::string golden_;
};
std::unique_ptr<tests::ScratchFolder> AppendCrash::job_;
std::string AppendCrash::golden_;

TEST_F(AppendCrash, TheHistoryKeepsAddsRedoesAndDrops) {
  start_again();
  expect_golden("an undisturbed run");
  const auto manifest = index::Manifest::open(work() / "manifest.gpkg", index::Manifest::Mode::read_only);
  std::map<std::string, int> changes;
  for (const auto& row : index::plan_changes(manifest)) ++changes[row.change];
  for (const char* change : {"added", "changed", "removed", "redone", "dropped"})
    if (std::string(change) != "dropped") { EXPECT_GT(changes[change], 0) << change; }
  EXPECT_TRUE(fs::exists(work() / "shards/s-000002.tar")) << "new views lie in new shards";
  EXPECT_TRUE(fs::exists(work() / "shards/fields-000001.tar"));
}

TEST_F(AppendCrash, AKillAtAnyFailpointLeavesNoTrace) {
  int kills = 0;
  for (const auto& name : shard::failpoint_names()) {
    const bool is_commit = name == "manifest.after_commit";
    for (int hit = 1; hit < 100; hit = is_commit ? hit + 1 : 2 * hit) {
      start_again();
      const std::string order = name + "@" + std::to_string(hit) + ":kill";
      if (!run_job(job_->path(), order).was_killed) break;
      expect_golden(order);
      ++kills;
    }
  }
  std::cout << kills << " kills at failpoints\n";
  EXPECT_GE(kills, 30);
}

/// Cutting every view again leaves out what no view uses; the other stages give the bytes that were there.
TEST_F(AppendCrash, AKillWhileAForcedStageRunsLeavesNoTrace) {
  for (const char* stage : {"views", "extract", "label", "split"}) {
    start_again();
    expect_golden("an undisturbed run");
    run_job(job_->path(), "", {}, stage);
    const auto forced = tree_hash(work());
    EXPECT_EQ(forced == golden_, std::string(stage) != "extract") << stage;
    for (const char* order : {"manifest.after_commit@2:kill", "manifest.after_commit@4:kill", "commit.after_rename@2:kill"}) {
      start_again();
      expect_golden("an undisturbed run");
      run_job(job_->path(), order, {}, stage);
      ASSERT_EQ(run_job(job_->path(), "").code, 3) << read_text(*job_ / "output.txt");
      EXPECT_EQ(tree_hash(work()), forced) << stage << " " << order;
    }
  }
}

}  // namespace
}  // namespace tilewright::pipeline
