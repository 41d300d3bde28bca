// SPDX-License-Identifier: Apache-2.0
// Which views a window keeps: spread over time, days apart, periods with gaps, pairs of sources.
#include "index/view_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/index/planner_worlds.h"

namespace tilewright::index {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

/// All tiles show the same 8 x 8 window; `cloudy` of its 64 pixels are cloudy.
TileCoverage tile(const std::string& id, const std::string& acquired, int cloudy = 0, const std::string& source = "s") {
  auto out = plain_tile(id, acquired, 8);
  if (acquired.empty()) out.acquired.reset();
  out.source = source;
  geometry::Bitmask cloud(8, 8);
  for (int n = 0; n < cloudy; ++n) cloud.set(n, 0, true);
  out.cloud = geometry::RunMask::from(cloud);
  return out;
}

std::vector<std::string> kept(const ViewPlan& plan, const std::vector<TileCoverage>& tiles) {
  std::vector<std::string> ids;
  for (const auto& location : plan.locations)
    for (const auto& view : location.views) ids.push_back(tiles[view.tile].tile_id);
  return ids;
}

std::vector<std::string> reasons(const ViewPlan& plan, const std::vector<TileCoverage>& tiles) {
  std::vector<std::string> out;
  for (const auto& rejection : plan.rejections) out.push_back((rejection.tile ? tiles[*rejection.tile].tile_id : "-") + " " + std::string(code(rejection.reason)));
  return out;
}

TEST(ViewChoice, LimitKeepsTheFarthestDatesFirst) {
  const std::vector<TileCoverage> tiles = {tile("a", "2020-01-01"), tile("b", "2020-01-20"), tile("c", "2020-02-01"), tile("d", "2020-05-25"), tile("e", "2020-12-31")};
  EXPECT_THAT(kept(plan_views(tiles, {.patch_px = 8, .max_views = 2}), tiles), ElementsAre("a", "e"));
  EXPECT_THAT(kept(plan_views(tiles, {.patch_px = 8, .max_views = 3}), tiles), ElementsAre("a", "d", "e"));
  const auto plan = plan_views(tiles, {.patch_px = 8, .max_views = 4});
  EXPECT_THAT(kept(plan, tiles), ElementsAre("a", "c", "d", "e"));
  EXPECT_THAT(reasons(plan, tiles), ElementsAre("b view_limit"));
}

TEST(ViewChoice, LimitOfOneAndTiesGoToTheLeastCloudyThenTheEarliest) {
  const std::vector<TileCoverage> tiles = {tile("a", "2020-01-01", 3), tile("b", "2020-06-01", 1), tile("c", "2020-05-01", 1), tile("d", "2020-12-31", 2), tile("e", "2020-12-31", 1), tile("f", "")};
  EXPECT_THAT(kept(plan_views(tiles, {.patch_px = 8, .max_views = 1}), tiles), ElementsAre("f"));  // the least cloudy
  EXPECT_THAT(kept(plan_views({tiles.begin(), tiles.begin() + 5}, {.patch_px = 8, .max_views = 1}), tiles), ElementsAre("c"));
  EXPECT_THAT(kept(plan_views(tiles, {.patch_px = 8, .max_views = 2}), tiles), ElementsAre("a", "e"));
  EXPECT_THAT(kept(plan_views(tiles, {.patch_px = 8, .max_views = 5}), tiles), ElementsAre("a", "c", "b", "d", "e")) << "an equal date is worth more than none";
}

TEST(ViewChoice, FarthestDatesAreThoseOfTheDefinition) {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    std::vector<TileCoverage> tiles;
    std::vector<int> days;
    for (int n = 0; n < 9; ++n) {
      const int day = 1 + static_cast<int>(random() % 28), month = 1 + static_cast<int>(random() % 12);
      char text[16];
      std::snprintf(text, sizeof text, "2021-%02d-%02d", month, day);
      tiles.push_back(tile("t" + std::to_string(n), text));
    }
    for (int most = 2; most < 8; ++most) {
      const auto ids = kept(plan_views(tiles, {.patch_px = 8, .max_views = most}), tiles);
      ASSERT_EQ(ids.size(), static_cast<std::size_t>(most));
      const auto more = kept(plan_views(tiles, {.patch_px = 8, .max_views = most + 1}), tiles);
      for (const auto& id : ids) EXPECT_THAT(more, ::testing::Contains(id)) << "a larger limit keeps what a smaller one keeps";
    }
  }
}

