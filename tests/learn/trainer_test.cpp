// SPDX-License-Identifier: Apache-2.0
// Tests of whole runs: learning, resuming bit by bit, refusing.
#include "learn/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "learn/config/json.h"
#include "learn/train/evaluator.h"
#include "learn/train/feature_spread.h"
#include "learn/train/run_record.h"
#include "learn/train/safetensors.h"
#include "tests/learn/small_run.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using ::testing::HasSubstr;
using testing::ScratchFolder;
using testing::TinySpec;

TEST(Trainer, LearnsTheTinySquares) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  request.run.epochs = 15, request.run.augment = {"flip"}, request.run.optimizer.lr = 1e-2;
  run_train(request, {});
  const auto rows = rows_of(request.run_folder);
  const auto best = std::max_element(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return a.value("iou_macro", 0.0) < b.value("iou_macro", 0.0);
  });
  EXPECT_GT(best->value("iou_macro", 0.0), 0.9);
  for (const char* key : {"step", "epoch", "part", "wall_s", "samples_per_s", "lr", "loss"})
    EXPECT_TRUE(rows[0].contains(key)) << key;
  const auto metadata =
      read_safetensors_metadata(fs::path(request.run_folder) / "weights.safetensors");
  EXPECT_EQ(metadata.at("step"), std::to_string((*best)["step"].get<int>()));
  for (const char* key : {"bands", "normalization", "classes", "tilewright", "torch"})
    EXPECT_TRUE(metadata.contains(key)) << key;
}

TEST(Trainer, LearnsFromStackedDates) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.views = 2, .mode = "all", .lone_location = 2});
  auto request = segment_request(workspace.path(), "stack");
  request.run.epochs = 15, request.run.augment = {"flip"}, request.run.optimizer.lr = 1e-2;
  request.run.model.width = 8;  // four channels die with many seeds, stacked or not
  run_train(request, {});
  double best = 0;
  for (const auto& row : rows_of(request.run_folder)) best = std::max(best, row.value("iou_macro", 0.0));
  EXPECT_GT(best, 0.9);
}

TEST(Trainer, ResumeEqualsTheUninterruptedRun) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});  // 12 samples, batch 5: steps of 5, 5, 2
  const auto whole = segment_request(workspace.path(), "whole");
  run_train(whole, {});
  for (const std::int64_t step : {1, 3, 5, 11}) {
    const auto parts = segment_request(workspace.path(), "stopped_" + std::to_string(step));
    train_and_stop_at(parts, step);
    EXPECT_FALSE(fs::exists(fs::path(parts.run_folder) / "weights.safetensors"));
    run_train(parts, {});
    EXPECT_EQ(weights_hash(parts), weights_hash(whole)) << "stopped at step " << step;
  }
}

/// A step is computed in `accumulate` parts: a request that comes in the middle of one lets the
/// step end, and what is resumed ends with the same bits.
TEST(Trainer, ResumesAtTwentyFiveRandomStepsAlsoWhileItAccumulates) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "whole");
  request.run.batch = 4, request.run.epochs = 11;  // 33 steps
  request.run.accumulate = 2;                      // of one image a batch norm knows nothing
  request.run.optimizer.ema = 0.9;
  run_train(request, {});
  const auto wanted = weights_hash(request);
  std::set<std::int64_t> steps;
  CounterRandom random{25};
  while (steps.size() < 25) steps.insert(1 + random.below(31));
  for (const auto step : steps) {
    auto parts = request;
    parts.run_folder = workspace.path() / ("runs/at_" + std::to_string(step));
    train_and_stop_at(parts, step);
    EXPECT_FALSE(fs::exists(fs::path(parts.run_folder) / "weights.safetensors"));
    run_train(parts, {});
    EXPECT_EQ(weights_hash(parts), wanted) << "stopped at step " << step;
  }
  // From another thread, a little later each time: most come while a part is computed.
  int stops = 0;
  for (int again = 0; again < 8; ++again) {
    auto parts = request;
    parts.run_folder = workspace.path() / ("runs/middle_" + std::to_string(again));
    std::stop_source source;
    std::mutex mutex;
    std::condition_variable_any begun;
    bool is_under_way = false;
    std::jthread watch([&](const std::stop_token& end) {
      std::unique_lock lock(mutex);
      if (!begun.wait(lock, end, [&] { return is_under_way; })) return;
      lock.unlock();
      std::this_thread::sleep_for(std::chrono::microseconds(2300 * again));
      source.request_stop();
    });
    LearnContext context;
    context.stop = source.get_token();
    context.on_progress = [&](std::int64_t, std::int64_t, const std::string&) {
      {
        const std::lock_guard lock(mutex);
        is_under_way = true;
      }
      begun.notify_all();
    };
    try {
      run_train(parts, context);
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::stopped) << error.what();
      ++stops;
    }
    run_train(parts, {});
    EXPECT_EQ(weights_hash(parts), wanted) << "stopped " << again;
  }
  EXPECT_GT(stops, 0);
}

