// SPDX-License-Identifier: Apache-2.0
// Out-of-fold models from start to report: what they decided is kept as masks, and models that decide nothing are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "index/manifest.h"
#include "index/shard/shard_reader.h"
#include "tests/support/tiny_region.h"

namespace tilewright::tests {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

constexpr const char* kCurate =
    "curate:\n  layers: [buildings]\n  source: elevation\n  scores: [edge_agreement, model_iou]\n"
    "  model: {width: 4, epochs: @epochs@, lr: 0.02}\n  folds: 2\n  weights: {model_iou: 1, edge_agreement: @weight@}\n";

std::string curate_text(const std::string& weight = "0.5", const std::string& epochs = "1") {
  std::string text = kCurate;
  text.replace(text.find("@weight@"), 8, weight);
  text.replace(text.find("@epochs@"), 8, epochs);
  return text;
}

class CurateModels : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    ASSERT_EQ(world_->run().code, 0);
  }
  static void TearDownTestSuite() { world_.reset(); }

  /// `where`: a condition that buildings must meet to be labels.
  Answer run(const std::string& curate, const std::vector<std::string>& more = {}, const std::string& where = "") const {
    const std::string vector = "vector: 'labels/buildings.gpkg'\n";
    std::vector<std::string> arguments{"run", region_.write_job("curated.yaml", vector, vector + (where.empty() ? "" : "    where: " + where + "\n"), curate), "-q"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_tilewright(arguments);
  }
  [[nodiscard]] index::Manifest manifest() const { return index::Manifest::open(region_.work() / "manifest.gpkg", index::Manifest::Mode::create_or_write); }
  [[nodiscard]] std::vector<index::MaskRow> masks(const std::string& layer) const { return index::masks(manifest(), layer); }

  TinyRegion region_{*world_};
  static std::unique_ptr<TinyRegion> world_;
};
std::unique_ptr<TinyRegion> CurateModels::world_;

TEST_F(CurateModels, WhatTheyDecideIsKeptAsMasksThatFitTheLabels) {
  ASSERT_EQ(run(curate_text()).code, 0);
  const auto labels = masks("buildings"), decided = masks("buildings_predicted");
  ASSERT_EQ(decided.size(), labels.size());
  for (std::size_t n = 0; n < decided.size(); ++n) {
    EXPECT_EQ(decided[n].location_id, labels[n].location_id);
    ASSERT_TRUE(decided[n].place);
    EXPECT_THAT(decided[n].place->shard, HasSubstr("buildings_predicted-"));
    const shard::MappedFile file(region_.work() / decided[n].place->shard), own(region_.work() / labels[n].place->shard);
    const auto array = shard::array_at(file, decided[n].place->byte_offset, decided[n].place->byte_length);
    EXPECT_EQ(array.header.shape, shard::array_at(own, labels[n].place->byte_offset, labels[n].place->byte_length).header.shape);
    std::int64_t positive = 0;
    for (const auto byte : array.data) {
      EXPECT_LE(std::to_integer<int>(byte), 1) << "a class that the layer does not have";
      positive += std::to_integer<int>(byte);
    }
    EXPECT_NEAR(decided[n].positive_frac, static_cast<double>(positive) / static_cast<double>(array.data.size()), 1e-12);
  }
  EXPECT_FALSE(verified_tree_hash(region_.work()).empty());
}

TEST_F(CurateModels, MasksOfModelsStayWithTheScoresAndGoWithThem) {
  ASSERT_EQ(run(curate_text()).code, 0);
  const auto shards = [&] {
    std::set<std::string> out;
    for (const auto& mask : masks("buildings_predicted")) out.insert(mask.place->shard + mask.place->sha256);
    return out;
  };
  const auto before = shards();
  ASSERT_FALSE(before.empty());
  const auto answer = run(curate_text("2"), {"--json"});
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_THAT(answer.out, HasSubstr("their scores stay"));
  EXPECT_EQ(shards(), before) << "another weight asks no model";
  auto plain = curate_text();
  plain.replace(plain.find(", model_iou]"), 12, "]");
  plain.replace(plain.find("model_iou: 1, "), 14, "");
  ASSERT_EQ(run(plain).code, 0);
  EXPECT_THAT(masks("buildings_predicted"), IsEmpty());
  EXPECT_FALSE(verified_tree_hash(region_.work()).empty());
}

