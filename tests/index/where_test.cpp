// SPDX-License-Identifier: Apache-2.0
// Subset rules select what they say, refuse what they do not know, and people win over scores.
#include "index/where.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "geometry/error.h"

namespace tilewright::index {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Where : public ::testing::Test {
 protected:
  Where() : manifest_(Manifest::open(fresh_file(), Manifest::Mode::create_or_write)) {
    manifest_.in_transaction([&] {
      for (int n = 0; n < 6; ++n) {
        const auto id = "l" + std::to_string(n);
        insert(manifest_, LocationRow{id, {}, n < 3 ? 32632 : 32633, 0, 0, 10, 64, n, n % 2 == 0 ? "train" : "test"});
        insert(manifest_, MaskRow{.location_id = id, .layer = "roads", .positive_frac = n / 10.0, .object_count = n});
        if (n != 5) insert(manifest_, ScoreRow{id, std::nullopt, "roads", std::nullopt, "combined", n / 5.0});
        insert(manifest_, ScoreRow{id, std::nullopt, "roads", "object-1", "combined", 1.0});  // of an object: not the location's
      }
      insert(manifest_, LocationRow{"other", {}, 32632, 0, 0, 10, 64, 9, "train"});  // has no roads
    });
  }
  static std::filesystem::path fresh_file() {
    const auto file = std::filesystem::path(::testing::TempDir()) / ("where_" + std::to_string(getpid()) + ".gpkg");
    std::filesystem::remove(file);
    return file;
  }
  std::vector<std::string> where(const std::string& rule) { return select_where(manifest_, "roads", rule); }
  static std::string error_of(const std::string& rule) {
    try {
      check_where(rule);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return error.what();
    }
    return "";
  }
  Manifest manifest_;
};

TEST_F(Where, ComparesMetricsAndColumns) {
  EXPECT_THAT(where("combined >= 0.6"), ElementsAre("l3", "l4"));
  EXPECT_THAT(where("view_count < 2"), ElementsAre("l0", "l1"));
  EXPECT_THAT(where("split = train and epsg != 32632"), ElementsAre("l4"));
  EXPECT_THAT(where("split = 'test'"), ElementsAre("l1", "l3", "l5"));
  EXPECT_THAT(where("object_count = 2 or positive_frac > 0.45"), ElementsAre("l2", "l5"));
}

TEST_F(Where, AndBindsTighterThanOrAndParenthesesWin) {
  EXPECT_THAT(where("view_count = 0 or view_count = 1 and epsg = 32633"), ElementsAre("l0"));
  EXPECT_THAT(where("(view_count = 0 or view_count = 4) and epsg = 32633"), ElementsAre("l4"));
  EXPECT_THAT(where("not view_count < 4 and not (epsg = 1)"), ElementsAre("l4", "l5"));
}

TEST_F(Where, LocationWithoutTheMetricDoesNotMatchEitherWay) {
  EXPECT_THAT(where("combined < 9"), ElementsAre("l0", "l1", "l2", "l3", "l4"));
  EXPECT_THAT(where("not (combined > 9)"), ElementsAre("l0", "l1", "l2", "l3", "l4"));
}

TEST_F(Where, VerdictsWinAndTheLastOneCounts) {
  manifest_.in_transaction([&] {
    insert(manifest_, VerdictRow{"l4", "roads", "reject", "me", {}, ""});
    insert(manifest_, VerdictRow{"l0", "roads", "reject", "me", {}, ""});
    insert(manifest_, VerdictRow{"l0", "roads", "accept", "me", {}, ""});
    insert(manifest_, VerdictRow{"l3", "roads", "skip", "me", {}, ""});
    insert(manifest_, VerdictRow{"l3", "houses", "reject", "me", {}, ""});
  });
  EXPECT_THAT(where("combined >= 0.6"), ElementsAre("l0", "l3"));
  EXPECT_THAT(select_top(manifest_, "roads", "combined", false, 3), ElementsAre("l0", "l3", "l2"));
}

TEST_F(Where, TopIsBestFirst) {
  EXPECT_THAT(select_top(manifest_, "roads", "combined", false, 2), ElementsAre("l4", "l3"));
  EXPECT_EQ(select_top(manifest_, "roads", "combined", false, 99).size(), 5U);
}

TEST_F(Where, UnknownMetricIsAnErrorThatListsTheKnown) {
  try {
    (void)where("combinde > 1");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("combinde"));
    EXPECT_THAT(error.what(), HasSubstr("there are combined"));
  }
}

TEST_F(Where, ValuesAreBoundNotGlued) {
  EXPECT_THAT(where("split = \"train' OR 1=1 --\""), ElementsAre());
  EXPECT_THAT(error_of("view_count = 1; DROP TABLE location"), HasSubstr("position 15"));
}

TEST_F(Where, ErrorsNameThePosition) {
  EXPECT_THAT(error_of("combined >="), HasSubstr("position 12"));
  EXPECT_THAT(error_of("combined >= x"), HasSubstr("expected a number"));
  EXPECT_THAT(error_of("(combined > 1"), HasSubstr("expected )"));
  EXPECT_THAT(error_of("combined > 1 combined > 2"), HasSubstr("position 14"));
  EXPECT_THAT(error_of("and"), HasSubstr("position 1"));
  EXPECT_THAT(error_of("split = 3"), HasSubstr("expected a name"));
  EXPECT_THAT(error_of("split = 'train"), HasSubstr("quote"));
  EXPECT_THAT(error_of(""), HasSubstr("the end"));
  EXPECT_THAT(error_of(std::string(100000, '(')), HasSubstr("nested too deeply"));
  EXPECT_EQ(error_of("a>1 and not(b<=-2.5e3 or c!=+1)"), "");
}

}  // namespace
}  // namespace tilewright::index