TEST(ViewChoice, DaysApartKeepsAsManyAsFit) {
  const std::vector<TileCoverage> tiles = {tile("a", "2020-01-01"), tile("b", "2020-01-06"), tile("c", "2020-01-11"), tile("d", "2020-01-12"), tile("e", "2020-01-21"), tile("f", ""), tile("g", "2020-01-02", 0, "other")};
  const auto plan = plan_views(tiles, {.patch_px = 8, .min_days_apart = 10});
  EXPECT_THAT(kept(plan, tiles), ElementsAre("a", "g", "c", "e"));
  EXPECT_THAT(reasons(plan, tiles), ElementsAre("b view_near_date", "d view_near_date", "f view_near_date"));
  EXPECT_THAT(plan.rejections[0].detail, HasSubstr("5 days from a"));
  EXPECT_EQ(plan_views(tiles, {.patch_px = 8, .min_views = 4, .min_days_apart = 10}).locations.size(), 1U);
  EXPECT_EQ(plan_views(tiles, {.patch_px = 8, .min_views = 5, .min_days_apart = 10}).locations.size(), 0U);
}

TEST(ViewChoice, APeriodHasItsLeastCloudyThenItsMiddlemostView) {
  const std::vector<TileCoverage> tiles = {tile("a", "2020-06-05"), tile("b", "2020-07-16"), tile("c", "2019-07-20", 1), tile("d", "2021-01-30", 2), tile("e", "2020-12-02", 2), tile("f", "2020-04-01"), tile("g", "")};
  const PlannerConfig config{.patch_px = 8, .min_views = 3, .periods = seasons()};
  const auto plan = plan_views(tiles, config);
  EXPECT_THAT(kept(plan, tiles), ElementsAre("f", "b", "d"));
  EXPECT_THAT(reasons(plan, tiles), ElementsAre("a view_period", "c view_period", "e view_period", "g view_outside_periods", "- period_gap"));
  EXPECT_THAT(plan.rejections.back().detail, HasSubstr("sep_nov: no usable view of s"));
  auto four = config;
  four.min_views = 4;
  EXPECT_TRUE(plan_views(tiles, four).locations.empty()) << "min_views counts filled periods";
}

TEST(ViewChoice, PeriodsPassTheNewYearAndLeapDays) {
  const auto winter = seasons()[0];
  EXPECT_TRUE(days_from_middle(winter, "2019-12-01"));
  EXPECT_TRUE(days_from_middle(winter, "2020-02-29T23:59:59.000Z"));
  EXPECT_TRUE(days_from_middle(winter, "2021-02-28T23:00:00.000Z"));
  EXPECT_FALSE(days_from_middle(winter, "2021-03-01"));
  EXPECT_FALSE(days_from_middle(winter, "2019-11-30T23:59:59.000Z"));
  EXPECT_NEAR(*days_from_middle(winter, "9999-12-31T23:59:59.000Z"), 14.5, 1e-4) << "the winter of the last year ends in a year without a name";
  EXPECT_NEAR(*days_from_middle(winter, "0000-01-14"), 1.5, 1e-9);
  EXPECT_TRUE(days_from_middle(winter, "1970-01-01T00:00:00.000Z"));
  const Period once{"once", "2020-05-01", "2020-05-31"};
  EXPECT_TRUE(days_from_middle(once, "2020-05-31T12:00:00.000Z"));
  EXPECT_FALSE(days_from_middle(once, "2021-05-15"));
  EXPECT_NEAR(*days_from_middle(once, "2020-05-16T12:00:00.000Z"), 0, 1e-9);
  EXPECT_TRUE(overlap({"a", "12-15", "01-15"}, {"b", "01-15", "02-01"}));
  EXPECT_FALSE(overlap({"a", "12-15", "01-14"}, {"b", "01-15", "12-14"}));
}