TEST(Trainer, ResumesFromTheCheckpointBeforeADamagedOne) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  const auto whole = segment_request(workspace.path(), "whole"),
             broken = segment_request(workspace.path(), "broken");
  run_train(whole, {});
  train_and_stop_at(broken, 8);
  const auto newest =
      fs::path(broken.run_folder) / "checkpoints/step-0000000008/weights.safetensors";
  ASSERT_TRUE(fs::exists(newest));
  fs::resize_file(newest, fs::file_size(newest) / 2);
  {
    std::ofstream torn(fs::path(broken.run_folder) / "metrics.jsonl", std::ios::app);
    torn << "{\"step\":9,\"epo";  // what a kill leaves
  }
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(broken, context);
  EXPECT_THAT(said, HasSubstr("damaged"));
  EXPECT_THAT(said, HasSubstr("resumed at step 6"));
  EXPECT_EQ(weights_hash(broken), weights_hash(whole));
  std::vector<std::pair<int, std::string>> seen, wanted;
  for (const auto& row : rows_of(broken.run_folder)) seen.emplace_back(row["step"], row["part"]);
  for (const auto& row : rows_of(whole.run_folder)) wanted.emplace_back(row["step"], row["part"]);
  EXPECT_EQ(seen, wanted);
}

TEST(Trainer, LeavesAFinishedRunAsItIs) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  request.run.epochs = 1;
  run_train(request, {});
  const auto written = fs::last_write_time(fs::path(request.run_folder) / "weights.safetensors");
  const auto metrics = read_text(fs::path(request.run_folder) / "metrics.jsonl");
  run_train(request, {});
  EXPECT_EQ(fs::last_write_time(fs::path(request.run_folder) / "weights.safetensors"), written);
  EXPECT_EQ(read_text(fs::path(request.run_folder) / "metrics.jsonl"), metrics);
}

TEST(Trainer, MakesDamagedWeightsOfAFinishedRunAnewFromItsCheckpoint) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  request.run.epochs = 1;
  run_train(request, {});
  const auto file = fs::path(request.run_folder) / "weights.safetensors";
  const auto whole = read_text(file);
  auto damaged = whole;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  std::ofstream(file, std::ios::binary) << damaged;
  run_train(request, {});
  EXPECT_EQ(read_text(file), whole);
  fs::remove(fs::path(request.run_folder) / "weights.json");
  run_train(request, {});
  EXPECT_TRUE(fs::exists(fs::path(request.run_folder) / "weights.json"));
}

TEST(Trainer, RefusesToResumeAnotherRunAndSaysWhatDiffers) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "unet");
  train_and_stop_at(request, 2);
  auto other = request;
  other.run.optimizer.lr = 1e-2;
  EXPECT_THAT(error_of(other, ErrorKind::config),
              ::testing::AllOf(HasSubstr("optimizer.lr (0.003 then, 0.01 now)"),
                               HasSubstr("--force train")));
  testing::write_tiny_dataset(workspace.path(), {.seed = 2});
  EXPECT_THAT(error_of(request, ErrorKind::config), HasSubstr("dataset_sha256"));
  request.overwrite = true;
  request.run.epochs = 1;
  run_train(request, {});
  EXPECT_TRUE(fs::exists(fs::path(request.run_folder) / "weights.safetensors"));
}

