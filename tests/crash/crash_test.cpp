// SPDX-License-Identifier: Apache-2.0
// Kill the program anywhere, run the same command again: the same bytes as if nothing had happened.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <random>
#include <thread>

#include "index/manifest.h"
#include "index/shard/failpoint.h"
#include "pipeline/runner/verify.h"
#include "pipeline/synth/gdal_files.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using tests::read_text;
using tests::write_text;

constexpr int kSize = 160, kBands = 8;  // enough for two shards
constexpr double kWest = 500000, kNorth = 5600000;
const std::string kProgram = std::string(TILEWRIGHT_BIN_DIR) + "/tilewright";

std::string scene(unsigned seed, double shift_m, int empty_columns) {
  std::mt19937 random(seed);
  std::vector<std::uint16_t> pixels(kBands * kSize * kSize);
  for (auto& pixel : pixels) pixel = static_cast<std::uint16_t>(1 + random() % 60000);
  for (int band = 0; band < kBands; ++band)
    for (int row = 0; row < kSize; ++row)
      for (int col = 0; col < empty_columns; ++col) pixels[static_cast<std::size_t>((band * kSize + row) * kSize + col)] = 0;
  return geotiff({.epsg = 32633, .affine = {.a = 10, .b = 0, .c = kWest + shift_m, .d = 0, .e = -10, .f = kNorth - shift_m},
                  .width = kSize, .height = kSize, .dtype = shard::DType::u16, .bands = std::vector<std::string>(kBands), .nodata = 0,
                  .pixels = std::as_bytes(std::span(pixels))});
}

/// Dates on and off the lattice, a duplicate, a truncated file, labels; seconds to run.
void make_job(const fs::path& folder) {
  fs::create_directories(folder / "in");
  write_text(folder / "in/s_20200101.tif", scene(1, 0, 0));
  write_text(folder / "in/s_20200201.tif", scene(2, 0, 40));
  write_text(folder / "in/s_20200301.tif", scene(3, 3.7, 0));
  write_text(folder / "in/s_20200401.tif", scene(4, 200, 0));
  write_text(folder / "in/s_20200501.tif", scene(4, 200, 0));
  write_text(folder / "in/s_20200601.tif", scene(6, 0, 0).substr(0, 60000));
  write_text(folder / "labels.geojson", R"({"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates":
      [[[15.001, 50.545], [15.006, 50.545], [15.006, 50.549], [15.001, 50.549], [15.001, 50.545]]]}},
    {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates":
      [[[15.012, 50.54], [15.018, 50.541], [15.016, 50.546], [15.012, 50.54]]]}}]})");
  write_text(folder / "job.yaml", R"(workspace: work
sources:
  s: {files: 'in/*.tif', date: {name: '_(\d{8})', format: '%Y%m%d'}}
grid: {resolution_m: 10}
views: {patch_px: 32, min_views: 1}
extract: {shard_mb: 1}
layers:
  fields: {vector: labels.geojson, draw: polygons, class: 1, extent: all}
split: {unit: block, block_m: 640, seed: 3}
)");
}

struct Ending {
  bool was_killed = false;
  int code = 0;
};

/// Runs `tilewright run JOB --to split` to its end, or kills it after `kill_after`.
Ending run_job(const fs::path& folder, const std::string& failpoint, std::chrono::milliseconds kill_after = {},
               const char* forced = nullptr) {
  const pid_t child = ::fork();
  if (child == 0) {
    const int log = ::open((folder / "output.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    if (!failpoint.empty()) ::setenv("TILEWRIGHT_FAILPOINT", failpoint.c_str(), 1);
    ::execl(kProgram.c_str(), "tilewright", "run", (folder / "job.yaml").c_str(), "--to", "split", "-j", "2", "--memory", "512M",
            forced != nullptr ? "--force" : nullptr, forced, nullptr);
    ::_exit(99);
  }
  if (kill_after.count() > 0) {
    std::this_thread::sleep_for(kill_after);
    ::kill(child, SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.was_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1};
}

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
