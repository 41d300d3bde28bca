// SPDX-License-Identifier: Apache-2.0
// Grids of runs: their members, their mistakes, and the tables of what members have written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "learn/config/dataset_file.h"
#include "pipeline/config/job_json.h"
#include "pipeline/stages/experiment_table.h"
#include "pipeline/stages/run_groups.h"
#include "tests/pipeline/job_text.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kTown = kSmallJob + R"(views: {patch_px: 64}
layers: {buildings: {vector: b.gpkg, draw: polygons, class: 1}}
datasets: {town: {inputs: [naip], target: buildings}, corpus: {inputs: [naip]}}
runs:
)";

const learn::RunConfig& run_of(const Job& job, const std::string& name) {
  for (const auto& [known, run] : job.runs)
    if (known == name) return run;
  throw std::runtime_error("no run " + name);
}

std::vector<std::string> run_names(const Job& job) {
  std::vector<std::string> names;
  for (const auto& [name, run] : job.runs) names.push_back(name);
  return names;
}

TEST(Grid, BecomesOrdinaryRunsOfWhichTheFirstAxisIsTheSlowest) {
  const auto job = load_text(kTown + R"(  unet:
    dataset: town
    epochs: 3
    model: {name: unet, width: 8}
    grid:
      n_labels: [10, 50]
      arms: {plain: {}, wide: {model: {width: 16}, optimizer: {lr: 0.01}}}
      seed: [1, 2]
  last: {dataset: town}
)");
  EXPECT_THAT(run_names(job), ElementsAre("unet_1", "unet_2", "unet_3", "unet_4", "unet_5", "unet_6", "unet_7", "unet_8", "last"));
  const auto& fourth = run_of(job, "unet_4");
  EXPECT_EQ(fourth.n_labels, 10);
  EXPECT_EQ(fourth.model.width, 16);
  EXPECT_EQ(fourth.model.name, "unet");
  EXPECT_EQ(fourth.optimizer.lr, 0.01);
  EXPECT_EQ(fourth.seed, 2U);
  EXPECT_EQ(fourth.epochs, 3);
  EXPECT_EQ(run_of(job, "unet_5").n_labels, 50);
  EXPECT_EQ(run_of(job, "unet_5").model.width, 8);
  ASSERT_EQ(job.experiments.size(), 1U);
  EXPECT_EQ(job.experiments[0].name, "unet");
  EXPECT_THAT(job.experiments[0].axes, ElementsAre("n_labels", "arms", "seed"));
  EXPECT_THAT(job.experiments[0].arms, ElementsAre(1U));
  EXPECT_THAT(job.experiments[0].members[3].values, ElementsAre("10", "wide", "2"));
  EXPECT_TRUE(is_member(job, "unet_8"));
  EXPECT_FALSE(is_member(job, "last"));
}

TEST(Grid, WhatIsAppendedToTheFirstAxisLeavesTheNumbersOfTheOthers) {
  const auto few = load_text(kTown + "  a: {dataset: town, grid: {n_labels: [10], seed: [1, 2]}}\n");
  const auto more = load_text(kTown + "  a: {dataset: town, grid: {n_labels: [10, 20], seed: [1, 2]}}\n");
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(few.experiments[0].members[i].values, more.experiments[0].members[i].values);
}

TEST(Grid, KeysMayLieDeepAndHoldLists) {
  const auto job = load_text(kTown + "  a: {dataset: town, augment: [crop], grid: {model.width: [8, 4], augment: [[flip], [flip, rotate], []]}}\n");
  EXPECT_THAT(run_of(job, "a_5").augment, ElementsAre("flip", "rotate"));
  EXPECT_EQ(run_of(job, "a_5").model.width, 4);
  EXPECT_THAT(job.experiments[0].members[4].values, ElementsAre("4", "flip+rotate"));
  EXPECT_TRUE(run_of(job, "a_6").augment.empty());
}

