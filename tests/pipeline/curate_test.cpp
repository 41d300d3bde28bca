// SPDX-License-Identifier: Apache-2.0
// Label scores against hand counts and synthetic noise; ranks, subsets and verdicts.
#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "index/shard/commit.h"
#include "index/shard/shard_writer.h"
#include "pipeline/stages/curate_ranks.h"
#include "pipeline/stages/curate_silence.h"
#include "pipeline/stages/curate_subsets.h"
#include "pipeline/scores/label_scores.h"
#include "pipeline/stages/stage.h"
#include "pipeline/synth/label_noise.h"
#include "pipeline/synth/render.h"
#include "pipeline/synth/world.h"
#include "tests/pipeline/drawn_label.h"

namespace {

namespace fs = std::filesystem;
using namespace tilewright;
using namespace tilewright::pipeline;

TEST(LabelIou, CountsPixelsOfEachClassAndSkipsIgnored) {
  const auto label = drawn({"11..", "11.?", "..2?"}), predicted = drawn({"1...", "11.1", ".122"});
  // Class 1: both 3, either 5 (the ignored prediction does not count); class 2: both 1, either 1.
  EXPECT_DOUBLE_EQ(*label_iou(predicted.pixels, label.pixels), (3.0 / 5 + 1.0) / 2);
}

TEST(LabelIou, IsZeroForADroppedLabelAndNothingForNothing) {
  const auto empty = drawn({"....", "...."}), house = drawn({".11.", ".11."}), ignored = drawn({"????", "????"});
  EXPECT_DOUBLE_EQ(*label_iou(house.pixels, empty.pixels), 0);
  EXPECT_DOUBLE_EQ(*label_iou(empty.pixels, house.pixels), 0);
  EXPECT_DOUBLE_EQ(*label_iou(house.pixels, house.pixels), 1);
  EXPECT_FALSE(label_iou(empty.pixels, empty.pixels));
  EXPECT_FALSE(label_iou(house.pixels, ignored.pixels));
}

TEST(ClippedFrac, CountsPartsThatTouchTheEdgeOrIgnoredPixels) {
  EXPECT_DOUBLE_EQ(*clipped_frac(drawn({"......", ".11..1", ".11..1", "......"}).view()), 2.0 / 6);
  EXPECT_DOUBLE_EQ(*clipped_frac(drawn({"......", ".11.2.", ".11?..", "......"}).view()), 4.0 / 5);
  EXPECT_DOUBLE_EQ(*clipped_frac(drawn({"......", ".11...", "......"}).view()), 0);
  EXPECT_FALSE(clipped_frac(drawn({"...", "..?"}).view()));
}

TEST(EdgeAgreement, IsGreatestWhereTheLabelLiesOnTheStep) {
  const int n = 32;
  const auto box = [&](int at) {
    std::vector<std::uint8_t> label(n * n, 0);
    for (int r = 10; r < 20; ++r)
      for (int c = at; c < at + 10; ++c) label[static_cast<std::size_t>(r * n + c)] = 1;
    return label;
  };
  std::vector<float> height;
  for (const auto v : box(10)) height.push_back(v ? 5.0F : 0.0F);
  const auto gradient = gradient_magnitude(height, n, n);
  const double scale = edge_scale({percentile_95(gradient)});
  std::vector<double> by_shift;
  for (int shift = 0; shift < 6; ++shift) {
    const auto label = box(10 + shift);
    by_shift.push_back(*edge_agreement(gradient, {n, n, label}, scale));
  }
  EXPECT_NEAR(by_shift[0], 2, 0.05);
  EXPECT_TRUE(std::is_sorted(by_shift.rbegin(), by_shift.rend()));
  EXPECT_LT(by_shift[5], 1.3);
  const std::vector<std::uint8_t> empty(n * n, 0);
  EXPECT_FALSE(edge_agreement(gradient, {n, n, empty}, scale));
}

/// Probability that a bad one scores below a good one.
double auroc(const std::vector<std::pair<double, bool>>& scored) {
  double wins = 0, pairs = 0;
  for (const auto& [bad_value, is_bad] : scored)
    for (const auto& [good_value, other_is_bad] : scored)
      if (is_bad && !other_is_bad) {
        ++pairs;
        wins += bad_value < good_value ? 1 : bad_value == good_value ? 0.5 : 0;
      }
  return wins / pairs;
}

TEST(EdgeAgreement, FindsLabelNoiseWithoutAModel) {
  SynthOptions options;
  options.seed = 11;
  const auto area = place_areas(options)[0];
  const auto world = make_world(area, options.seed);
  const auto surface = render_surface(world);
  const auto n = static_cast<std::size_t>(area.size_px), p = static_cast<std::size_t>(area.patch_px);
  std::vector<std::uint8_t> truth(n * n, 0), noisy(n * n, 0);
  const geometry::RasterFrame frame{area.affine(), {0, 0, area.size_px, area.size_px}};
  for (const auto& label : true_labels(world)) geometry::fill_polygons({frame, truth}, {label.polygon}, std::uint8_t{1});
  for (const auto& label : damage_labels(world, 0.6).labels) geometry::fill_polygons({frame, noisy}, {label.polygon}, std::uint8_t{1});
  const auto cut = [&](const auto& raster, std::size_t cell) {
    std::vector<std::decay_t<decltype(raster[0])>> out;
    const auto row = cell / (n / p) * p, col = cell % (n / p) * p;
    for (std::size_t r = 0; r < p; ++r) out.insert(out.end(), raster.begin() + static_cast<std::ptrdiff_t>((row + r) * n + col), raster.begin() + static_cast<std::ptrdiff_t>((row + r) * n + col + p));
    return out;
  };
  std::vector<double> percentiles;
  for (std::size_t cell = 0; cell < n / p * (n / p); ++cell) percentiles.push_back(percentile_95(gradient_magnitude(cut(surface.elevation_m, cell), area.patch_px, area.patch_px)));
  const double scale = edge_scale(percentiles);
  std::vector<std::pair<double, bool>> scored;
  for (std::size_t cell = 0; cell < percentiles.size(); ++cell) {
    const auto label = cut(noisy, cell), clean = cut(truth, cell);
    const auto gradient = gradient_magnitude(cut(surface.elevation_m, cell), area.patch_px, area.patch_px);
    if (const auto value = edge_agreement(gradient, {area.patch_px, area.patch_px, label}, scale)) scored.emplace_back(*value, label_iou(label, clean).value_or(1) < 0.8);
  }
  EXPECT_GT(scored.size(), 150U);
  EXPECT_GE(auroc(scored), 0.9);  // SCIENCE 3.3 saw .83 and .865 on harder terrain
}

TEST(Ranks, TiesShareTheirMeanRankAndOneIsBest) {
  const auto ranks = fractional_ranks({{"a", 0.1}, {"b", 0.5}, {"c", 0.5}, {"d", 0.9}, {"e", 0.7}}, false);
  EXPECT_DOUBLE_EQ(ranks.at("a"), 0);
  EXPECT_DOUBLE_EQ(ranks.at("b"), 1.5 / 4);
  EXPECT_DOUBLE_EQ(ranks.at("c"), 1.5 / 4);
  EXPECT_DOUBLE_EQ(ranks.at("e"), 0.75);
  EXPECT_DOUBLE_EQ(ranks.at("d"), 1);
  EXPECT_DOUBLE_EQ(fractional_ranks({{"a", 0.1}, {"b", 0.5}}, true).at("a"), 1);
  EXPECT_DOUBLE_EQ(fractional_ranks({{"a", 3}}, false).at("a"), 1);
}

TEST(Ranks, CombinedIsTheMeanOverTheMetricsThatALocationHas) {
  const std::map<std::string, MetricValues> metrics = {{"model_iou", {{"a", 0}, {"b", 0.5}, {"c", 1}}}, {"edge_agreement", {{"b", 2}, {"c", 1}}}, {"clipped_frac", {{"a", 1}}}};
  const auto combined = combined_ranks(metrics, {{"model_iou", 1}, {"edge_agreement", 0.5}});
  EXPECT_DOUBLE_EQ(combined.at("a"), 0);
  EXPECT_DOUBLE_EQ(combined.at("b"), (0.5 + 0.5 * 1) / 1.5);
  EXPECT_DOUBLE_EQ(combined.at("c"), (1 + 0.5 * 0) / 1.5);
  EXPECT_EQ(weights_of({}).at("edge_agreement"), 0.5);
}

SubsetConfig where_rule(const std::string& rule) {
  SubsetConfig out;
  out.where = rule;
  return out;
}
SubsetConfig top_rule(const std::string& by, std::int64_t count) {
  SubsetConfig out;
  out.by = by;
  out.top = count;
  return out;
}

/// A workspace with `count` locations whose label is a box, shifted more and more off the step of its image.
class CurateStage : public testing::Test {
 protected:
  static constexpr int kSize = 32;

  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "tilewright_curate";
    fs::remove_all(folder_);
    shard::make_folders(folder_ / "shards");
    manifest_.emplace(index::Manifest::open(folder_ / "manifest.gpkg", index::Manifest::Mode::create_or_write));
    write_world(6);
    job_.file = folder_ / "job.yaml";
    job_.sources.emplace_back("dsm", SourceConfig{});
    job_.layers.emplace_back("buildings", LayerConfig{});
    job_.views.emplace();
    job_.curate.emplace();
    job_.curate->layers = {"buildings"};
    job_.curate->scores = {"edge_agreement", "clipped_frac"};
    job_.curate->weights = {{"edge_agreement", 1}};
  }