TEST(ViewChoice, EveryAnchorViewHasItsNearestPartnerOrAGap) {
  const std::vector<TileCoverage> tiles = {tile("s1-a", "2020-01-01", 0, "s1"), tile("s1-b", "2020-03-01", 0, "s1"), tile("s1-c", "2020-06-01", 0, "s1"), tile("s2-a", "2020-01-03", 0, "s2"),
                                           tile("s2-b", "2020-01-04", 0, "s2"), tile("s2-c", "2020-03-04", 0, "s2"), tile("s2-d", "2020-02-27", 1, "s2"), tile("s2-e", "2020-07-01", 0, "s2")};
  const PlannerConfig config{.patch_px = 8, .min_views = 2, .pairs = {{"s1", "s2", 5}}};
  const auto plan = plan_views(tiles, config);
  EXPECT_THAT(kept(plan, tiles), ElementsAre("s1-a", "s2-a", "s1-b", "s2-c", "s1-c"));
  EXPECT_THAT(reasons(plan, tiles), ElementsAre("s1-c view_unpaired", "s2-b no_partner", "s2-d no_partner", "s2-e no_partner"));
  auto three = config;
  three.min_views = 3;
  EXPECT_TRUE(plan_views(tiles, three).locations.empty()) << "min_views counts pairs";
  const std::vector<TileCoverage> alone = {tiles[2], tiles[7]};
  EXPECT_TRUE(plan_views(alone, {.patch_px = 8, .pairs = {{"s1", "s2", 5}}}).locations.empty()) << "a window without any pair is no location";
  const auto optional = plan_views(alone, {.patch_px = 8, .pairs = {{"s1", "s2", 5, false}}});
  ASSERT_FALSE(optional.locations.empty()) << "but where the partner is not required";
  EXPECT_EQ(optional.locations.front().views.size(), 1U);
}

TEST(ViewChoice, OfEquallyNearPartnersTheClearerThenTheEarlierThenTheSmallerIdIsTaken) {
  const auto anchor = tile("s1-a", "2020-01-10", 0, "s1");
  const PlannerConfig config{.patch_px = 8, .pairs = {{"s1", "s2", 5}}};
  const std::vector<TileCoverage> cloudy = {anchor, tile("s2-a", "2020-01-08", 2, "s2"), tile("s2-b", "2020-01-12", 1, "s2")};
  EXPECT_THAT(kept(plan_views(cloudy, config), cloudy), ElementsAre("s1-a", "s2-b"));
  const std::vector<TileCoverage> equal = {anchor, tile("s2-b", "2020-01-12", 1, "s2"), tile("s2-a", "2020-01-08", 1, "s2")};
  EXPECT_THAT(kept(plan_views(equal, config), equal), ElementsAre("s2-a", "s1-a"));
  const std::vector<TileCoverage> same_day = {anchor, tile("s2-d", "2020-01-12", 1, "s2"), tile("s2-c", "2020-01-12", 1, "s2")};
  EXPECT_THAT(kept(plan_views(same_day, config), same_day), ElementsAre("s1-a", "s2-c"));
  auto turned = same_day;
  std::ranges::reverse(turned);
  EXPECT_THAT(kept(plan_views(turned, config), turned), ElementsAre("s1-a", "s2-c"));
  const std::vector<TileCoverage> at_limit = {anchor, tile("s2-a", "2020-01-05", 0, "s2"), tile("s2-b", "2020-01-16", 0, "s2")};
  EXPECT_THAT(kept(plan_views(at_limit, config), at_limit), ElementsAre("s2-a", "s1-a")) << "five days are within five days, six are not";
}

/// What the coverage map counts is what a window keeps, whatever the rules.
TEST(ViewChoice, WindowsHaveWhatMinViewsCounts) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    std::vector<TileCoverage> tiles = random_tiles(static_cast<unsigned>(round), 8, 24, 20);
    for (auto& one : tiles) {
      char text[16];
      std::snprintf(text, sizeof text, "2021-%02d-%02d", 1 + static_cast<int>(random() % 12), 1 + static_cast<int>(random() % 28));
      one.acquired = text;
      one.source = random() % 2 ? "s1" : "s2";
    }
    PlannerConfig config{.patch_px = 6, .placement = round % 2 ? Placement::shelf : Placement::best_phase, .min_views = 2};
    if (round % 3 == 0) config.periods = seasons();
    if (round % 3 == 1) config.min_days_apart = 40;
    if (round % 4 < 2) config.pairs = {{"s1", "s2", 60}};
    const auto plan = plan_views(tiles, config);
    for (const auto& location : plan.locations) {
      std::set<std::string> months;
      std::size_t anchors = 0;
      for (const auto& view : location.views) anchors += config.pairs.empty() || tiles[view.tile].source == "s1" ? 1 : 0;
      EXPECT_GE(anchors, 2U);
    }
  }
}

}  // namespace
}  // namespace tilewright::index
