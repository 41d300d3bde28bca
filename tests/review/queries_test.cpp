// SPDX-License-Identifier: Apache-2.0
// Lists of the review are what they say, and verdicts are counted as subsets count them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "geometry/error.h"
#include "index/review.h"
#include "index/where.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::index {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReviewQueries : public ::testing::Test {
 protected:
  ReviewQueries()
      : manifest_(Manifest::open(folder_ / "manifest.gpkg", Manifest::Mode::create_or_write)) {
    manifest_.in_transaction([&] {
      for (int n = 0; n < 6; ++n) {
        const auto id = "l" + std::to_string(n);
        insert(manifest_,
               LocationRow{id, {}, 32632, 0, 0, 10, 64, n, n % 2 == 0 ? "train" : "test"});
        insert(manifest_, MaskRow{.location_id = id,
                                  .layer = "roads",
                                  .positive_frac = n / 10.0,
                                  .object_count = n % 3});
        if (n != 2)
          insert(manifest_, ScoreRow{id, std::nullopt, "roads", std::nullopt, "combined",
                                     n == 4 ? 0.2 : n / 5.0});
        insert(manifest_, ScoreRow{id, std::nullopt, "roads", "object-1", "combined",
                                   7.0});  // of an object: not the location's
      }
      insert(manifest_, LocationRow{"other", {}, 32632, 0, 0, 10, 64, 9, "train"});  // has no roads
      write_subset(manifest_, "few", "top 2", {"l1", "l5"});
    });
  }
  std::vector<std::string> list(ReviewQuery query) {
    query.layer = "roads";
    if (query.sort.empty()) query.sort = "location";
    std::vector<std::string> ids;
    for (const auto& row : review_rows(manifest_, query, review_order(manifest_, query), 0, 100))
      ids.push_back(row.location_id);
    return ids;
  }
  std::int64_t give(const std::string& id, const std::string& verdict,
                    const std::string& who = "ann") {
    return give_verdict(manifest_,
                        VerdictRow{id, "roads", verdict, who, "2024-05-01T10:00:00.000Z", ""});
  }
  std::string error_of(const ReviewQuery& query) {
    try {
      list(query);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "";
  }

  tests::ScratchFolder folder_;
  Manifest manifest_;
};

TEST_F(ReviewQueries, SortsByScoreOrColumnWithTiesByPlaceAndTheUnknownLast) {
  EXPECT_THAT(list({.sort = "combined"}), ElementsAre("l0", "l1", "l4", "l3", "l5", "l2"));
  EXPECT_THAT(list({.sort = "combined", .is_ascending = false}),
              ElementsAre("l5", "l3", "l1", "l4", "l0", "l2"));
  EXPECT_THAT(list({.sort = "object_count"}), ElementsAre("l0", "l3", "l1", "l4", "l2", "l5"));
  EXPECT_THAT(list({.sort = "location"}), ElementsAre("l0", "l1", "l2", "l3", "l4", "l5"));
}

TEST_F(ReviewQueries, RowsTellValueAndVerdictOfAPage) {
  give("l4", "accept", "bob");
  const ReviewQuery query{.layer = "roads", .sort = "combined"};
  const auto rows = review_rows(manifest_, query, review_order(manifest_, query), 2, 2);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].location_id, "l4");
  EXPECT_DOUBLE_EQ(*rows[0].value, 0.2);
  EXPECT_EQ(rows[0].verdict, "accept");
  EXPECT_EQ(rows[0].who, "bob");
  EXPECT_EQ(rows[1].verdict, "");
  EXPECT_TRUE(review_rows(manifest_, query, review_order(manifest_, query), 6, 2).empty());
}

TEST_F(ReviewQueries, FiltersByRuleSubsetAndVerdict) {
  give("l1", "reject");
  give("l3", "skip");
  give("l5", "accept", "bob");
  EXPECT_THAT(list({.where = "combined >= 0.2 and split = test"}),
              ElementsAre("l1", "l3", "l5"));  // a verdict does not change a rule here
  EXPECT_THAT(list({.sort = "combined", .where = "object_count = 1 or view_count = 5"}),
              ElementsAre("l1", "l4", "l5"));
  EXPECT_THAT(list({.verdict = "open"}), ElementsAre("l0", "l2", "l4"));
  EXPECT_THAT(list({.verdict = "reject"}), ElementsAre("l1"));
  EXPECT_THAT(list({.verdict = "skip"}), ElementsAre("l3"));
  EXPECT_THAT(list({.verdict = "not_mine", .who = "ann"}), ElementsAre("l0", "l2", "l4", "l5"));
  EXPECT_THAT(list({.verdict = "not_mine", .who = "bob"}),
              ElementsAre("l0", "l1", "l2", "l3", "l4"));
  EXPECT_THAT(list({.verdict = "open", .subset = "few"}), IsEmpty());
  EXPECT_THAT(list({.subset = "few"}), ElementsAre("l1", "l5"));
}

