// SPDX-License-Identifier: Apache-2.0
// What experiments rest on: nested draws of labels, sparse validation, members trained anew, and
// evaluations that are kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "learn/config/json.h"
#include "learn/train/evaluator.h"
#include "learn/train/run_record.h"
#include "learn/train/trainer.h"
#include "tests/learn/one_thread.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ScratchFolder;

std::set<std::string> locations_of(const Corpus& corpus) {
  std::set<std::string> out;
  for (const auto& sample : corpus.part("train")) out.insert(sample.location);
  return out;
}

TEST(LabelDraw, IsNestedAndLeavesValidationWhole) {
  const ScratchFolder workspace;
  const auto file =
      testing::write_tiny_dataset(workspace.path(), {.train = 12, .views = 2, .mode = "each"});
  const Corpus all(workspace.path(), file);
  std::set<std::string> fewer;
  for (const int count : {1, 3, 7, 12}) {
    const Corpus drawn(workspace.path(), file, {.locations = count});
    const auto more = locations_of(drawn);
    EXPECT_EQ(more.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(drawn.part("train").size(), static_cast<std::size_t>(2 * count))
        << "all views of a location";
    EXPECT_TRUE(std::includes(more.begin(), more.end(), fewer.begin(), fewer.end()));
    EXPECT_EQ(drawn.part("val").size(), all.part("val").size());
    fewer = more;
  }
  const Corpus one(workspace.path(), file, {.locations = 4, .seed = 1}),
      other(workspace.path(), file, {.locations = 4, .seed = 2});
  EXPECT_NE(locations_of(one), locations_of(other));
  try {
    const Corpus many(workspace.path(), file, {.locations = 13});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("n_labels 13: dataset tiny has 12 locations in train"));
  }
}

TEST(LabelDraw, TakesClassesInProportionAndCountsThem) {
  const ScratchFolder workspace;
  const auto file = testing::write_tiny_dataset(workspace.path(), {.train = 12, .target = "class"});
  for (const int count : {2, 4, 8}) {
    const Corpus drawn(workspace.path(), file, {.locations = count});
    std::map<int, int> classes;
    for (const auto& sample : drawn.part("train")) ++classes[sample.classes.front()];
    EXPECT_EQ(classes[0], count / 2) << count;
    EXPECT_EQ(drawn.dataset().target.classes[1].samples, count / 2);
  }
}

TEST(LabelDraw, PixelsOfClassesAreThoseOfTheDraw) {
  const ScratchFolder workspace;
  const auto file = testing::write_tiny_dataset(workspace.path(), {});
  const Corpus all(workspace.path(), file), whole(workspace.path(), file, {.locations = 12}),
      few(workspace.path(), file, {.locations = 3});
  const auto& classes = few.dataset().target.classes;
  EXPECT_EQ(classes[0].pixels + classes[1].pixels, 3 * 16 * 16);
  EXPECT_GT(classes[1].pixels, 0);
  for (int k = 0; k < 2; ++k)
    EXPECT_EQ(whole.dataset().target.classes[k].pixels, all.dataset().target.classes[k].pixels);
}

TrainRequest request_of(const fs::path& workspace, const std::string& name) {
  TrainRequest request;
  request.workspace = workspace;
  request.dataset = workspace / "datasets/tiny/dataset.json";
  request.run_folder = workspace / "runs" / name;
  request.run.dataset = "tiny";
  request.run.model.width = 4;
  request.run.batch = 4;
  request.run.epochs = 6;
  request.run.threads = 1;
  request.run.device = "cpu";
  return request;
}

std::vector<std::int64_t> validated_steps(const TrainRequest& request) {
  std::vector<std::int64_t> steps;
  std::ifstream in(fs::path(request.run_folder) / "metrics.jsonl");
  for (std::string line; std::getline(in, line);)
    if (const auto row = Json::parse(line); row["part"] == "val") steps.push_back(row["step"]);
  return steps;
}

TEST(Trainer, ValidatesEverySoManySteps) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});  // three steps an epoch
  auto request = request_of(workspace.path(), "run");
  request.run.validate_steps = 7;
  run_train(request, {});
  EXPECT_EQ(validated_steps(request), (std::vector<std::int64_t>{9, 15, 18}));
}

TEST(Trainer, ARunOnFewLabelsResumesAsTheSame) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto whole = request_of(workspace.path(), "whole"), parts = request_of(workspace.path(), "parts");
  whole.run.n_labels = parts.run.n_labels = 5;
  whole.run.validate_steps = parts.run.validate_steps = 3;
  whole.run.loss.class_weights = parts.run.loss.class_weights = "auto";
  run_train(whole, {});
  std::stop_source source;
  LearnContext context;
  context.stop = source.get_token();
  context.on_progress = [&](std::int64_t done, std::int64_t, const std::string&) {
    if (done >= 2) source.request_stop();
  };
  EXPECT_THROW(run_train(parts, context), Error);
  run_train(parts, {});
  const auto hash = [](const TrainRequest& request) {
    return shard::sha256_file(fs::path(request.run_folder) / "weights.safetensors");
  };
  EXPECT_EQ(validated_steps(parts), validated_steps(whole));
  EXPECT_EQ(hash(parts), hash(whole));
  const auto read = [](const TrainRequest& request) {
    return read_run_record(request.run_folder).run.n_labels;
  };
  EXPECT_EQ(read(parts), 5);
}

TEST(Trainer, StartsAnewWhatWasBegunOtherwiseIfToldSo) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = request_of(workspace.path(), "run");
  request.run.epochs = 1;
  run_train(request, {});
  request.run.seed = 5;
  EXPECT_THROW(run_train(request, {}), Error) << "another run must not be overwritten by mistake";
  request.renew = true;
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_train(request, context);
  EXPECT_THAT(said, HasSubstr("run.seed (1 then, 5 now); it starts anew"));
  EXPECT_EQ(read_run_record(request.run_folder).run.seed, 5U);
  said.clear();
  run_train(request, context);
  EXPECT_THAT(said, HasSubstr("nothing to do")) << "what is the same is kept";
}

