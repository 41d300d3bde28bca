// SPDX-License-Identifier: Apache-2.0
// A small experiment from start to report: members are ordinary runs, and only what changed is done again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/support/tiny_region.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using nlohmann::json;

constexpr const char* kLearning = R"(datasets:
  corpus: {inputs: [elevation]}
  town: {inputs: [elevation], target: true_buildings}
runs:
  pretrain:
    dataset: corpus
    recipe: mae
    model: {name: vit, patch_px: 8, dim: 16, depth: 3, heads: 2, decoder_dim: 16, decoder_depth: 1, decoder_heads: 2}
    epochs: 1
    batch: 4
    grid: {seed: [1, 2]}
  few:
    dataset: town
    recipe: segment
    batch: 2
    max_steps: 4
    epochs: 100
    validate_steps: 2
    grid:
      n_labels: [2, 4]
      arms: {unet: {model: {name: unet, width: 4}}, mae: {model: {name: upconv, encoder: {run: pretrain}}, protocol: frozen}}
      seed: @seeds@
evaluate: {by: [positive_frac, year, tile, component, share_building], worst: 2}
)";

class Experiment : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<tests::TinyRegion>();
    world_->generate();
    write_job("[1, 2]");
    const auto answer = tests::run_tilewright({"run", job(), "-q"});
    ASSERT_EQ(answer.code, 0) << answer;
  }
  static void TearDownTestSuite() { world_.reset(); }

  static void write_job(const std::string& seeds, const std::string& from = "", const std::string& to = "") {
    std::string text = kLearning;
    text.replace(text.find("@seeds@"), 7, seeds);
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    world_->write_job("job.yaml.new", "", "", text);
    const auto whole = tests::read_text(*world_ / "job.yaml.new");
    tests::write_text(*world_ / "few.yaml", whole);
  }
  static std::string job() { return (*world_ / "few.yaml").string(); }
  static fs::path run_folder(const std::string& name) { return world_->work() / "runs" / name; }
  static std::string table(const std::string& name) { return tests::read_text(world_->work() / "experiments" / name); }
  static std::map<std::string, std::string> weights() {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(world_->work() / "runs")) out[entry.path().filename().string()] = std::to_string(fs::last_write_time(entry.path() / "weights.safetensors").time_since_epoch().count());
    return out;
  }
  static std::unique_ptr<tests::TinyRegion> world_;
};
std::unique_ptr<tests::TinyRegion> Experiment::world_;

TEST_F(Experiment, EndsInTablesAndAReport) {
  const auto members = table("few.csv");
  EXPECT_EQ(std::count(members.begin(), members.end(), '\n'), 9);
  EXPECT_THAT(members, HasSubstr("\nfew_1,2,unet,1,yes,4,IoU macro,"));
  EXPECT_THAT(members, HasSubstr("\nfew_8,4,mae,2,yes,4,IoU macro,"));
  EXPECT_THAT(table("few_arms.csv"), HasSubstr("\n4,mae,IoU macro,test,2,"));
  EXPECT_THAT(table("few_differences.csv"), HasSubstr("\narms,mae,unet,4,,IoU macro,test,2,"));
  EXPECT_THAT(table("pretrain_arms.csv"), HasSubstr("loss,val,2,"));
  const auto config = json::parse(tests::read_text(run_folder("few_4") / "config.json"));
  EXPECT_EQ(config.at("run").at("model").at("encoder").at("run"), "pretrain_2") << "a member starts from the member of its seed";
  const auto groups = tests::read_text(run_folder("few_1") / "groups.csv");
  EXPECT_THAT(groups, HasSubstr("by,value,part,samples,iou_macro,loss\n"));
  EXPECT_THAT(groups, HasSubstr("\nyear,2023,test,"));
  EXPECT_THAT(groups, HasSubstr("\ntile,elevation-"));
  EXPECT_THAT(groups, HasSubstr("\ncomponent,"));
  EXPECT_TRUE(fs::exists(run_folder("pretrain_1") / "reconstructions-000000.tar"));
  EXPECT_TRUE(fs::exists(run_folder("few_1") / "worst-000000.tar"));
  const auto report = tests::run_tilewright({"report", job()});
  ASSERT_EQ(report.code, 0) << report;
  const auto page = tests::read_text(world_->work() / "report.html");
  EXPECT_THAT(page, HasSubstr("8 of 8 runs are finished. IoU macro on test"));
  EXPECT_THAT(page, HasSubstr("few: paired differences"));
  EXPECT_THAT(page, HasSubstr("<tr><td>4</td><td>mae \xE2\x88\x92 unet</td><td>IoU macro</td>")) << "both sides stand at their axis";
}