TEST(Trainer, NeverTrainsOnNaNSilently) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.nan_sample = 3});
  auto request = segment_request(workspace.path(), "stop");
  request.run.epochs = 1;
  EXPECT_THAT(error_of(request, ErrorKind::failed), HasSubstr("loc_00003.view0"));
  request.run_folder = workspace.path() / "runs/skip";
  request.run.non_finite = "skip";
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(request, context);
  EXPECT_THAT(said, HasSubstr("loc_00003.view0"));
  for (const auto& [name, tensor] :
       read_safetensors(fs::path(request.run_folder) / "weights.safetensors").tensors)
    if (tensor.is_floating_point()) {
      EXPECT_TRUE(tensor.isfinite().all().item<bool>()) << name;
    }
}

TEST(Trainer, StopsWithinAStepWhenTheRateExplodes) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "wild");
  request.run.optimizer.lr = 1e30, request.run.schedule.warmup_epochs = 0;
  EXPECT_THAT(error_of(request, ErrorKind::failed),
              ::testing::AllOf(HasSubstr("step 2"), HasSubstr("loc_")));
}

TEST(Trainer, SaysWhatABatchOfOneLacks) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "one");
  request.run.model.name = "unet_resnet18";
  request.run.model.detailed = true;  // 16 pixels become one
  request.run.batch = 1;
  EXPECT_THAT(error_of(request, ErrorKind::config),
              ::testing::AllOf(HasSubstr("unet_resnet18"), HasSubstr("batch 1"),
                               HasSubstr("use a larger batch")));
  request.run.batch = 4;
  request.run.accumulate = 4;
  request.overwrite = true;
  EXPECT_THAT(error_of(request, ErrorKind::config), HasSubstr("accumulate 4"));
  request.run.accumulate = 2;
  request.run.max_steps = 1;
  run_train(request, {});
}

TEST(Trainer, WithoutValidationSavesTheLastWeights) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.val = 0});
  const auto request = segment_request(workspace.path(), "unet");
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(request, context);
  EXPECT_THAT(said, HasSubstr("weights of step 12 (last)"));
  for (const auto& row : rows_of(request.run_folder)) EXPECT_EQ(row["part"], "train");
}

/// What a full disk does, by a limit of the size of files: nothing of a checkpoint fits.
TEST(Trainer, ADiskThatIsFullLeavesTheLastGoodCheckpoint) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  const auto whole = segment_request(workspace.path(), "whole"),
             full = segment_request(workspace.path(), "full");
  run_train(whole, {});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  LearnContext context;
  context.on_progress = [&](std::int64_t step, std::int64_t, const std::string&) {
    rlimit small = before;
    small.rlim_cur = 4096;
    if (step == 8) ::setrlimit(RLIMIT_FSIZE, &small);
  };
  std::string said;
  try {
    run_train(full, context);
  } catch (const Error& error) {
    said = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::failed);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_THAT(said, HasSubstr(full.run_folder)) << "names the file";
  EXPECT_FALSE(fs::exists(fs::path(full.run_folder) / "weights.safetensors"));
  EXPECT_TRUE(
      fs::exists(fs::path(full.run_folder) / "checkpoints/step-0000000006/weights.safetensors"));
  run_train(full, {});
  EXPECT_EQ(weights_hash(full), weights_hash(whole));
}

TEST(Trainer, StartsFromAnEarlierRunWithItsStatistics) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto first = segment_request(workspace.path(), "first"),
       second = segment_request(workspace.path(), "second");
  first.run.epochs = second.run.epochs = 1;
  run_train(first, {});
  const auto record_of_first = read_run_record(first.run_folder);
  testing::write_tiny_dataset(workspace.path(), {.normalize = "robust", .seed = 5});
  second.init_folder = first.run_folder;
  second.run.init = EncoderSource{.run = "first", .file = {}};
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(second, context);
  EXPECT_THAT(said, HasSubstr("normalized with the statistics of run first"));
  const auto record = read_run_record(second.run_folder);
  EXPECT_EQ(record.inputs[0].normalize, "standard");
  EXPECT_EQ(record.statistics_from, "run first");
  EXPECT_EQ(record.inputs[0].statistics[0].mean, record_of_first.inputs[0].statistics[0].mean);
}

