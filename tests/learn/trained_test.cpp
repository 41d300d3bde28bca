// SPDX-License-Identifier: Apache-2.0
// Tests of what is asked of trained networks: metrics, predictions, folds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "geometry/error.h"
#include "index/shard/shard_reader.h"
#include "learn/train/evaluator.h"
#include "learn/train/folds.h"
#include "learn/train/predictor.h"
#include "learn/train/run_record.h"
#include "learn/train/safetensors.h"
#include "tests/learn/small_run.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using ::testing::HasSubstr;
using testing::ScratchFolder;
using testing::TinySpec;

TEST(Evaluator, WritesMetricsThatFollowFromTheConfusion) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  run_train(request, {});
  run_evaluate({.workspace = request.workspace,
                .dataset = request.dataset,
                .run_folder = request.run_folder,
                .threads = 1,
                .device = "cpu"},
               {});
  const auto document = Json::parse(read_text(fs::path(request.run_folder) / "evaluation.json"));
  for (const char* part : {"val", "test"}) {
    const auto& scores = document["parts"][part];
    std::int64_t sum = 0;
    for (const auto& row : scores["confusion"])
      for (const auto& count : row) sum += count.get<std::int64_t>();
    EXPECT_EQ(sum, 4 * 16 * 16);
    const double accuracy = scores["overall_accuracy"];
    EXPECT_NEAR(scores["iou_micro"], accuracy / (2 - accuracy), 1e-12);
  }
  std::istringstream csv(read_text(fs::path(request.run_folder) / "samples.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line,
            "sample,location,part,loss,overall_accuracy,iou_micro,iou_macro,iou_background,iou_"
            "square,pixels,ignored_pixels,hits_background,hits_square,truth_background,truth_square,"
            "predicted_background,predicted_square,block");
  int rows = 0;
  while (std::getline(csv, line)) ++rows;
  EXPECT_EQ(rows, 8);
}

TEST(Predictor, GivesProbabilitiesThatDoNotDependOnTheBatch) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  request.run.epochs = 2;
  run_train(request, {});
  const TinySpec spec;
  std::vector<shard::MemberSpec> members;
  for (int i = 0; i < 3; ++i) {
    const auto key = "w" + std::to_string(i);
    members.push_back({key, key + ".image.npy", shard::DType::u16, {2, 16, 16}, ""});
    members.push_back({key, key + ".valid.npy", shard::DType::u8, {1, 16, 16}, ""});
  }
  shard::ShardWriter writer(workspace.path() / "in-000000.tar", members);
  for (int i = 0; i < 3; ++i) {
    writer.put(static_cast<std::size_t>(2 * i),
               testing::detail::pixels_of(spec, testing::draw_sample(spec, i, 0).image));
    std::vector<std::uint8_t> valid(256, 1);
    if (i == 2) std::fill(valid.begin(), valid.begin() + 64, 0);
    writer.put(static_cast<std::size_t>(2 * i + 1), testing::detail::bytes_of(valid));
  }
  writer.publish();
  std::vector<std::vector<float>> results;
  for (const int batch : {1, 3}) {
    const auto output = workspace.path() / ("out" + std::to_string(batch) + "-000000.tar");
    run_predict({.run_folder = request.run_folder,
                 .dataset = request.dataset,
                 .input_shard = workspace.path() / "in-000000.tar",
                 .output_shard = output,
                 .threads = 1,
                 .batch = batch,
                 .device = "cpu"},
                {});
    const shard::MappedFile file(output);
    auto& values = results.emplace_back();
    for (const auto& entry : shard::scan_tar(output)) {
      EXPECT_TRUE(entry.member.ends_with(".prob.npy"));
      const auto array = shard::array_at(file, entry.offset, entry.length);
      EXPECT_EQ(array.header.shape, (std::vector<std::int64_t>{2, 16, 16}));
      const auto* data = reinterpret_cast<const float*>(array.data.data());
      for (int i = 0; i < 256; ++i) EXPECT_NEAR(data[i] + data[256 + i], 1, 1e-5);
      values.insert(values.end(), data, data + 512);
    }
  }
  ASSERT_EQ(results[0].size(), 3U * 512);
  for (std::size_t i = 0; i < results[0].size(); ++i)
    ASSERT_NEAR(results[0][i], results[1][i], 1e-5);
}

