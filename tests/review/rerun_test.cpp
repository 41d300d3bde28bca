// SPDX-License-Identifier: Apache-2.0
// Verdicts and the stages: they redo what they decide and nothing else, and no stage or command
// loses one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "index/review.h"
#include "tests/support/tiny_region.h"

namespace tilewright::tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Json = nlohmann::json;

constexpr const char* kCurate =
    "curate:\n  layers: [buildings]\n  source: elevation\n  scores: [edge_agreement, "
    "clipped_frac]\n  weights: {edge_agreement: 1}\n"
    "  subsets: {clean: {where: 'combined >= 0.4'}}\ndatasets:\n  town: {inputs: [elevation], "
    "target: buildings, subset: clean}\n";

class VerdictsAndRuns : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = std::make_unique<TinyRegion>();
    world_->generate();
    const auto answer =
        run_tilewright({"run", world_->write_job("job.yaml", "", "", kCurate), "-q"});
    ASSERT_EQ(answer.code, 0) << answer;
  }
  static void TearDownTestSuite() { world_.reset(); }

  /// What a run did: the stages that were done, and why.
  struct Did {
    std::vector<std::string> done, why;
    Json counts;
  };
  Did run(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"run", (region_ / "job.yaml").string(), "--json", "-q"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto answer = run_tilewright(arguments);
    EXPECT_EQ(answer.code, 0) << answer;
    Did did;
    const auto json = Json::parse(answer.out);
    for (const auto& stage : json.at("stages")) {
      if (stage.at("action") != "done") continue;
      did.done.push_back(stage.at("stage"));
      for (const auto& why : stage.at("why")) did.why.push_back(why);
      did.counts[stage.at("stage").get<std::string>()] = stage.at("counts");
    }
    return did;
  }
  [[nodiscard]] index::Manifest manifest() const {
    return index::Manifest::open(region_.work() / "manifest.gpkg",
                                 index::Manifest::Mode::create_or_write);
  }
  std::int64_t give(const std::string& location, const std::string& verdict,
                    const std::string& layer = "buildings") const {
    auto file = manifest();
    return index::give_verdict(file,
                               {location, layer, verdict, "ann", "2024-05-01T10:00:00.000Z", ""});
  }
  [[nodiscard]] std::vector<std::string> clean() const {
    return index::subset_members(manifest(), "clean");
  }

  TinyRegion region_{*world_};
  static std::unique_ptr<TinyRegion> world_;
};
std::unique_ptr<TinyRegion> VerdictsAndRuns::world_;

TEST_F(VerdictsAndRuns, ARejectMakesSubsetAndDatasetAnewAndNoScore) {
  EXPECT_THAT(run().done, IsEmpty());
  const auto before = clean();
  ASSERT_GT(before.size(), 2U);
  const auto id = give(before[0], "reject");
  const auto did = run();
  EXPECT_EQ(did.done, (std::vector<std::string>{"curate", "dataset"}));
  EXPECT_THAT(did.why, Contains(HasSubstr("people gave verdicts")));
  EXPECT_THAT(did.why, Not(Contains(HasSubstr("input files"))));
  EXPECT_EQ(did.counts["curate"]["buildings.scored_again"], 0);
  EXPECT_THAT(clean(), Not(Contains(before[0])));
  EXPECT_EQ(clean().size(), before.size() - 1);
  EXPECT_THAT(run().done, IsEmpty());
  {
    auto file = manifest();
    index::take_back_verdict(file, id);
  }
  EXPECT_EQ(run().done, (std::vector<std::string>{"curate", "dataset"}));
  EXPECT_EQ(clean(), before);
}

TEST_F(VerdictsAndRuns, WhatDecidesNothingMakesNothingStale) {
  const auto member = clean()[0];
  give(member, "skip");
  give(member, "reject", "roads");  // a layer that is not curated
  EXPECT_THAT(run().done, IsEmpty());
  give(member, "accept");
  EXPECT_EQ(run().done.front(), "curate");
  give(member, "skip");
  {
    auto file = manifest();
    index::give_verdict(file, {member, "buildings", "accept", "bob", "2024-06-01T10:00:00.000Z",
                               "I think so, too"});
  }
  EXPECT_THAT(run().done, IsEmpty());
}

TEST_F(VerdictsAndRuns, NoStageAndNoCommandLosesOne) {
  const auto members = clean();
  give(members[0], "reject");
  give(members[1], "accept");
  give("e32601_r1000000_s64_x0_y0", "accept");  // of a location that is gone: it waits
  const auto kept = [&] {
    std::vector<std::string> out;
    for (const auto& verdict : index::verdicts(manifest()))
      out.push_back(verdict.location_id + " " + verdict.verdict);
    return out;
  };
  const auto before = kept();
  ASSERT_EQ(before.size(), 3U);
  for (const auto& more :
       {std::vector<std::string>{}, {"--force", "views"}, {"--force", "curate"}, {"--replan"}}) {
    run(more);
    EXPECT_EQ(kept(), before);
    EXPECT_THAT(clean(), Not(Contains(members[0])));
  }
  EXPECT_EQ(run_tilewright({"gc", (region_ / "job.yaml").string()}).code, 0);
  EXPECT_EQ(kept(), before);
  EXPECT_NE(verified_tree_hash(region_.work()), "");
  // A scene that goes: the plan changes, what was decided stays.
  const std::filesystem::directory_iterator scenes(region_ / "optical");
  std::filesystem::remove(scenes->path());
  EXPECT_THAT(run().done, Contains("views"));
  EXPECT_EQ(kept(), before);
}

TEST_F(VerdictsAndRuns, TheTreeHashTellsWhatWasDecidedButNotWhen) {
  const auto member = clean()[0];
  const auto before = verified_tree_hash(region_.work());
  const auto id = give(member, "accept");
  const auto with = verified_tree_hash(region_.work());
  EXPECT_NE(with, before);
  {
    auto file = manifest();
    index::take_back_verdict(file, id);
    index::give_verdict(file,
                        {member, "buildings", "accept", "ann", "2025-01-01T00:00:00.000Z", ""});
  }
  EXPECT_EQ(verified_tree_hash(region_.work()), with);
}

}  // namespace
}  // namespace tilewright::tests
