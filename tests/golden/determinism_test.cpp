// SPDX-License-Identifier: Apache-2.0
// The same bytes for any number of threads, memory, order of input and place on the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>

#include "tests/support/tiny_region.h"

namespace tilewright {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tests::TinyRegion;

/// Entries of the section that begins with the line `head`, in reverse order.
std::string with_section_reversed(const std::string& job, const std::string& head) {
  const auto begin = job.find("\n" + head + "\n") + head.size() + 2;
  auto end = begin;
  std::vector<std::string> entries;
  while (job.compare(end, 2, "  ") == 0) {
    const auto line = job.substr(end, job.find('\n', end) + 1 - end);
    if (line[2] != ' ') entries.emplace_back();
    entries.back() += line;
    end += line.size();
  }
  std::string reversed;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) reversed += *entry;
  return job.substr(0, begin) + reversed + job.substr(end);
}

class Determinism : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    // One scene is shorter than its header says: what is said about it is part of the manifest.
    const auto scene = tests::read_text(*world_ / "optical/optical_w_20230819.tif");
    tests::write_text(*world_ / "optical/optical_w_20230819.tif", scene.substr(0, scene.size() / 2));
    const auto answer = world_->run();
    ASSERT_EQ(answer.code, 3) << answer;
    golden_ = tests::verified_tree_hash(world_->work());
    ASSERT_EQ(golden_.size(), 64U);
  }
  static void TearDownTestSuite() { world_.reset(); }

  /// Everything made anew, in another folder than the golden tree.
  static std::string hash_anew(const TinyRegion& region, const std::vector<std::string>& arguments, const std::string& job = "job.yaml") {
    region.start_anew();
    const auto answer = region.run(arguments, job);
    EXPECT_EQ(answer.code, 3) << answer;
    return tests::verified_tree_hash(region.work());
  }
  static std::vector<std::string> actions(const tests::Answer& answer) {
    const auto report = json::parse(answer.out, nullptr, false);
    std::vector<std::string> out;
    if (report.is_object())
      for (const auto& stage : report.at("stages")) out.push_back(stage.at("action"));
    return out;
  }
  static auto all_up_to_date() { return testing::AllOf(testing::SizeIs(6), testing::Each("up to date")); }

  static std::unique_ptr<TinyRegion> world_;
  static std::string golden_;
};
std::unique_ptr<TinyRegion> Determinism::world_;
std::string Determinism::golden_;

TEST_F(Determinism, ThreadsDoNotChangeAByte) {
  const TinyRegion region(*world_);
  for (const char* threads : {"1", "2", "7"}) EXPECT_EQ(hash_anew(region, {"-j", threads}), golden_) << threads << " threads";
}

TEST_F(Determinism, MemoryDoesNotChangeAByte) {
  const TinyRegion region(*world_);
  for (const char* memory : {"512M", "4G"}) EXPECT_EQ(hash_anew(region, {"--memory", memory}), golden_) << memory;
}

TEST_F(Determinism, OrderOfFilesDoesNotChangeAByte) {
  const TinyRegion region(*world_);
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(region / "optical")) files.push_back("optical/" + entry.path().filename().string());
  std::sort(files.begin(), files.end());
  std::set<std::string> hashes;
  for (int turn = 0; turn < 3; ++turn) {
    std::rotate(files.begin(), files.begin() + 2, files.end());
    if (turn == 2) std::reverse(files.begin(), files.end());
    std::string list;
    for (const auto& file : files) list += (list.empty() ? "[" : ", ") + file;
    region.write_job("list.yaml", "'optical/*.tif'", list + "]");
    hashes.insert(hash_anew(region, {}, "list.yaml"));
  }
  EXPECT_EQ(hashes.size(), 1U) << testing::PrintToString(hashes);
}

TEST_F(Determinism, OrderOfSourcesAndLayersDoesNotChangeAByte) {
  const TinyRegion region(*world_);
  auto job = tests::read_text(region / "job.yaml");
  for (const char* section : {"sources:", "layers:"}) {
    const auto other = with_section_reversed(job, section);
    ASSERT_NE(other, job);
    ASSERT_EQ(other.size(), job.size());
    job = other;
  }
  tests::write_text(region / "reversed.yaml", job);
  EXPECT_EQ(hash_anew(region, {}, "reversed.yaml"), golden_);
}

TEST_F(Determinism, OrderOfAnUnnamedSetOfSourcesDoesNotChangeAByte) {
  const TinyRegion region(*world_);
  const auto job = tests::read_text(region.write_job("all.yaml", "  sources: [optical, elevation]\n", ""));
  tests::write_text(region / "reversed.yaml", with_section_reversed(job, "sources:"));
  EXPECT_EQ(hash_anew(region, {}, "all.yaml"), hash_anew(region, {}, "reversed.yaml"));
}

TEST_F(Determinism, OtherPixelsGiveAnotherHash) {
  const TinyRegion region(*world_);
  fs::remove(region / "optical/optical_e_20230602.tif");
  EXPECT_NE(hash_anew(region, {}), golden_);
}

TEST_F(Determinism, RunningTwiceChangesNothing) {
  const TinyRegion region(*world_);
  const auto answer = region.run({"--json"});
  EXPECT_EQ(answer.code, 3) << answer;  // quarantined tiles are said again
  EXPECT_THAT(actions(answer), all_up_to_date());
  EXPECT_EQ(tests::verified_tree_hash(region.work()), golden_);
}

TEST_F(Determinism, AnotherOrderIsUpToDateToo) {
  const TinyRegion region(*world_);
  const auto job = with_section_reversed(tests::read_text(region / "job.yaml"), "sources:");
  tests::write_text(region / "reversed.yaml", job);
  EXPECT_THAT(actions(region.run({"--json"}, "reversed.yaml")), all_up_to_date());
}

TEST_F(Determinism, AMovedWorkspaceIsSoundAndUpToDate) {
  const TinyRegion region(*world_);
  const tests::ScratchFolder elsewhere;
  fs::copy(region.work(), elsewhere / "alone", fs::copy_options::recursive);
  EXPECT_EQ(tests::verified_tree_hash(elsewhere / "alone"), golden_);
  fs::create_directories(elsewhere / "a place");
  fs::rename(region.path(), elsewhere / "a place/region");
  EXPECT_EQ(tests::verified_tree_hash(elsewhere / "a place/region/work"), golden_);
  const auto answer = tests::run_tilewright({"run", (elsewhere / "a place/region/job.yaml").string(), "--to", "split", "--json"});
  EXPECT_THAT(actions(answer), all_up_to_date()) << answer;
}

}  // namespace
}  // namespace tilewright