/// Sixteen samples in two folds.
FoldsRequest folds_request(const fs::path& workspace) {
  testing::write_tiny_dataset(workspace, {.train = 16});
  FoldsRequest request;
  request.workspace = workspace, request.dataset = workspace / "datasets/tiny/dataset.json";
  request.samples = workspace / "datasets/tiny/train.tsv", request.folds = workspace / "folds.tsv";
  request.run = segment_request(workspace, "x").run;
  request.run.max_steps = 40, request.run.epochs = 20, request.run.augment = {"flip"},
  request.run.optimizer.lr = 1e-2;
  request.fold_count = 2;
  std::string folds;
  for (int i = 0; i < 16; ++i)
    folds += testing::detail::location_name(i) + "\t" + std::to_string(i % 2) + "\n";
  shard::publish_file(request.folds, folds);
  return request;
}

/// Into `name` of the workspace.
fs::path run_folds_into(FoldsRequest request, const char* name, const LearnContext& context = {}) {
  const auto folder = fs::path(request.workspace) / name;
  fs::create_directories(folder);
  request.output_folder = folder;
  run_folds(request, context);
  return folder;
}

TEST(Folds, PredictEverySampleAndRepeatBitByBit) {
  const ScratchFolder workspace;
  const auto request = folds_request(workspace.path());
  const auto folder = run_folds_into(request, "a"), again = run_folds_into(request, "b");
  int right = 0;
  for (int fold = 0; fold < 2; ++fold) {
    const auto shard = fold_shard(fold, 0);
    EXPECT_EQ(shard::sha256_file(folder / shard), shard::sha256_file(again / shard));
    const shard::MappedFile file(folder / shard);
    const auto entries = shard::scan_tar(folder / shard);
    ASSERT_EQ(entries.size(), 8U);
    for (int i = 0; i < 8; ++i) {
      const auto& entry = entries[static_cast<std::size_t>(i)];
      const int number = 2 * i + fold;
      EXPECT_EQ(entry.member, testing::detail::location_name(number) + ".view0.prob.npy");
      const auto array = shard::array_at(file, entry.offset, entry.length);
      const auto* data = reinterpret_cast<const float*>(array.data.data());
      const auto mask = testing::draw_sample({.train = 16}, number, 0).mask;
      for (std::size_t p = 0; p < mask.size(); ++p)
        right += (data[256 + p] > data[p]) == (mask[p] == 1);
    }
  }
  EXPECT_GT(right / (16 * 256.0), 0.9);
}

TEST(Folds, AStopKeepsTheModelsThatAreDoneAndTheRestFollowsBitByBit) {
  const ScratchFolder workspace;
  auto request = folds_request(workspace.path());
  request.seeds = 2, request.run.max_steps = 6;
  const auto whole = run_folds_into(request, "whole");
  std::stop_source stop;
  LearnContext context{.stop = stop.get_token()};
  context.on_progress = [&](std::int64_t done, std::int64_t total, const std::string&) {
    EXPECT_EQ(total, 4 * 6);
    if (done == 2 * 6 + 3) stop.request_stop();  // within the third model
  };
  EXPECT_THROW(run_folds_into(request, "stopped", context), Error);
  const auto folder = workspace.path() / "stopped";
  EXPECT_TRUE(fs::exists(folder / fold_shard(0, 0)) && fs::exists(folder / fold_shard(1, 0)));
  EXPECT_FALSE(fs::exists(folder / fold_shard(0, 1)));
  std::int64_t steps = 0;
  LearnContext counting;
  counting.on_progress = [&](std::int64_t, std::int64_t, const std::string&) { ++steps; };
  run_folds_into(request, "stopped", counting);
  EXPECT_EQ(steps, 2 * 6) << "models that are there are not trained again";
  std::set<std::string> hashes;
  for (int seed = 0; seed < 2; ++seed)
    for (int fold = 0; fold < 2; ++fold) {
      const auto shard = fold_shard(fold, seed);
      EXPECT_EQ(shard::sha256_file(folder / shard), shard::sha256_file(whole / shard));
      hashes.insert(shard::sha256_file(folder / shard));
    }
  EXPECT_EQ(hashes.size(), 4U) << "another seed is another model";
}

}  // namespace
}  // namespace tilewright::learn