TEST_F(Experiment, AColumnThatNoSampleHasIsAnError) {
  write_job("[1, 2]", "share_building", "share_castle");
  const auto answer = tests::run_tilewright({"evaluate", job()});
  EXPECT_EQ(answer.code, 2) << answer;
  EXPECT_THAT(answer.err, HasSubstr("evaluate.by: no sample of dataset town has a value of 'share_castle'; there are zone, year"));
  write_job("[1, 2]");
}

TEST_F(Experiment, IsDoneAgainOnlyWhereItChanged) {
  const auto before = weights();
  auto answer = tests::run_tilewright({"run", job()});
  EXPECT_EQ(answer.code, 0) << answer;
  EXPECT_EQ(weights(), before);
  write_job("[1, 2]", "n_labels: [2, 4]", "n_labels: [2, 4, 3]");
  answer = tests::run_tilewright({"run", job()});
  ASSERT_EQ(answer.code, 0) << answer;
  auto after = weights();
  EXPECT_EQ(after.size(), before.size() + 4);
  for (const auto& [name, time] : before) EXPECT_EQ(after.at(name), time) << name;
  write_job("[1, 2]", "unet: {model: {name: unet, width: 4}}", "unet: {model: {name: unet, width: 6}}");
  answer = tests::run_tilewright({"run", job()});
  ASSERT_EQ(answer.code, 0) << answer;
  EXPECT_THAT(answer.err, HasSubstr("the run few_1 was begun otherwise: run.model.width (4 then, 6 now); it starts anew"));
  after = weights();
  for (const std::string name : {"few_1", "few_2", "few_5", "few_6"}) EXPECT_NE(after.at(name), before.at(name)) << name;
  for (const std::string name : {"few_3", "few_4", "few_7", "few_8", "pretrain_1", "pretrain_2"}) EXPECT_EQ(after.at(name), before.at(name)) << name;
  const auto garbage = tests::run_tilewright({"gc", job(), "--json"});
  EXPECT_THAT(garbage.out, HasSubstr("\"runs/few_9\"")) << "kept, and said";
  EXPECT_TRUE(fs::exists(run_folder("few_9")));
}

TEST_F(Experiment, IsKnownToTheOtherCommands) {
  EXPECT_EQ(tests::run_tilewright({"check", job()}).code, 0);
  const auto verified = tests::run_tilewright({"verify", job()});
  EXPECT_EQ(verified.code, 0) << verified;
  const auto member = json::parse(tests::run_tilewright({"explain", job(), "few_2", "--json"}).out);
  EXPECT_EQ(member.at("experiment"), "few");
  EXPECT_EQ(member.at("grid").at("seed"), "2");
  EXPECT_EQ(member.at("state"), "trained and evaluated");
  const auto whole = json::parse(tests::run_tilewright({"explain", job(), "few", "--json"}).out);
  EXPECT_EQ(whole.at("members").at(0).at("run"), "few_1");
  const auto status = tests::run_tilewright({"status", job(), "--json"});
  EXPECT_EQ(status.code, 0) << status;
  EXPECT_THAT(tests::run_tilewright({"explain", job(), "few_99"}).err, HasSubstr("did you mean few_"));
}

}  // namespace