  static std::string id(int number) { return "e32632_r1000000_s32_x" + std::to_string(number * kSize) + "_y0"; }

  /// In the order of the manifest.
  static std::vector<std::string> ids(const std::vector<int>& numbers) {
    std::vector<std::string> out;
    for (const int number : numbers) out.push_back(id(number));
    std::sort(out.begin(), out.end());
    return out;
  }

  void write_world(int count) {
    std::vector<shard::MemberSpec> images, masks;
    for (int i = 0; i < count; ++i) {
      images.push_back({id(i), id(i) + ".aaaaaaaaaaaa.npy", shard::DType::f32, {1, kSize, kSize}, ""});
      masks.push_back({id(i), id(i) + ".buildings.npy", shard::DType::u8, {1, kSize, kSize}, ""});
    }
    shard::ShardWriter image_shard(folder_ / "shards/dsm-000000.tar", images), mask_shard(folder_ / "shards/buildings-000000.tar", masks);
    for (int i = 0; i < count; ++i) {
      const auto image = box<float>(10, 6.0F);
      const auto mask = box<std::uint8_t>(10 + i, 1);
      image_shard.put(static_cast<std::size_t>(i), std::as_bytes(std::span(image)));
      mask_shard.put(static_cast<std::size_t>(i), std::as_bytes(std::span(mask)));
    }
    const auto image = image_shard.publish(), mask = mask_shard.publish();
    manifest_->in_transaction([&] {
      for (int i = 0; i < count; ++i) {
        const auto place = [&](const shard::WrittenShard& in, const std::string& name) {
          const auto& member = in.members[static_cast<std::size_t>(i)];
          return index::MemberPlace{"shards/" + name, member.name, member.offset, member.length, member.sha256};
        };
        index::LocationRow location;
        location.location_id = id(i);
        location.epsg = 32632;
        location.res_m = 1;
        location.size_px = kSize;
        location.view_count = 1;
        index::insert(*manifest_, location);
        index::ViewRow view;
        view.location_id = id(i);
        view.tile_id = "dsm-aaaaaaaaaaaa";
        view.place = place(image, "dsm-000000.tar");
        index::insert(*manifest_, view);
        index::MaskRow row;
        row.location_id = id(i);
        row.layer = "buildings";
        row.positive_frac = 0.1;
        row.place = place(mask, "buildings-000000.tar");
        index::insert(*manifest_, row);
      }
    });
  }