TEST_F(ReviewQueries, WhatMeansNothingIsRefusedWithWhatThereIs) {
  EXPECT_THAT(error_of({.sort = "beauty"}),
              HasSubstr("no score named \"beauty\"; there are location, view_count, positive_frac, "
                        "object_count, combined"));
  EXPECT_THAT(error_of({.where = "beauty > 1"}),
              HasSubstr("no scores named \"beauty\"; there are combined"));
  EXPECT_THAT(error_of({.where = "combined >"}), HasSubstr("position 11"));
  EXPECT_THAT(error_of({.where = "combined = 'x; DROP TABLE verdict'"}),
              HasSubstr("expected a number"));
  EXPECT_THAT(error_of({.verdict = "maybe"}), HasSubstr("'maybe' is none of"));
  EXPECT_THAT(list({.subset = "'; DROP TABLE verdict; --"}), IsEmpty());
  EXPECT_THAT(list({}), ElementsAre("l0", "l1", "l2", "l3", "l4", "l5"));
}

TEST_F(ReviewQueries, TheLastAcceptOrRejectCountsAndASkipTakesNothingBack) {
  give("l0", "accept");
  give("l0", "skip", "bob");
  EXPECT_EQ(verdict_at(manifest_, "l0", "roads"), "accept");
  give("l0", "reject", "bob");
  EXPECT_EQ(verdict_at(manifest_, "l0", "roads"), "reject");
  EXPECT_EQ(verdict_at(manifest_, "l0", "houses"), "");
  EXPECT_THAT(select_where(manifest_, "roads", "view_count >= 0"),
              ElementsAre("l1", "l2", "l3", "l4", "l5"));  // subsets agree
  give("l1", "skip");
  const auto counts = review_counts(manifest_, "roads");
  EXPECT_EQ(counts.locations, 6);
  EXPECT_EQ(counts.accept, 0);
  EXPECT_EQ(counts.reject, 1);
  EXPECT_EQ(counts.skip, 1);
}

TEST_F(ReviewQueries, CountsOnlyLocationsThatAreThere) {
  give("l0", "accept");
  give("gone", "accept");
  EXPECT_EQ(review_counts(manifest_, "roads").accept, 1);
}

TEST_F(ReviewQueries, TheSameRequestTwiceIsOneVerdict) {
  const auto first = give("l0", "accept");
  EXPECT_EQ(give("l0", "accept"), first);
  EXPECT_NE(give("l0", "accept", "bob"), first);
  EXPECT_EQ(verdicts(manifest_).size(), 2U);
  const auto rejected = give("l0", "reject", "bob"),
             accepted = give("l0", "accept", "bob");  // a changed mind is two
  EXPECT_NE(rejected, accepted);
  EXPECT_EQ(verdicts(manifest_).size(), 4U);
}

TEST_F(ReviewQueries, TakingBackRestoresWhatWasBefore) {
  give("l0", "accept");
  const auto second = give("l0", "reject", "bob");
  ASSERT_TRUE(latest_verdict(manifest_, "roads", "bob"));
  EXPECT_EQ(latest_verdict(manifest_, "roads", "bob")->id, second);
  take_back_verdict(manifest_, second);
  EXPECT_EQ(verdict_at(manifest_, "l0", "roads"), "accept");
  EXPECT_FALSE(latest_verdict(manifest_, "roads", "bob"));
  EXPECT_THAT(reviewers(manifest_), ElementsAre("ann"));
  EXPECT_EQ(verdicts_at(manifest_, "l0", "roads").size(), 1U);
}

TEST_F(ReviewQueries, FactsOfALocationAreItsOwn) {
  EXPECT_EQ(scores_at(manifest_, "l1", "roads").size(), 1U);
  EXPECT_EQ(masks_at(manifest_, "l1").size(), 1U);
  EXPECT_THAT(subsets_at(manifest_, "l1"), ElementsAre("few"));
  EXPECT_THAT(mask_layers(manifest_), ElementsAre("roads"));
  insert(manifest_, LabelObjectRow{.layer = "roads_repaired",
                                   .object_id = "l1/shift-0",
                                   .rule = "shift",
                                   .status = "repaired"});
  insert(manifest_, LabelObjectRow{.layer = "roads_repaired",
                                   .object_id = "l10/shift-0",
                                   .rule = "shift",
                                   .status = "repaired"});
  ASSERT_EQ(proposals_at(manifest_, "l1", "roads_repaired").size(), 1U);
  EXPECT_EQ(proposals_at(manifest_, "l1", "roads_repaired")[0].object_id, "l1/shift-0");
}

}  // namespace
}  // namespace tilewright::index