/// One building: the models that judge its fold have seen none.
TEST_F(CurateModels, AFoldWhoseModelsSawNoSuchClassIsToldOnTheTerminalAndInTheReport) {
  const std::string alone = "fid <= 1";
  const auto silent = curate_text("0.5", "10");
  const auto warnings_of = [&](const Answer& answer) {
    std::vector<std::string> out;
    const auto json = Json::parse(answer.out);
    for (const auto& stage : json.at("stages"))
      if (stage.at("stage") == "curate")
        for (const auto& note : stage.at("notes"))
          if (note.get<std::string>().starts_with("warning: ")) out.push_back(note);
    return out;
  };
  auto answer = run(silent, {"--json"}, alone);
  ASSERT_EQ(answer.code, 0) << answer;
  const auto warnings = warnings_of(answer);
  ASSERT_THAT(warnings, Contains(StartsWith("warning: buildings: fold "))) << answer.out;
  EXPECT_THAT(warnings.front(), HasSubstr("its models decide class 0 (background) at every pixel of "));
  EXPECT_THAT(warnings.front(), HasSubstr("raise curate.model.epochs"));
  // As long as the scores stay, so does the warning.
  auto other = silent;
  other.replace(other.find("edge_agreement: 0.5"), 19, "edge_agreement: 0.7");
  answer = run(other, {"--json"}, alone);
  EXPECT_THAT(answer.out, HasSubstr("their scores stay"));
  EXPECT_EQ(warnings_of(answer), warnings);
  ASSERT_EQ(run_tilewright({"report", (region_ / "curated.yaml").string()}).code, 0);
  EXPECT_THAT(read_text(region_.work() / "report.html"), HasSubstr("<b>Warning.</b> buildings: fold "));
}

/// Of the layer buildings, by location.
std::map<std::string, double> values_of(const index::Manifest& manifest, const std::string& metric) {
  std::map<std::string, double> out;
  for (const auto& score : index::scores(manifest, "buildings"))
    if (score.metric == metric) out[score.location_id] = score.value;
  return out;
}

/// Two buildings in three have no label: no model can be surer of a building than its labels are.
TEST_F(CurateModels, FindBuildingsOfWhichMostLackALabel) {
  auto curate = curate_text("0.5", "40");
  curate.replace(curate.find("model_iou]"), 10, "model_iou, missing_objects]");
  auto answer = run(curate, {"--json"}, "fid % 3 = 0");
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_THAT(answer.out, HasSubstr(" models give building a probability of 0."));
  EXPECT_THAT(answer.out, HasSubstr("where labels have it; they decide it from there on, not from a half on"));
  double missing = 0;
  for (const auto& [id, value] : values_of(manifest(), "missing_objects")) missing += value;
  EXPECT_GT(missing, 20);
}

TEST_F(CurateModels, AreNotTrainedForALayerWithoutALabelledPixel) {
  const auto answer = run(curate_text(), {}, "fid < 0");
  EXPECT_EQ(answer.code, 1) << answer;
  EXPECT_THAT(answer.err, HasSubstr("no mask of layer buildings has a labelled pixel, in "));
  EXPECT_THAT(answer.err, HasSubstr("where, class, classes and extent of layers.buildings"));
}

TEST_F(CurateModels, AreTheNetworkOfARunWithSeveralSeedsWhereTheJobNamesOne) {
  const std::string learning =
      "datasets:\n  town: {inputs: [{source: optical}, {source: elevation}], target: buildings, subset: best, views: latest}\n"
      "runs:\n  late: {dataset: town, recipe: segment, model: {name: unet, width: 4, fusion: late}, optimizer: {lr: 0.01}, epochs: 3, batch: 4, seed: 9}\n";
  const auto text = [&](const std::string& model, const std::string& rate = "0.01") {
    auto learned = learning;
    learned.replace(learned.find("0.01"), 4, rate);
    return "curate:\n  layers: [buildings]\n  source: elevation\n  scores: [model_iou, model_spread]\n  model: " + model + "\n  folds: 2\n  subsets: {best: {top: 4, by: model_iou}}\n" + learned;
  };
  const auto to_curate = [&](const std::string& job) { return run(job, {"--to", "curate", "--json"}); };
  auto answer = to_curate(text("{run: late, seeds: 3}"));
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_THAT(answer.out, HasSubstr("buildings: 3 models a fold; their probabilities differ by 0."));
  const auto spread = values_of(manifest(), "model_spread");
  ASSERT_FALSE(spread.empty());
  EXPECT_EQ(masks("buildings_predicted").size(), spread.size()) << "the subset of the run's dataset is no matter here";
  for (const auto& [id, value] : spread) EXPECT_TRUE(value > 0 && value <= 0.5) << id << " " << value;
  answer = to_curate(text("{run: late, seeds: 2}"));
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_NE(values_of(manifest(), "model_spread"), spread);
  answer = to_curate(text("{run: late, seeds: 3}"));
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_EQ(values_of(manifest(), "model_spread"), spread) << "the same models give the same bits";
  answer = to_curate(text("{run: late, seeds: 3}", "0.02"));
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_NE(values_of(manifest(), "model_spread"), spread) << "what the run says is what the folds do";
  EXPECT_FALSE(std::filesystem::exists(region_.work() / ".tmp/curate-buildings"));
}

}  // namespace
}  // namespace tilewright::tests