  template <class T>
  static std::vector<T> box(int at, T value) {
    std::vector<T> out(kSize * kSize, T{0});
    for (int r = 10; r < 20; ++r)
      for (int c = at; c < at + 10; ++c) out[static_cast<std::size_t>(r * kSize + c)] = value;
    return out;
  }

  StageReport run() { return run_curate({job_, *manifest_, folder_}, RunContext{}); }

  fs::path folder_;
  std::optional<index::Manifest> manifest_;
  Job job_;
};

TEST_F(CurateStage, ScoresFallWithTheShiftAndCombinedRanksThem) {
  job_.curate->subsets = {{"half", where_rule("combined >= 0.5")}, {"best", top_rule("edge_agreement", 2)}};
  run();
  std::vector<double> edges;
  for (int i = 0; i < 6; ++i)
    for (const auto& score : index::scores(*manifest_, "buildings", "edge_agreement"))
      if (score.location_id == id(i)) edges.push_back(score.value);
  ASSERT_EQ(edges.size(), 6U);
  EXPECT_TRUE(std::is_sorted(edges.rbegin(), edges.rend()));
  EXPECT_EQ(index::scores(*manifest_, "buildings", "combined").size(), 6U);
  EXPECT_EQ(index::scores(*manifest_, "buildings", "clipped_frac").size(), 6U);
  EXPECT_EQ(index::subset_members(*manifest_, "half"), (std::vector<std::string>{id(0), id(1), id(2)}));
  EXPECT_EQ(index::subset_members(*manifest_, "best"), (std::vector<std::string>{id(0), id(1)}));
  const auto dump = index::canonical_dump(*manifest_);
  run();
  EXPECT_EQ(index::canonical_dump(*manifest_), dump);
}

