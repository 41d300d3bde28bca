// SPDX-License-Identifier: Apache-2.0
// What labels are worth to a network: the sets of labels, and `curate --evaluate` with a network from start to end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "pipeline/stages/curate_effect.h"
#include "tests/support/tiny_region.h"

namespace tilewright::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

MaskPlaces places_in(const std::set<std::string>& ids, const std::string& shard) {
  MaskPlaces out;
  for (const auto& id : ids) out[id] = {shard, id, 0, 0, ""};
  return out;
}

std::map<std::string, std::vector<std::string>> ids_by_arm(const std::vector<LabelArm>& arms) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& arm : arms)
    for (const auto& [id, place] : arm.labels) out[arm.name].push_back(id + " " + place.shard);
  return out;
}

TEST(LabelArms, TakeTheBestTheSameRandomOnesAndOnlyTrain) {
  const std::set<std::string> train = {"a", "b", "c", "d", "e"}, all = {"a", "b", "c", "d", "e", "of_test"};
  const MetricValues ranks = {{"a", 0.1}, {"b", 0.9}, {"c", 0.5}, {"d", 0.7}, {"of_test", 1}};   // e has none: the last
  const auto arms = label_arms(train, places_in(all, "noisy"), places_in(all, "clean"), places_in(all, "repaired"), ranks, 2, 7);
  auto ids = ids_by_arm(arms);
  EXPECT_THAT(ids["all_noisy"], ElementsAre("a noisy", "b noisy", "c noisy", "d noisy", "e noisy"));
  EXPECT_THAT(ids["curated_2"], ElementsAre("b noisy", "d noisy"));
  EXPECT_THAT(ids["curated_half"], ElementsAre("b noisy", "c noisy", "d noisy"));
  EXPECT_THAT(ids["repaired"], ElementsAre("a repaired", "b repaired", "c repaired", "d repaired", "e repaired"));
  EXPECT_EQ(ids["all_clean"].size(), 5U);
  ASSERT_EQ(ids["random_2"].size(), 2U);
  ASSERT_EQ(ids["clean_2"].size(), 2U);
  for (std::size_t n = 0; n < 2; ++n) EXPECT_EQ(ids["clean_2"][n].substr(0, 2), ids["random_2"][n].substr(0, 2)) << "the same places, other labels";
  EXPECT_EQ(arms.front().name, "all_noisy");
  for (const auto& arm : arms) EXPECT_EQ(arm.rival, arm.name == "all_noisy" ? "" : arm.name == "curated_2" ? "random_2" : "all_noisy");
  std::set<std::string> draws;
  for (std::uint64_t seed = 0; seed < 20; ++seed) draws.insert(ids_by_arm(label_arms(train, places_in(all, "noisy"), {}, {}, ranks, 2, seed))["random_2"].front());
  EXPECT_GT(draws.size(), 1U) << "another seed draws others";
}

TEST(LabelArms, AreLeftOutWhereTheyWouldBeAllOrNothing) {
  const std::set<std::string> train = {"a", "b"};
  std::vector<std::string> names;
  for (const auto& arm : label_arms(train, places_in(train, "noisy"), places_in(train, "clean"), {}, {{"a", 1}, {"b", 0}}, 2, 1)) names.push_back(arm.name);
  EXPECT_THAT(names, ElementsAre("all_noisy", "curated_half", "all_clean"));
}

class CurateEffect : public ::testing::Test {
 protected:
  void SetUp() override {
    region_.generate();
    ASSERT_EQ(region_.run().code, 0);
  }
  tests::Answer evaluate(const std::string& fractions) const {
    const std::string vector = "vector: 'labels/buildings.gpkg'\n";
    const auto job = region_.write_job("curated.yaml", vector, vector,
      "curate:\n  layers: [buildings]\n  source: elevation\n  scores: [edge_agreement]\n  weights: {edge_agreement: 1}\n  repair: {}\n  folds: 2\n"
      "  model: {width: 4, epochs: 2, lr: 0.02}\n  evaluate: {draws: 2, network: {steps: 60, epochs: 1, few: 3}}\n");
    std::vector<std::string> arguments{"curate", job, "--evaluate", "-q"};
    if (!fractions.empty()) arguments.insert(arguments.end(), {"--set", fractions});
    return tests::run_tilewright(arguments);
  }
  tests::TinyRegion region_;
};

TEST_F(CurateEffect, EveryKindOfLabelsIsTrainedOnUnderBothBudgetsAndComparedByDraw) {
  const auto before = tests::verified_tree_hash(region_.work());
  const auto answer = evaluate("");
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_THAT(answer.out, HasSubstr("equal steps"));
  const auto network = Json::parse(tests::read_text(region_.work() / "curation.json")).at(0).at("network");
  for (const std::string budget : {"steps", "epochs"}) {
    std::vector<std::string> names;
    for (const auto& [name, arm] : network.at(budget).items()) {
      names.push_back(name);
      ASSERT_EQ(arm.at("iou").at("draws").size(), 2U) << name;
      for (const double iou : arm.at("iou").at("draws")) EXPECT_TRUE(iou >= 0 && iou <= 1) << name << " " << iou;
      if (name == "all_noisy") {
        EXPECT_FALSE(arm.contains("gain"));
        continue;
      }
      EXPECT_EQ(arm.at("against"), name == "curated_3" ? "random_3" : "all_noisy");
      const auto rival = network.at(budget).at(arm.at("against").get<std::string>()).at("iou").at("draws");
      for (std::size_t n = 0; n < 2; ++n) EXPECT_DOUBLE_EQ(arm.at("gain").at("draws")[n], arm.at("iou").at("draws")[n].get<double>() - rival[n].get<double>());
    }
    EXPECT_THAT(names, ::testing::UnorderedElementsAre("all_noisy", "random_3", "curated_3", "curated_half", "repaired", "clean_3", "all_clean"));
  }
  EXPECT_GT(network.at("steps").at("all_clean").at("iou").at("mean").get<double>(), 0.1) << "it has learned something";
  EXPECT_NE(network.at("steps"), network.at("epochs"));
  EXPECT_EQ(tests::verified_tree_hash(region_.work()), before) << "the workspace stays as it is";
}

TEST_F(CurateEffect, WithoutTestThereIsOneErrorWithTheRemedy) {
  const std::string split = "split.fractions={train: 0.8, val: 0.2, test: 0}";
  const auto again = tests::run_tilewright({"run", (region_ / "job.yaml").string(), "--to", "split", "-q", "--set", split});
  ASSERT_EQ(again.code, 0) << again;
  const auto answer = evaluate(split);
  EXPECT_EQ(answer.code, 2) << answer;
  EXPECT_THAT(answer.err, HasSubstr("evaluate.network is judged on test, but no location of test has a mask of buildings"));
}

}  // namespace
}  // namespace tilewright::pipeline