TEST(Grid, AMemberStartsFromTheMemberWithItsValues) {
  const auto job = load_text(kTown + R"(  pre: {dataset: corpus, recipe: mae, model: {name: vit, patch_px: 8}, grid: {seed: [1, 2]}}
  fine:
    dataset: town
    grid:
      seed: [2, 1]
      arms: {mae: {model: {name: upernet, encoder: {run: pre}}}, fixed: {model: {name: upernet, encoder: {run: pre_1}}}}
)");
  EXPECT_EQ(run_of(job, "fine_1").model.encoder->run, "pre_2");
  EXPECT_EQ(run_of(job, "fine_3").model.encoder->run, "pre_1");
  EXPECT_EQ(run_of(job, "fine_2").model.encoder->run, "pre_1");
  const auto text = problems_of(kTown + R"(  pre: {dataset: corpus, recipe: mae, model: {name: vit, patch_px: 8}, grid: {model.mask_ratio: [0.5, 0.7], seed: [1, 2]}}
  fine: {dataset: town, model: {name: upernet, encoder: {run: pre}}, grid: {seed: [1]}}
  other: {dataset: town, model: {name: upernet, encoder: {run: pre}}}
  third: {dataset: town, model: {name: upernet, encoder: {run: pre}}, grid: {model.mask_ratio: [0.9], seed: [1]}}
)");
  EXPECT_THAT(text, HasSubstr("runs.fine.model.encoder.run: the run 'pre' has a grid over model.mask_ratio, which this run has not; name one of its members pre_1 to pre_4"));
  EXPECT_THAT(text, HasSubstr("runs.other.model.encoder.run: the run 'pre' has a grid over model.mask_ratio, seed"));
  EXPECT_THAT(text, HasSubstr("runs.third.model.encoder.run: the run 'pre' has no member with the values of this one"));
}

TEST(Grid, TellsEveryMistakeOnceWithItsPlace) {
  const auto text = problems_of(kTown + R"(  a: {dataset: town, grid: {seed: [1, two, 3], epoch: [1], n_labels: [-1, 5]}}
  b: {dataset: town, grid: []}
  c: {dataset: town, grid: {seed: [], arms: {x: 5, y: {modl: {}}, z: {grid: {}}}, n_labels: 10}}
  d: {dataset: town, epochs: 0, grid: {seed: [1, 1]}}
  e: {dataset: town, grid: {seed: [1], arms: {p: {model: {name: unett}}}}}
  e_1: {dataset: town}
)");
  EXPECT_THAT(text, HasSubstr("job.yaml:8:39: runs.a.seed: is 'two', expected a whole number"));
  EXPECT_THAT(text, HasSubstr("job.yaml:8:48: runs.a.epoch: unknown key; did you mean epochs?"));
  EXPECT_THAT(text, HasSubstr("job.yaml:8:71: runs.a.n_labels: is '-1', expected at least 0"));
  EXPECT_THAT(text, HasSubstr("job.yaml:9:28: runs.b.grid: is a list, expected keys of the run with a list of values each"));
  EXPECT_THAT(text, HasSubstr("runs.c.grid.seed: is empty; name at least one value"));
  EXPECT_THAT(text, HasSubstr("runs.c.grid.arms.x: is '5', expected the keys of the run that differ"));
  EXPECT_THAT(text, HasSubstr("runs.c.grid.arms.z: has a grid of its own"));
  EXPECT_THAT(text, HasSubstr("runs.c.grid.n_labels: is '10', expected a list of values"));
  EXPECT_THAT(text, HasSubstr("runs.d.grid.seed.1: the value 1 is there twice"));
  EXPECT_THAT(text, HasSubstr("runs.d.epochs: is '0', expected at least 1"));
  EXPECT_THAT(text, HasSubstr("runs.e.grid: makes a member e_1, but another run has this name"));
  EXPECT_THAT(text, HasSubstr("runs.e.model.name: there is no model 'unett'"));
  for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    EXPECT_EQ(text.find(text.substr(at, end - at) + "\n", end), std::string::npos) << "twice: " << text.substr(at, end - at);
  }
}

TEST(Grid, HasALimit) {
  std::string list;
  for (int i = 0; i < 40; ++i) list += (i ? "," : "") + std::to_string(i);
  const auto text = problems_of(kTown + "  a: {dataset: town, grid: {seed: [" + list + "], n_labels: [" + list + "], label_draw: [" + list + "]}}\n");
  EXPECT_THAT(text, HasSubstr("makes 64000 runs; at most 1000"));
}