TEST_F(CurateStage, VerdictsWinOverScoresAndSurviveARerun) {
  manifest_->in_transaction([&] {
    for (const auto& [number, verdict] : {std::pair{0, "reject"}, std::pair{5, "accept"}, std::pair{4, "skip"}}) {
      SQLite::Statement insert(manifest_->database(), "INSERT INTO verdict (location_id, layer, verdict, who, at, note) VALUES (?, 'buildings', ?, 'tester', '2024-01-01T00:00:00.000Z', '')");
      insert.bind(1, id(number));
      insert.bind(2, verdict);
      insert.exec();
    }
  });
  job_.curate->subsets = {{"half", where_rule("combined >= 0.5")}};
  for (int round = 0; round < 2; ++round) {
    run();
    EXPECT_EQ(index::subset_members(*manifest_, "half"), (std::vector<std::string>{id(5), id(1), id(2)}));
  }
}

TEST_F(CurateStage, AnEmptySubsetNamesItsRuleAndTheBestValue) {
  job_.curate->subsets = {{"perfect", where_rule("edge_agreement > 3")}};
  try {
    run();
    FAIL() << "an empty subset was accepted";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::failed);
    EXPECT_NE(text.find("perfect"), std::string::npos);
    EXPECT_NE(text.find("edge_agreement > 3"), std::string::npos);
    EXPECT_NE(text.find("edge_agreement of 6 locations, best 2"), std::string::npos) << text;
  }
  EXPECT_TRUE(index::scores(*manifest_).empty());  // nothing half-written
}

std::int64_t count_of(const StageReport& report, const std::string& name) {
  for (const auto& [key, value] : report.counts)
    if (key == name) return value;
  return -1;
}

TEST_F(CurateStage, ScoresAgainOnlyWhatChanged) {
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 6);
  const auto dump = index::canonical_dump(*manifest_);
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 0);
  EXPECT_EQ(index::canonical_dump(*manifest_), dump);
  job_.curate->weights = {{"edge_agreement", 2}, {"clipped_frac", 1}};
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 0);
  job_.curate->scores.emplace_back("shift_edges_px");
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 6);
  // Another mask of one location: only that one.
  manifest_->in_transaction([&] {
    SQLite::Statement update(manifest_->database(), "UPDATE mask SET sha256 = 'changed', byte_offset = (SELECT byte_offset FROM mask WHERE location_id = ?1), "
                                                    "member = (SELECT member FROM mask WHERE location_id = ?1) WHERE location_id = ?2");
    update.bind(1, id(5));
    update.bind(2, id(0));
    update.exec();
  });
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 1);
  std::map<std::string, double> shifts;
  for (const auto& score : index::scores(*manifest_, "buildings", "shift_edges_px")) shifts[score.location_id] = score.value;
  EXPECT_EQ(shifts.at(id(0)), 5);
  EXPECT_EQ(shifts.at(id(1)), 1);
  EXPECT_EQ(shifts.at(id(4)), 4);
}

TEST_F(CurateStage, LostScoresAreComputedAgain) {
  run();
  manifest_->in_transaction([&] { index::clear_stage(*manifest_, "curate"); });
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 6);
  EXPECT_EQ(index::scores(*manifest_, "buildings", "edge_agreement").size(), 6U);
}

