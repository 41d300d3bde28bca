// SPDX-License-Identifier: Apache-2.0
// Tests of segmentation metrics against hand numbers and identities.
#include "learn/train/metrics.h"

#include <gtest/gtest.h>

#include "learn/data/counter_random.h"

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

}  // namespace
}  // namespace tilewright::learn