TEST(Grid, CanBeSetAndDumpedAndRead) {
  const auto text = kTown + "  a: {dataset: town, grid: {seed: [1, 2]}}\n";
  const auto set = load_text(text, {.sets = {"runs.a.grid.seed=[7]"}, .roots = {}, .flags = {}});
  EXPECT_THAT(run_names(set), ElementsAre("a_1"));
  EXPECT_EQ(run_of(set, "a_1").seed, 7U);
  const auto again = load_text(dump_job(load_text(text)));  // members, written out
  EXPECT_THAT(run_names(again), ElementsAre("a_1", "a_2"));
  EXPECT_TRUE(schema_of_job()["properties"]["runs"]["anyOf"][0]["additionalProperties"]["properties"].contains("grid"));
}

/// A workspace in which the members of a grid have written what tests say.
class Table : public testing::Test {
 protected:
  Table() {
    job = load_job(folder.write("job.yaml", kTown + R"(  a:
    dataset: town
    grid: {n_labels: [10, 50], arms: {one: {}, two: {}}, seed: [1, 2, 3]}
)"));
    learn::DatasetFile dataset;
    dataset.name = "town";
    dataset.target.kind = "mask";
    dataset.target.classes = {{0, "background", "#000"}, {1, "house, \"old\"", "#f00"}};
    fs::create_directories(work() / "datasets/town");
    std::ofstream(work() / "datasets/town/dataset.json") << learn::format_dataset(dataset);
  }
  [[nodiscard]] fs::path work() const { return job.workspace(); }

  /// `right` of 100 pixels of each class in every one of ten blocks, give or take the block's own ease.
  void write_run(const std::string& name, int right) const {
    fs::create_directories(work() / "runs" / name);
    std::ofstream(work() / "runs" / name / "weights.safetensors") << "weights";
    std::ofstream(work() / "runs" / name / "metrics.jsonl") << R"({"step":5,"epoch":0,"part":"val","iou_macro":0.1}
{"step":10,"epoch":1,"part":"val","iou_macro":0.9}
{"step":15,"epoch":2,"part":"val","iou_macro":0.8}
)";
    std::ofstream out(work() / "runs" / name / "samples.csv");
    out << "sample,location,part,loss,hits_background,\"hits_house, \"\"old\"\"\",truth_background,\"truth_house, \"\"old\"\"\",predicted_background,\"predicted_house, \"\"old\"\"\",block\n";
    for (int block = 0; block < 10; ++block)
      for (const char* part : {"val", "test"}) {
        const int hits = right + block - 5;
        out << part << block << ",l" << block << "," << part << ",0.5," << hits << "," << hits << ",100,100,100,100,b" << block << "\n";
      }
  }

  JobFolder folder;
  Job job;
};

TEST_F(Table, JoinsMembersArmsAndPairs) {
  for (int k = 1; k <= 12; ++k) {
    const int labels = k <= 6 ? 0 : 10, arm = (k - 1) / 3 % 2, seed = (k - 1) % 3;
    if (k == 12) continue;  // is still to do
    write_run("a_" + std::to_string(k), 50 + labels + 12 * arm + seed);
  }
  const auto table = experiment_table(job, work(), job.experiments[0]);
  EXPECT_EQ(table.score, "IoU macro");
  EXPECT_EQ(table.part, "test");
  EXPECT_THAT(table.axes, ElementsAre("n_labels", "arms"));
  ASSERT_EQ(table.members.size(), 12U);
  EXPECT_FALSE(table.members[11].is_finished);
  EXPECT_EQ(table.members[0].val_best, 0.9);
  EXPECT_EQ(table.members[0].val_last, 0.8);
  EXPECT_EQ(table.members[0].epochs_to_95, 2);
  const double hits = 49.5;  // mean over blocks of the first member
  EXPECT_NEAR(*table.members[0].test, hits / (200 - hits), 1e-12);
  std::vector<const ArmRow*> arms;
  for (const auto& arm : table.arms)
    if (arm.score == "IoU macro") arms.push_back(&arm);
  ASSERT_EQ(arms.size(), 4U);
  EXPECT_THAT(arms[0]->values, ElementsAre("10", "one"));
  EXPECT_EQ(arms[0]->runs, 3);
  EXPECT_EQ(arms[3]->runs, 2);
  for (const auto* arm : arms) {
    EXPECT_LT(arm->interval[0], arm->mean);
    EXPECT_GT(arm->interval[1], arm->mean);
    EXPECT_GT(*arm->sd, 0);
  }
  ASSERT_EQ(table.differences.size(), 2U);
  const auto& at_ten = table.differences[0];
  EXPECT_EQ(at_ten.axis, "arms");
  EXPECT_EQ(at_ten.value, "two");
  EXPECT_EQ(at_ten.against, "one");
  EXPECT_THAT(at_ten.others, ElementsAre("10", ""));
  EXPECT_EQ(at_ten.pairs, 3);
  EXPECT_EQ(table.differences[1].pairs, 2);
  EXPECT_NEAR(at_ten.mean, arms[1]->mean - arms[0]->mean, 1e-12);
  EXPECT_EQ(at_ten.verdict(), "above");
  EXPECT_LT(at_ten.interval[1] - at_ten.interval[0], arms[0]->interval[1] - arms[0]->interval[0]) << "what is easy for both is no difference";
}