TEST_F(CurateStage, AgreementOfTwoLayersIsTheirIou) {
  job_.layers.emplace_back("survey", LayerConfig{});
  job_.curate->compare = "survey";
  job_.curate->scores = {"label_agreement"};
  job_.curate->weights = {{"label_agreement", 1}};
  manifest_->in_transaction([&] {
    for (auto mask : index::masks(*manifest_, "buildings")) {
      if (mask.location_id == id(5)) continue;  // the survey does not cover it
      mask.layer = "survey";
      for (const auto& first : index::masks(*manifest_, "buildings"))
        if (first.location_id == id(0)) mask.place = first.place;
      index::insert(*manifest_, mask);
    }
  });
  run();
  const auto scores = index::scores(*manifest_, "buildings", "label_agreement");
  ASSERT_EQ(scores.size(), 5U);
  for (const auto& score : scores)
    for (int i = 0; i < 5; ++i)
      if (score.location_id == id(i)) {
        EXPECT_NEAR(score.value, (10.0 - i) / (10 + i), 1e-12);
      }
}

TEST_F(CurateStage, OfSeveralPeriodsTheLatestCountsAndThatIsTold) {
  EXPECT_TRUE(run().notes.empty());
  manifest_->in_transaction([&] {
    auto rows = index::masks(*manifest_, "buildings");
    const auto at = [&](int number) { return *std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.location_id == id(number); }); };
    const auto early = at(0), late = at(5);
    index::remove_mask(*manifest_, id(0), "buildings");
    for (const auto& [from, place] : {std::pair{"2020-01-01T00:00:00.000Z", early.place}, std::pair{"2022-01-01T00:00:00.000Z", late.place}}) {
      auto row = early;
      row.valid_from = from;
      row.place = place;
      index::insert(*manifest_, row);
    }
  });
  const auto report = run();
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_EQ(report.notes[0].find("warning: buildings: 1 of 6 locations have masks of several periods; "), 0U) << report.notes[0];
  std::map<std::string, double> edges;
  for (const auto& score : index::scores(*manifest_, "buildings", "edge_agreement")) edges[score.location_id] = score.value;
  EXPECT_EQ(edges.size(), 6U);
  EXPECT_EQ(edges.at(id(0)), edges.at(id(5))) << "the latest mask is that of place 5";
}

TEST_F(CurateStage, WhatTheOtherLayerDoesNotKnowIsNoDisagreement) {
  job_.layers.emplace_back("survey", LayerConfig{});
  job_.curate->compare = "survey";
  job_.curate->scores = {"label_agreement"};
  job_.curate->weights = {{"label_agreement", 1}};
  // The survey knows the upper half of place 0 alone, where it agrees, and nothing of place 1.
  std::vector<shard::MemberSpec> members;
  for (int i = 0; i < 2; ++i) members.push_back({id(i), id(i) + ".survey.npy", shard::DType::u8, {1, kSize, kSize}, ""});
  shard::ShardWriter writer(folder_ / "shards/survey-000000.tar", members);
  auto half = box<std::uint8_t>(10, 1);
  std::fill(half.begin() + 15 * kSize, half.end(), std::uint8_t{255});
  writer.put(0, std::as_bytes(std::span(half)));
  const std::vector<std::uint8_t> unknown(kSize * kSize, 255);
  writer.put(1, std::as_bytes(std::span(unknown)));
  const auto written = writer.publish();
  manifest_->in_transaction([&] {
    for (int i = 0; i < 2; ++i) {
      const auto& member = written.members[static_cast<std::size_t>(i)];
      index::MaskRow row;
      row.location_id = id(i);
      row.layer = "survey";
      row.place = index::MemberPlace{"shards/survey-000000.tar", member.name, member.offset, member.length, member.sha256};
      index::insert(*manifest_, row);
    }
  });
  run();
  const auto scores = index::scores(*manifest_, "buildings", "label_agreement");
  ASSERT_EQ(scores.size(), 1U);
  EXPECT_EQ(scores[0].location_id, id(0));
  EXPECT_EQ(scores[0].value, 1);
}

