// SPDX-License-Identifier: Apache-2.0
// Kill the program anywhere, run the same command again: the same bytes as if nothing had happened.
#include <gtest/gtest.h>

#include <iostream>
#include <memory>

#include "index/manifest.h"
#include "index/shard/failpoint.h"
#include "pipeline/runner/verify.h"
#include "tests/crash/crash_job.h"

namespace tilewright::pipeline {
namespace {

class Crash : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(kProgram)) return;
    job_ = std::make_unique<tests::ScratchFolder>();
    make_job(job_->path());
    const auto begin = std::chrono::steady_clock::now();
    const Ending ending = run_job(job_->path(), "");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ASSERT_EQ(ending.code, 3) << read_text(*job_ / "output.txt");
    golden_ = tree_hash(job_->path() / "work");
    ASSERT_TRUE(verify_workspace(job_->path() / "work", {}).is_sound());
  }
  static void TearDownTestSuite() { job_.reset(); }

  void SetUp() override {
    if (!fs::exists(kProgram)) GTEST_SKIP() << kProgram << " is not built";
  }

  static void start_anew() { fs::remove_all(job_->path() / "work"); }

  /// The same command again ends well and gives the golden tree.
  static void expect_golden(const std::string& after) {
    const Ending ending = run_job(job_->path(), "");
    ASSERT_EQ(ending.code, 3) << after << "\n" << read_text(*job_ / "output.txt");
    EXPECT_EQ(tree_hash(job_->path() / "work"), golden_) << after;
    for (const auto& entry : fs::recursive_directory_iterator(job_->path() / "work"))
      EXPECT_FALSE(entry.path().filename().string().starts_with(".tmp-")) << after << " leaves " << entry.path();
  }

  static std::unique_ptr<tests::ScratchFolder> job_;
  static std::string golden_;
  static double seconds_;
};
std::unique_ptr<tests::ScratchFolder> Crash::job_;
std::string Crash::golden_;
double Crash::seconds_ = 0;

TEST_F(Crash, GoldenJobHasWhatCanBreak) {
  const auto manifest = index::Manifest::open(job_->path() / "work/manifest.gpkg", index::Manifest::Mode::read_only);
  int copied = 0, resampled = 0;
  for (const auto& view : index::views(manifest)) ++(view.resampled ? resampled : copied);
  EXPECT_GT(copied, 10);
  EXPECT_GT(resampled, 5);
  EXPECT_FALSE(index::masks(manifest).empty());
  EXPECT_EQ(index::tiles(manifest, "", "duplicate").size(), 1U);
  EXPECT_EQ(index::tiles(manifest, "", "quarantined").size(), 1U);
  start_anew();
  expect_golden("a second undisturbed run");
}

TEST_F(Crash, AKillAtAnyFailpointLeavesNoTrace) {
  int kills = 0;
  for (const auto& name : shard::failpoint_names()) {
    // What one commit tells the next run is lost between any two of them: each is a place of its own.
    const bool is_commit = name == "manifest.after_commit";
    for (int hit = 1; hit < 100; hit = is_commit ? hit + 1 : 2 * hit) {
      start_anew();
      const std::string order = name + "@" + std::to_string(hit) + ":kill";
      if (!run_job(job_->path(), order).was_killed) break;  // the run has fewer visits of this place
      expect_golden(order);
      ++kills;
    }
  }
  RecordProperty("kills", kills);
  std::cout << kills << " kills at failpoints, " << seconds_ << " s a run\n";
  EXPECT_GE(kills, 30);
}

TEST_F(Crash, AKillOfTheResumeLeavesNoTrace) {
  int kills = 0;
  for (const char* first : {"commit.after_rename@1:kill", "shard.after_tar@1:kill", "commit.before_fsync@4:kill"})
    for (const char* second : {"commit.after_folder_fsync@1:kill", "manifest.after_commit@5:kill"}) {
      start_anew();
      kills += run_job(job_->path(), first).was_killed;
      kills += run_job(job_->path(), second).was_killed;
      expect_golden(std::string(first) + " then " + second);
    }
  EXPECT_EQ(kills, 12);
}

TEST_F(Crash, AKillAtAnyTimeLeavesNoTrace) {
  std::mt19937 random(17);
  for (int i = 0; i < 10; ++i) {
    start_anew();
    const auto after = std::chrono::milliseconds(5 + random() % static_cast<unsigned>(1000 * seconds_ + 1));
    run_job(job_->path(), "", after);
    expect_golden("a kill after " + std::to_string(after.count()) + " ms");
  }
}

TEST_F(Crash, AFailingDiskIsAnErrorAndTheRunGoesOnLater) {
  int failures = 0;
  for (const char* action : {"@1:eio", "@3:enospc", "@2+:enospc"})
    for (const char* place : {"commit.open", "commit.write", "commit.before_fsync", "shard.open", "shard.put", "manifest.before_commit"}) {
      start_anew();
      const std::string order = std::string(place) + action;
      const Ending ending = run_job(job_->path(), order);
      EXPECT_EQ(ending.code, 1) << order << "\n" << read_text(*job_ / "output.txt");
      EXPECT_NE(read_text(*job_ / "output.txt").find((job_->path() / "work").string()), std::string::npos) << order << " names no path";
      expect_golden(order);
      ++failures;
    }
  EXPECT_EQ(failures, 18);
}

TEST_F(Crash, AForcedStageReplacesDamagedShards) {
  start_anew();
  expect_golden("an undisturbed run");
  const fs::path shard = job_->path() / "work/shards/s-000000.tar";
  std::string bytes = read_text(shard);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_text(shard, bytes);
  EXPECT_FALSE(verify_workspace(job_->path() / "work", {}).is_sound());
  run_job(job_->path(), "", {}, "extract");
  EXPECT_TRUE(verify_workspace(job_->path() / "work", {}).is_sound());
  EXPECT_EQ(tree_hash(job_->path() / "work"), golden_);
}

TEST_F(Crash, AStopSignalIsExit4AndTheRunGoesOnLater) {
  start_anew();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("TILEWRIGHT_FAILPOINT", "commit.write@1:delay,commit.write@2:delay,commit.write@3:delay,commit.open@2:delay", 1);
    const int log = ::open((job_->path() / "output.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execl(kProgram.c_str(), "tilewright", "run", (job_->path() / "job.yaml").c_str(), "--to", "split", "-j", "1", nullptr);
    ::_exit(99);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_TRUE(WEXITSTATUS(status) == 4 || WEXITSTATUS(status) == 3) << WEXITSTATUS(status) << read_text(*job_ / "output.txt");
  expect_golden("SIGTERM");
}

}  // namespace
}  // namespace tilewright::pipeline