TEST_F(Table, SaysWhatIsNotResolved) {
  for (int k = 1; k <= 6; ++k) write_run("a_" + std::to_string(k), k == 1 ? 60 : k == 4 ? 55 : k > 4 ? 56 : 52);
  const auto table = experiment_table(job, work(), job.experiments[0]);
  ASSERT_EQ(table.differences.size(), 1U);
  EXPECT_EQ(table.differences[0].verdict(), "not resolved");
  EXPECT_LT(table.differences[0].interval[0], 0);
  EXPECT_GT(table.differences[0].interval[1], 0);
}

TEST_F(Table, IsWrittenAsCsvTheSameEachTime) {
  write_run("a_1", 50);
  write_run("a_4", 60);
  write_experiment_tables(job, work());
  const auto read = [&](const std::string& name) {
    std::ifstream in(work() / "experiments" / name);
    return std::string{std::istreambuf_iterator<char>(in), {}};
  };
  const auto members = read("a.csv"), arms = read("a_arms.csv"), differences = read("a_differences.csv");
  EXPECT_THAT(members, HasSubstr("run,n_labels,arms,seed,finished,steps,score,val_best,val_last,test,epochs_to_95\na_1,10,one,1,yes,15,IoU macro,0.9,0.8,0.3"));
  EXPECT_THAT(members, HasSubstr("\na_2,10,one,2,no,0,IoU macro,,,,\n"));
  EXPECT_THAT(arms, HasSubstr("n_labels,arms,score,part,runs,mean,sd,low,high\n10,one,IoU macro,test,1,"));
  EXPECT_THAT(differences, HasSubstr("axis,value,against,n_labels,arms,score,part,pairs,mean,low,high,is\narms,two,one,10,,IoU macro,test,1,0.09"));
  write_experiment_tables(job, work());
  EXPECT_EQ(read("a_arms.csv"), arms);
  EXPECT_EQ(read("a_differences.csv"), differences);
}

TEST_F(Table, SamplesOfAnEarlierVersionAreLeftOut) {
  write_run("a_1", 50);
  std::ofstream(work() / "runs/a_1/samples.csv") << "sample,location,part,loss\ns,l,val,1\n";
  EXPECT_FALSE(read_run_samples(work(), "a_1", "town"));
  EXPECT_TRUE(experiment_table(job, work(), job.experiments[0]).arms.empty());
}

TEST(Score, IsThatOfTheKindOfTarget) {
  const ClassCounts counts{{30, 10}, {40, 60}, {80, 20}};
  EXPECT_NEAR(*score_of("mask", counts), (30.0 / 90 + 10.0 / 70) / 2, 1e-12);
  EXPECT_NEAR(*score_of("class", counts), 0.4, 1e-12);
  EXPECT_NEAR(*score_of("classes", counts), 80.0 / 200, 1e-12);
  EXPECT_FALSE(score_of("mask", {{0, 0}, {0, 0}, {0, 0}}));
  EXPECT_NEAR(*score_of("mask", {{5, 0}, {10, 0}, {5, 0}}), 0.5, 1e-12) << "a class in neither has no IoU";
}

TEST(Evaluate, KnowsItsColumns) {
  EXPECT_THAT(problems_of(kTown + "  u: {dataset: town}\nevaluate: {by: [zone, yera, share_house]}\n"), HasSubstr("evaluate.by.1: there is no column 'yera'; did you mean year?"));
  EXPECT_THAT(problems_of(kSmallJob + "evaluate: {by: [zone]}\n"), HasSubstr("evaluate: is about runs, but the job has no runs: section"));
  EXPECT_EQ(problems_of(kTown + "  u: {dataset: town}\nevaluate: {by: [zone, year, positive_frac, share_house], worst: 3}\n"), "");
}

}  // namespace
}  // namespace tilewright::pipeline