/// Evaluates and gives back what was said.
std::string evaluate(const TrainRequest& request, int worst, bool overwrite = false) {
  std::string said;
  LearnContext context;
  context.say = [&](const std::string& text) { said += text + "\n"; };
  run_evaluate({.workspace = request.workspace,
                .dataset = request.dataset,
                .run_folder = request.run_folder,
                .threads = 1,
                .device = "cpu",
                .overwrite = overwrite,
                .worst = worst},
               context);
  return said;
}

TEST(Evaluate, IsKeptWhileWeightsAndDatasetAreTheSame) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  auto request = request_of(workspace.path(), "run");
  run_train(request, {});
  EXPECT_THAT(evaluate(request, 2), HasSubstr("samples, IoU macro"));
  EXPECT_THAT(evaluate(request, 2), HasSubstr("the run run is evaluated: nothing to do"));
  EXPECT_THAT(evaluate(request, 3), HasSubstr("IoU macro")) << "other samples are asked for";
  EXPECT_THAT(evaluate(request, 3, true), HasSubstr("IoU macro"));
  request.run.seed = 2;
  request.overwrite = true;
  run_train(request, {});
  EXPECT_THAT(evaluate(request, 3), HasSubstr("IoU macro")) << "other weights";
}

/// Member of a tar as bytes; its rows in the index are checked to be there.
std::vector<std::byte> member_of(const fs::path& tar, const std::string& name) {
  const shard::MappedFile file(tar);
  for (const auto& entry : shard::read_index(shard::index_file(tar)))
    if (entry.member == name) {
      const auto bytes = entry.dtype ? shard::array_at(file, entry.offset, entry.length).data
                                     : file.range(entry.offset, entry.length);
      return {bytes.begin(), bytes.end()};
    }
  ADD_FAILURE() << name;
  return {};
}

TEST(Evaluate, KeepsTheWorstSamplesWithLabelAndPrediction) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {});
  const auto request = request_of(workspace.path(), "run");
  run_train(request, {});
  evaluate(request, 2);
  const fs::path folder = request.run_folder;
  std::ifstream in(folder / "samples.csv");
  std::string line;
  std::getline(in, line);
  EXPECT_THAT(line, HasSubstr(",hits_background,hits_square,truth_background,truth_square,"
                              "predicted_background,predicted_square,block"));
  double worst = 0;
  std::map<std::string, std::string> rows;
  while (std::getline(in, line)) {
    if (line.find(",test,") == std::string::npos) continue;
    const auto loss = std::stod(line.substr(line.find(",test,") + 6));
    worst = std::max(worst, loss);
    rows[line.substr(0, line.find(','))] = line;
  }
  const auto tar = folder / "worst-000000.tar";
  const auto text = member_of(tar, "test_1.json");
  const auto about =
      Json::parse(std::string(reinterpret_cast<const char*>(text.data()), text.size()));
  EXPECT_DOUBLE_EQ(about["loss"].get<double>(), worst);
  const auto truth = member_of(tar, "test_1.truth.npy"),
             guess = member_of(tar, "test_1.prediction.npy");
  ASSERT_EQ(truth.size(), 256U);
  ASSERT_EQ(guess.size(), 256U);
  std::int64_t hits = 0;
  for (std::size_t i = 0; i < truth.size(); ++i)
    hits += truth[i] == std::byte{1} && guess[i] == std::byte{1};
  const auto& row = rows.at(about["sample"].get<std::string>());
  std::vector<std::string> fields;
  for (std::size_t begin = 0; begin <= row.size();) {
    const auto end = std::min(row.find(',', begin), row.size());
    fields.push_back(row.substr(begin, end - begin));
    begin = end + 1;
  }
  EXPECT_EQ(fields[fields.size() - 6], std::to_string(hits)) << row;  // hits_square
  EXPECT_EQ(shard::read_index(shard::index_file(tar)).size(), 12U) << "two of val, two of test";
}

TEST(Evaluate, ShowsWhatAMaskedAutoencoderDraws) {
  const ScratchFolder workspace;
  testing::write_tiny_dataset(workspace.path(), {.channels = 4});
  auto request = request_of(workspace.path(), "mae");
  request.run.recipe = "mae";
  request.run.model = testing::tiny_vit();
  request.run.epochs = 1;
  run_train(request, {});
  EXPECT_THAT(evaluate(request, 3), HasSubstr("val: 4 samples, loss"));
  const auto tar = fs::path(request.run_folder) / "reconstructions-000000.tar";
  EXPECT_EQ(shard::read_index(shard::index_file(tar)).size(), 12U);
  const auto image = member_of(tar, "val_1.image.npy"), drawn = member_of(tar, "val_1.drawn.npy"),
             hidden = member_of(tar, "val_1.hidden.npy");
  ASSERT_EQ(image.size(), 3U * 256 * sizeof(float)) << "three of four bands";
  int same = 0, covered = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    covered += std::to_integer<int>(hidden[i]);
    const bool is_same =
        std::equal(image.begin() + 4 * i, image.begin() + 4 * i + 4, drawn.begin() + 4 * i);
    EXPECT_TRUE(is_same || hidden[i] == std::byte{1}) << "what is seen stays as it is";
    same += is_same;
  }
  EXPECT_EQ(covered, 192) << "three quarters of 16 patches of 16 pixels";
  EXPECT_LT(same, 80);
}

}  // namespace
}  // namespace tilewright::learn