/// Trains as asked and, elsewhere, with a stop at `step`: both end with the same bits.
void expect_equal_after_stop(const TrainRequest& request, std::int64_t step) {
  run_train(request, {});
  auto again = request;
  again.run_folder += "_stopped";
  train_and_stop_at(again, step);
  run_train(again, {});
  EXPECT_EQ(weights_hash(again), weights_hash(request)) << request.run_folder;
}

TEST(Trainer, TrainsWithoutLabels) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.views = 2, .has_masks = false, .mode = "pairs"});
  for (const std::string recipe : {"mae", "maskfeat", "simclr", "moco"}) {
    auto request = segment_request(workspace.path(), recipe);
    request.run.recipe = recipe;
    request.run.model = testing::tiny_vit();
    request.run.epochs = 3, request.run.batch = 6, request.run.loss.queue = 10;
    expect_equal_after_stop(request, 3);
    for (const auto& row : rows_of(request.run_folder)) {
      const bool is_spread = row.value("part", "") == "val" && recipe != "mae" && recipe != "maskfeat";
      EXPECT_EQ(row.contains("feature_spread"), is_spread) << recipe;
      if (is_spread) {
        EXPECT_GT(row["feature_spread"].get<double>(), kCollapsed) << recipe;
      }
    }
  }
}

TEST(FeatureSpread, IsOneForAllDirectionsAndNoneForOne) {
  torch::manual_seed(1);
  FeatureSpread spread, one, halves;
  for (int i = 0; i < 4; ++i) spread.add(torch::randn({500, 16}) * (i + 1));
  EXPECT_NEAR(spread.value(), 1, 0.02) << "lengths do not count";
  EXPECT_EQ(one.value(), 0);
  for (int i = 1; i < 4; ++i) one.add(torch::full({3, 16}, i));
  EXPECT_NEAR(one.value(), 0, 1e-6);
  halves.add(torch::tensor({{1.0F, 0.0F}, {0.0F, 1.0F}}));  // each dimension 0 and 1: 0.5 * sqrt(2)
  EXPECT_NEAR(halves.value(), std::sqrt(0.5), 1e-6);
}

TEST(Trainer, SaysThatAContrastiveRunHasCollapsed) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.views = 2, .has_masks = false, .mode = "pairs", .is_flat = true});
  auto request = segment_request(workspace.path(), "collapsed");
  request.run.recipe = "simclr";
  request.run.model = testing::tiny_vit();
  request.run.epochs = 1, request.run.batch = 6, request.run.augment = {};
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(request, context);
  EXPECT_THAT(said, HasSubstr("warning: the encoder gives all images nearly one vector"));
}

TEST(Trainer, TrainsTwoSensorsAndResumes) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(),
                              {.views = 2, .has_sensors = true, .has_masks = false});
  for (const std::string contrast : {"nt_xent", "mma", "nt_xent_mma"}) {
    auto request = segment_request(workspace.path(), contrast);
    request.run.recipe = "dual_simclr";
    request.run.model = {.name = "unet", .width = 4};
    request.run.loss.contrast = contrast;
    request.run.epochs = 2, request.run.batch = 6;
    expect_equal_after_stop(request, 5);
    const auto record = read_run_record(request.run_folder);
    EXPECT_EQ(record.inputs[1].series, "sensor2");
  }
}

TEST(Trainer, DinoTrainsOnCropsOfDatesAndResumes) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.views = 3, .has_masks = false, .mode = "pairs"});
  auto request = segment_request(workspace.path(), "dino");
  request.run.recipe = "dino";
  request.run.model = {.name = "vit",
                       .patch_px = 4,
                       .dim = 24,
                       .depth = 2,
                       .heads = 2,
                       .head_hidden = 16,
                       .head_bottleneck = 8,
                       .head_out = 12};
  request.run.crops.small = 3;
  request.run.loss.momentum = 0.9, request.run.loss.teacher_warmup_epochs = 2;
  request.run.loss.teacher_temperature = 0.07;
  request.run.optimizer.weight_decay_end = 0.4;
  request.run.epochs = 3, request.run.batch = 6;
  for (const std::int64_t step : {1, 3}) {
    request.run_folder = workspace.path() / ("runs/dino" + std::to_string(step));
    expect_equal_after_stop(request, step);
  }
}