TEST_F(CurateStage, DrawsAreNestedAndOfTrainOnly) {
  manifest_->in_transaction([&] {
    for (int i = 0; i < 6; ++i) index::set_location_split(*manifest_, id(i), i == 2 ? "val" : "train");
    index::insert(*manifest_, index::VerdictRow{id(4), "buildings", "reject", "me", {}, ""});
  });
  SubsetConfig draw;
  draw.draw = {1, 2, 4};
  job_.curate->subsets = {{"few", draw}};
  run();
  const auto one = index::subset_members(*manifest_, "few_1"), two = index::subset_members(*manifest_, "few_2"), four = index::subset_members(*manifest_, "few_4");
  EXPECT_EQ(four, ids({0, 1, 3, 5}));
  EXPECT_TRUE(std::includes(two.begin(), two.end(), one.begin(), one.end()));
  EXPECT_TRUE(std::includes(four.begin(), four.end(), two.begin(), two.end()));
  EXPECT_EQ(two.size(), 2U);
  job_.curate->subsets[0].second.draw = {5};
  try {
    run();
    FAIL() << "drew more than there are";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("only 4 locations of train"), std::string::npos) << error.what();
  }
}

TEST_F(CurateStage, TopTakesTheBestOfThoseThatMatch) {
  manifest_->in_transaction([&] {
    for (int i = 0; i < 6; ++i) index::set_location_split(*manifest_, id(i), i % 2 == 0 ? "val" : "train");
  });
  auto best = top_rule("edge_agreement", 2);
  best.where = "split = train";
  job_.curate->subsets = {{"best", best}};
  run();
  EXPECT_EQ(index::subset_members(*manifest_, "best"), (std::vector<std::string>{id(1), id(3)}));
  ASSERT_EQ(index::subsets(*manifest_).size(), 1U);
  EXPECT_EQ(index::subsets(*manifest_)[0].rule, "top 2 by edge_agreement, where split = train");
}

TEST(Subsets, EveryStratumGivesItsShareBestFirst) {
  std::vector<std::string> best_first;
  Strata strata;
  for (int i = 0; i < 20; ++i) {
    best_first.push_back((i < 10 ? "a" : "b") + std::to_string(i));
    strata[best_first.back()] = i < 10 ? "town" : i < 15 ? "field" : "wood";
  }
  EXPECT_EQ(take_stratified(best_first, strata, 4), (std::vector<std::string>{"a0", "a1", "b10", "b15"}));
  EXPECT_EQ(take_stratified(best_first, {}, 2), (std::vector<std::string>{"a0", "a1"}));
  for (std::size_t n = 0; n <= 25; ++n) EXPECT_EQ(take_stratified(best_first, strata, n).size(), std::min<std::size_t>(n, 20));
}

TEST(Subsets, TheOrderOfADrawKeepsSharesAndIsAFunctionOfSeedAndNames) {
  std::vector<std::string> ids;
  Strata strata;
  for (int i = 0; i < 400; ++i) {
    ids.push_back("l" + std::to_string(i));
    strata[ids.back()] = i % 4 == 0 ? "rare" : "common";
  }
  const auto order = draw_order(ids, strata, 1);
  std::shuffle(ids.begin(), ids.end(), std::mt19937(3));
  EXPECT_EQ(draw_order(ids, strata, 1), order);
  EXPECT_NE(draw_order(ids, strata, 2), order);
  for (const std::size_t n : {8U, 40U, 100U, 300U}) {
    const auto rare = std::count_if(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), [&](const auto& id) { return strata[id] == "rare"; });
    EXPECT_NEAR(static_cast<double>(rare), static_cast<double>(n) / 4, 1) << n;
  }
  // Locations of another stratum move nothing among themselves.
  std::vector<std::string> common;
  for (const auto& id : order)
    if (strata[id] == "common") common.push_back(id);
  EXPECT_EQ(draw_order(common, strata, 1), common);
}

TEST(Silence, NamesTheFoldTheShareAndTheClass) {
  const std::map<int, std::string> names = {{0, "background"}, {1, "building"}, {2, "road"}};
  const FoldPixels sound{.labelled = {{0, 900}, {1, 100}}, .decided = {{0, 950}, {1, 50}}, .locations = 5};
  EXPECT_TRUE(silence_of("town", {sound, sound}, names).empty());
  const FoldPixels silent{.labelled = {{0, 9990}, {1, 10}}, .decided = {{0, 10000}}, .locations = 7};
  const auto one = silence_of("town", {sound, silent, {}}, names);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].find("warning: town: fold 2 of 3: its models decide class 0 (background) at every pixel of 7 locations; of the labelled pixels there are 1 (building) with 0.1 %"), 0U) << one[0];
  EXPECT_NE(one[0].find("curate.model.epochs"), std::string::npos) << one[0];
  // Labels of one class are nothing to miss; a rare class may be missed, a common one not.
  EXPECT_TRUE(silence_of("town", {{.labelled = {{1, 10}}, .decided = {{1, 10}}, .locations = 1}}, names).empty());
  EXPECT_TRUE(silence_of("town", {{.labelled = {{0, 900}, {1, 99}, {2, 1}}, .decided = {{0, 500}, {1, 500}}, .locations = 1}}, names).empty());
  const auto common = silence_of("town", {{.labelled = {{0, 900}, {1, 50}, {2, 50}}, .decided = {{0, 500}, {1, 500}}, .locations = 1}}, names);
  ASSERT_EQ(common.size(), 1U);
  EXPECT_NE(common[0].find("never decide, in 1 locations, class 2 (road) with 5.0 % of the labelled pixels"), std::string::npos) << common[0];
}

