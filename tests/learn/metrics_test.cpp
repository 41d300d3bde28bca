// SPDX-License-Identifier: Apache-2.0
// Tests of segmentation metrics against hand numbers and identities.
#include "learn/train/metrics.h"

#include <gtest/gtest.h>

#include "learn/data/counter_random.h"
#include "learn/train/bootstrap.h"
#include "learn/train/boundary_metrics.h"
#include "learn/train/label_metrics.h"

namespace tilewright::learn {
namespace {

using Mask = std::vector<std::uint8_t>;

TEST(Metrics, CountByHand) {
  Confusion confusion(2);
  confusion.add(Mask{0, 0, 1, 1, 1, 255}, Mask{0, 1, 1, 1, 0, 1});
  const auto m = metrics_of(confusion);
  EXPECT_EQ(m.pixels, 5);
  EXPECT_EQ(m.ignored, 1);
  EXPECT_DOUBLE_EQ(m.overall_accuracy, 3.0 / 5);
  EXPECT_DOUBLE_EQ(*m.iou[0], 1.0 / 3);
  EXPECT_DOUBLE_EQ(*m.iou[1], 2.0 / 4);
  EXPECT_DOUBLE_EQ(m.iou_macro, (1.0 / 3 + 0.5) / 2);
  EXPECT_DOUBLE_EQ(m.iou_micro, 3.0 / 7);
  EXPECT_DOUBLE_EQ(*m.f1[1], 4.0 / 6);
}

TEST(Metrics, EmptyAndEmptyIsExcludedAndCounted) {
  Confusion confusion(3);
  confusion.add(Mask{0, 0, 1}, Mask{0, 0, 1});
  const auto m = metrics_of(confusion);
  EXPECT_FALSE(m.iou[2].has_value());
  EXPECT_EQ(m.empty_classes, 1);
  EXPECT_DOUBLE_EQ(m.iou_macro, 1);
}

TEST(Metrics, MicroIoUFollowsFromAccuracy) {
  CounterRandom random{5};
  for (int draw = 0; draw < 20; ++draw) {
    Confusion confusion(4);
    Mask truth, prediction;
    for (int i = 0; i < 500; ++i) {
      truth.push_back(static_cast<std::uint8_t>(random.below(4)));
      prediction.push_back(random.uniform() < 0.6 ? truth.back()
                                                  : static_cast<std::uint8_t>(random.below(4)));
    }
    confusion.add(truth, prediction);
    const auto m = metrics_of(confusion);
    EXPECT_NEAR(m.iou_micro, m.overall_accuracy / (2 - m.overall_accuracy), 1e-12);
  }
}

TEST(Metrics, AccumulateOverTheSetInsteadOfOverImages) {
  Confusion whole(2), parts(2), other(2);
  const Mask a{0, 1, 1, 0}, b{1, 1, 1, 0}, pa{0, 0, 1, 0}, pb{1, 1, 1, 1};
  whole.add(a, pa), whole.add(b, pb);
  parts.add(a, pa), other.add(b, pb);
  parts.add(other);
  EXPECT_DOUBLE_EQ(metrics_of(whole).iou_macro, metrics_of(parts).iou_macro);
}

/// '.' 0, '#' 1, '?' ignored; a square.
Mask mask_of(const std::string& drawn) {
  Mask mask;
  for (const char c : drawn)
    if (c == '.' || c == '#' || c == '?')
      mask.push_back(static_cast<std::uint8_t>(c == '?' ? 255 : c == '#'));
  return mask;
}

TEST(Boundary, CountsTheBandInsideAMask) {
  const auto truth = mask_of(R"(
    ########
    ########
    ########
    ########
    ........
    ........
    ........
    ........)");
  BoundarySums same(2);
  same.add(truth, truth, 8);
  EXPECT_EQ(same.classes()[1].band_either, 16);  // two rows; the image's border is no edge
  EXPECT_EQ(same.classes()[1].edge_truth, 8);
  EXPECT_DOUBLE_EQ(same.iou_macro(), 1);
  EXPECT_DOUBLE_EQ(same.f1_macro(), 1);
  auto lower = truth;  // one row lower: bands share one row of three, edges lie within 2 px
  std::fill_n(lower.begin() + 32, 8, 1);
  BoundarySums moved(2);
  moved.add(truth, lower, 8);
  EXPECT_DOUBLE_EQ(*moved.classes()[1].iou(), 1.0 / 3);
  EXPECT_DOUBLE_EQ(*moved.classes()[1].f1(), 1);
  auto far = truth;  // three rows lower
  std::fill_n(far.begin() + 32, 24, 1);
  BoundarySums gone(2);
  gone.add(truth, far, 8);
  EXPECT_DOUBLE_EQ(*gone.classes()[1].iou(), 0);
  EXPECT_DOUBLE_EQ(*gone.classes()[1].f1(), 0);
}

TEST(Boundary, LooksAwayWhereTheTruthIsIgnored) {
  const auto truth = mask_of(R"(
    ####
    ####
    ????
    ....)"),
             other = mask_of(R"(
    ####
    ####
    .##.
    ....)");
  BoundarySums sums(2);
  sums.add(truth, other, 4);
  BoundarySums plain(2);
  plain.add(truth, truth, 4);
  EXPECT_EQ(sums.classes()[1].band_either, plain.classes()[1].band_either);
  EXPECT_EQ(sums.classes()[1].edge_guess, 0);  // outside begins two rows away
  EXPECT_FALSE(BoundarySums(2).classes()[0].f1().has_value());
}

TEST(LabelMetrics, CountByHand) {
  LabelCounts counts(4);
  counts.add(Mask{1, 0, 1, 0}, Mask{1, 1, 0, 0});
  counts.add(Mask{1, 0, 0, 0}, Mask{1, 0, 0, 0});
  const auto m = metrics_of(counts);
  EXPECT_DOUBLE_EQ(*m.f1[0], 1);
  EXPECT_DOUBLE_EQ(*m.f1[1], 0);
  EXPECT_DOUBLE_EQ(*m.f1[2], 0);
  EXPECT_FALSE(m.f1[3].has_value());
  EXPECT_DOUBLE_EQ(m.f1_macro, 1.0 / 3);
  EXPECT_DOUBLE_EQ(m.f1_micro, 4.0 / 6);
  EXPECT_DOUBLE_EQ(m.exact_match, 0.5);
  EXPECT_DOUBLE_EQ(metrics_of(LabelCounts(2)).f1_micro, 1);
}

TEST(Calibration, IsTheGapBetweenConfidenceAndTruth) {
  Calibration sure;
  sure.add(std::vector<float>{0.9F, 0.9F, 0.9F, 0.9F, 0.9F}, Mask{1, 1, 1, 0, 255},
           Mask{1, 1, 1, 1, 1});
  EXPECT_NEAR(sure.expected_error(), 0.15, 1e-6);  // 3 of 4 right; the ignored one does not count
  sure.add(std::vector<float>{0.5F, 0.5F}, Mask{0, 1}, Mask{0, 0});
  EXPECT_NEAR(sure.expected_error(), 0.15 * 4 / 6, 1e-6);
  sure.add(std::vector<float>{1.0F}, Mask{0}, Mask{0});  // the last bin holds its upper edge
  EXPECT_NEAR(sure.expected_error(), 0.15 * 4 / 7, 1e-6);
  EXPECT_EQ(Calibration().expected_error(), 0);
}

TEST(Bootstrap, KeepsNeighboursInOneBlock) {
  EXPECT_EQ(block_of("e32632_r10000000_s64_x0_y0"), block_of("e32632_r10000000_s64_x511_y511"));
  EXPECT_NE(block_of("e32632_r10000000_s64_x0_y0"), block_of("e32632_r10000000_s64_x512_y0"));
  EXPECT_NE(block_of("e32632_r10000000_s64_x0_y0"), block_of("e32632_r10000000_s64_xm1_y0"));
  EXPECT_NE(block_of("e32632_r10000000_s64_x0_y0"), block_of("e32633_r10000000_s64_x0_y0"));
  EXPECT_EQ(block_of("w_0123456789ab"), "w_0123456789ab");
}

TEST(Bootstrap, CoversTheTruthAboutAsOftenAsItSays) {
  constexpr double kTruth = 0.7;
  int covered = 0;
  for (int world = 0; world < 100; ++world) {
    CounterRandom random{11, static_cast<std::uint64_t>(world)};
    std::map<std::string, Confusion> blocks;
    for (int b = 0; b < 40; ++b) {
      auto& block = blocks.try_emplace("b" + std::to_string(b), 2).first->second;
      for (int i = 0; i < 10; ++i)
        block.add(Mask{1}, Mask{static_cast<std::uint8_t>(random.uniform() < kTruth)});
    }
    const auto interval = bootstrap(blocks, 200).overall_accuracy;
    covered += interval[0] <= kTruth && kTruth <= interval[1];
  }
  EXPECT_GE(covered, 85);
  EXPECT_LE(covered, 100);
}

TEST(Bootstrap, IsWiderWhereWholeBlocksAreWrong) {
  std::map<std::string, Confusion> even, uneven;
  for (int b = 0; b < 20; ++b) {
    auto& fair = even.try_emplace(std::to_string(b), 2).first->second;
    auto& unfair = uneven.try_emplace(std::to_string(b), 2).first->second;
    fair.add(Mask{1, 0}, Mask{1, 1});
    unfair.add(Mask{1, 1}, b % 2 ? Mask{1, 1} : Mask{0, 0});
  }
  const auto a = bootstrap(even), b = bootstrap(uneven);
  EXPECT_DOUBLE_EQ(a.overall_accuracy[1] - a.overall_accuracy[0], 0);
  EXPECT_GT(b.overall_accuracy[1] - b.overall_accuracy[0], 0.3);
  EXPECT_EQ(bootstrap(uneven).overall_accuracy, b.overall_accuracy);
  EXPECT_EQ(b.blocks, 20);
}

}  // namespace
}  // namespace tilewright::learn