TEST(Trainer, SavesTheAverageOfTheWeightsInAnyPrecisionAndResumes) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = segment_request(workspace.path(), "averaged");
  request.run.model = {.name = "upernet", .patch_px = 4, .dim = 24, .depth = 2, .heads = 2};
  request.run.model.recompute = true;
  request.run.precision = "bfloat16";
  request.run.optimizer.ema = 0.8;
  request.run.optimizer.weight_decay_end = 0.2;
  request.run.accumulate = 2;
  request.run.keep_checkpoints = 100;
  expect_equal_after_stop(request, 5);
  const fs::path folder = request.run_folder;
  const auto step = read_safetensors_metadata(folder / "weights.safetensors").at("step");
  const auto checkpoint =
      folder / ("checkpoints/step-" + std::string(10 - step.size(), '0') + step);
  const auto published = read_safetensors(folder / "weights.safetensors").tensors,
             weights = read_safetensors(checkpoint / "weights.safetensors").tensors,
             state = read_safetensors(checkpoint / "optimizer.safetensors").tensors;
  const std::string name = "blocks.0.attn.qkv.weight";
  EXPECT_TRUE(torch::equal(published.at(name), state.at(name + ".ema")));
  EXPECT_FALSE(torch::equal(published.at(name), weights.at(name)));
  EXPECT_TRUE(torch::equal(published.at("neck.upsample_4x.1.running_mean"),
                           weights.at("neck.upsample_4x.1.running_mean")));
  // What was validated is what was saved.
  const auto document = [&] {
    run_evaluate({.workspace = request.workspace,
                  .dataset = request.dataset,
                  .run_folder = request.run_folder,
                  .threads = 1,
                  .device = "cpu"},
                 {});
    return Json::parse(read_text(folder / "evaluation.json"));
  }();
  for (const auto& row : rows_of(folder))
    if (row["part"] == "val" && row["step"] == std::stoi(step)) {
      EXPECT_EQ(row["loss"].get<double>(), document["parts"]["val"]["loss"].get<double>());
    }
}

TrainRequest classify_request(const fs::path& workspace, const std::string& name) {
  auto request = segment_request(workspace, name);
  request.run.recipe = "classify";
  request.run.model = {.name = "vit", .patch_px = 4, .dim = 24, .depth = 2, .heads = 2};
  request.run.augment = {"flip"};
  request.run.epochs = 8;
  return request;
}

Json evaluation_of(const TrainRequest& request) {
  run_evaluate({.workspace = request.workspace,
                .dataset = request.dataset,
                .run_folder = request.run_folder,
                .threads = 1,
                .device = "cpu"},
               {});
  return Json::parse(read_text(fs::path(request.run_folder) / "evaluation.json"));
}

TEST(Classify, LearnsResumesAndIsEvaluated) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.target = "class"});
  const auto whole = classify_request(workspace.path(), "whole"),
             parts = classify_request(workspace.path(), "parts");
  run_train(whole, {});
  train_and_stop_at(parts, 7);
  run_train(parts, {});
  EXPECT_EQ(weights_hash(parts), weights_hash(whole));
  const auto document = evaluation_of(whole);
  const auto& test = document["parts"]["test"];
  EXPECT_EQ(test["overall_accuracy"], 1.0);
  EXPECT_EQ(test["knn"]["overall_accuracy"], 1.0);
  EXPECT_EQ(test["confusion"], Json::parse("[[2,0],[0,2]]"));
  EXPECT_EQ(test["classes"][1]["name"], "bright");
  EXPECT_GE(test["ece"].get<double>(), 0);
  EXPECT_EQ(test["intervals"]["blocks"], 4);
  EXPECT_FALSE(test.contains("pixels"));
  std::istringstream csv(read_text(fs::path(whole.run_folder) / "samples.csv"));
  std::string line;
  std::getline(csv, line);
  EXPECT_EQ(line, "sample,location,part,loss,truth,prediction,probability,block");
  std::getline(csv, line);
  EXPECT_THAT(line, HasSubstr("loc_00012.view0,loc_00012,val,"));
  EXPECT_THAT(line, HasSubstr(",dark,dark,"));
}