/// A label that is empty, all one class, or unknown everywhere is no error: what says nothing has no row.
TEST_F(CurateStage, LabelsThatSayNothingHaveNoScore) {
  std::vector<shard::MemberSpec> members;
  for (int i = 0; i < 3; ++i) members.push_back({id(i), id(i) + ".buildings.npy", shard::DType::u8, {1, kSize, kSize}, ""});
  shard::ShardWriter writer(folder_ / "shards/buildings-000001.tar", members);
  const std::vector<std::uint8_t> empty(kSize * kSize, 0), full(kSize * kSize, 1), unknown(kSize * kSize, 255);
  writer.put(0, std::as_bytes(std::span(empty)));
  writer.put(1, std::as_bytes(std::span(full)));
  writer.put(2, std::as_bytes(std::span(unknown)));
  const auto written = writer.publish();
  manifest_->in_transaction([&] {
    for (int i = 0; i < 3; ++i) {
      index::remove_mask(*manifest_, id(i), "buildings");
      const auto& member = written.members[static_cast<std::size_t>(i)];
      index::MaskRow row;
      row.location_id = id(i);
      row.layer = "buildings";
      row.positive_frac = 0.1;
      row.place = index::MemberPlace{"shards/buildings-000001.tar", member.name, member.offset, member.length, member.sha256};
      index::insert(*manifest_, row);
    }
  });
  job_.curate->scores = {"edge_agreement", "clipped_frac", "height_step", "shift_edges_px"};
  run();
  std::map<std::string, std::vector<std::string>> who;
  for (const auto& score : index::scores(*manifest_, "buildings")) who[score.metric].push_back(score.location_id);
  EXPECT_EQ(who["edge_agreement"], ids({3, 4, 5}));
  EXPECT_EQ(who["clipped_frac"], ids({1, 3, 4, 5}));
  EXPECT_EQ(who["height_step"], ids({3, 4, 5}));
  EXPECT_EQ(who["shift_edges_px"], ids({3, 4, 5}));
  EXPECT_EQ(count_of(run(), "buildings.scored_again"), 0);
}

TEST_F(CurateStage, ViewsOfAnotherPixelSizeAreRefusedWithTheRemedy) {
  std::vector<shard::MemberSpec> members = {{id(0), id(0) + ".buildings.npy", shard::DType::u8, {1, kSize / 2, kSize / 2}, ""}};
  shard::ShardWriter writer(folder_ / "shards/buildings-000001.tar", members);
  const std::vector<std::uint8_t> small(kSize * kSize / 4, 1);
  writer.put(0, std::as_bytes(std::span(small)));
  const auto written = writer.publish();
  manifest_->in_transaction([&] {
    index::remove_mask(*manifest_, id(0), "buildings");
    index::MaskRow row;
    row.location_id = id(0);
    row.layer = "buildings";
    row.positive_frac = 0.1;
    row.place = index::MemberPlace{"shards/buildings-000001.tar", written.members[0].name, written.members[0].offset, written.members[0].length, written.members[0].sha256};
    index::insert(*manifest_, row);
  });
  try {
    run();
    FAIL() << "compared pixels of two sizes";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_NE(std::string(error.what()).find("32 x 32 pixels, masks 16 x 16"), std::string::npos) << error.what();
  }
}

TEST_F(CurateStage, StopsWithinOneLocation) {
  std::stop_source stop;
  stop.request_stop();
  RunContext context;
  context.stop = stop.get_token();
  try {
    run_curate({job_, *manifest_, folder_}, context);
    FAIL() << "did not stop";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::stopped);
  }
}

}  // namespace