TEST(Classify, LearnsSeveralClasses) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.target = "classes"});
  const auto request = classify_request(workspace.path(), "multi");
  run_train(request, {});
  const auto document = evaluation_of(request);
  EXPECT_EQ(document["parts"]["test"]["f1_micro"], 1.0);
  EXPECT_EQ(document["parts"]["test"]["classes"][0]["hits"], 4);
  EXPECT_TRUE(document["parts"]["test"]["knn"].is_null());
  EXPECT_THAT(read_text(fs::path(request.run_folder) / "samples.csv"),
              HasSubstr(",dark;bright,dark;bright,1,loc_00013\n"));
}

TEST(Classify, NamesASampleWhoseClassIsNotInTheDataset) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.target = "class"});
  const auto file = workspace.path() / "datasets/tiny/train.tsv";
  auto text = read_text(file);
  text.replace(text.find("\t5\t1\n"), 5, "\t9\t1\n");
  const auto published = shard::publish_file(file, text);
  auto dataset = read_dataset(workspace.path() / "datasets/tiny/dataset.json");
  dataset.parts[0].second.sha256 = published.sha256;
  shard::publish_file(workspace.path() / "datasets/tiny/dataset.json", format_dataset(dataset));
  EXPECT_THAT(error_of(classify_request(workspace.path(), "x"), ErrorKind::failed),
              ::testing::AllOf(HasSubstr("loc_00000.view0"), HasSubstr("'9'")));
}

TEST(Trainer, ComputesABatchInPartsToTheSameStep) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.target = "class"});
  auto whole = classify_request(workspace.path(), "whole"),
       parts = classify_request(workspace.path(), "parts");
  whole.run.max_steps = parts.run.max_steps = 3;
  parts.run.accumulate = 2;
  run_train(whole, {});
  run_train(parts, {});
  const auto a = read_safetensors(fs::path(whole.run_folder) / "weights.safetensors").tensors,
             b = read_safetensors(fs::path(parts.run_folder) / "weights.safetensors").tensors;
  // A bias of the keys moves all scores of a query alike: its gradient is rounding, which AdamW
  // scales up to whole steps.
  const auto without_key = [](const std::string& name, const torch::Tensor& tensor) {
    if (!name.ends_with("qkv.bias")) return tensor;
    const auto third = tensor.size(0) / 3;
    return torch::cat({tensor.slice(0, 0, third), tensor.slice(0, 2 * third)});
  };
  for (const auto& [name, tensor] : a)
    EXPECT_TRUE(
        torch::allclose(without_key(name, tensor), without_key(name, b.at(name)), 1e-3, 1e-4))
        << name;
  parts.run.recipe = "simclr";
  parts.run_folder += "_contrast";
  EXPECT_THAT(error_of(parts, ErrorKind::config), HasSubstr("accumulate"));
}

TEST(Trainer, StopsEarlyWhereValidationIsStuckAndStaysStopped) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.target = "class"});
  auto request = classify_request(workspace.path(), "stuck");
  request.run.epochs = 50;
  request.run.patience = 3;
  run_train(request, {});
  const auto rows = rows_of(request.run_folder);
  const int last = rows.back()["step"];
  EXPECT_LT(last, 150);
  const auto metadata =
      read_safetensors_metadata(fs::path(request.run_folder) / "weights.safetensors");
  EXPECT_EQ(std::stoi(metadata.at("step")), last - 3 * 3);
  run_train(request, {});
  EXPECT_EQ(rows_of(request.run_folder).size(), rows.size());
}

}  // namespace
}  // namespace tilewright::learn
