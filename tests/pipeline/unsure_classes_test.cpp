// SPDX-License-Identifier: Apache-2.0
// Classes that a model gives less than a half where they are labelled, against the thresholds of confident learning.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "pipeline/scores/unsure_classes.h"

namespace tilewright::pipeline {
namespace {

constexpr int kEdge = 40;

/// Buildings of which only some are labelled, and a model that is as sure of a building as its labels are complete.
struct Town {
  std::vector<std::uint8_t> truth, label, ids{0, 1};
  std::vector<float> khw;
  [[nodiscard]] LabelView view() const { return {kEdge, kEdge, label}; }
  [[nodiscard]] Probabilities model() const { return {khw, ids}; }
};

Town town_of(std::uint32_t seed, float on_buildings, float elsewhere) {
  std::mt19937 random(seed);
  Town out;
  const std::size_t n = kEdge * kEdge;
  out.truth.resize(n), out.label.resize(n), out.khw.resize(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    out.truth[i] = i / 4 % 5 == 0;
    out.label[i] = random() % 20 == 0 ? 255 : static_cast<std::uint8_t>(out.truth[i] != 0 && random() % 5 < 2);
    const float noise = std::uniform_real_distribution<float>(-0.05F, 0.05F)(random);
    out.khw[n + i] = (out.truth[i] != 0 ? on_buildings : elsewhere) + noise;
    out.khw[i] = 1 - out.khw[n + i];
  }
  return out;
}

ClassConfidence confidence_of(const Town& town) {
  ClassConfidence confidence;
  confidence.add(town.view(), town.model());
  return confidence;
}

TEST(UnsureClasses, AreDecidedFromTheirThresholdOn) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    auto town = town_of(seed, 0.4F, 0.1F);
    const std::size_t n = kEdge * kEdge;
    double sum = 0;
    int count = 0;
    for (std::size_t i = 0; i < n; ++i)
      if (town.label[i] == 1) sum += static_cast<double>(town.khw[n + i]), ++count;
    const double threshold = sum / count;
    const auto before = town.khw;
    const auto confidence = confidence_of(town);
    EXPECT_NEAR(confidence.thresholds()[1], threshold, 1e-12);
    const auto factors = odds_factors(confidence);
    EXPECT_EQ(factors[0], 1);
    EXPECT_NEAR(factors[1], (1 - threshold) / threshold, 1e-12);
    raise_odds(town.khw, factors);
    const auto classes = decided(town.model());
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(town.khw[i] + town.khw[n + i], 1, 1e-6);
      if (std::abs(static_cast<double>(before[n + i]) - threshold) < 1e-6) continue;
      EXPECT_EQ(classes[i] == 1, static_cast<double>(before[n + i]) > threshold) << i;
    }
  }
}

TEST(UnsureClasses, AreNoneWhereTheModelIsSure) { EXPECT_EQ(odds_factors(confidence_of(town_of(1, 0.8F, 0.1F))), (std::vector<double>{1, 1})); }

TEST(UnsureClasses, AreNoneWhereTheModelOnlyCountsThem) {
  EXPECT_EQ(odds_factors(confidence_of(town_of(1, 0.2F, 0.2F))), (std::vector<double>{1, 1})) << "the same everywhere";
  EXPECT_EQ(odds_factors(confidence_of(town_of(1, 0.09F, 0.06F))), (std::vector<double>{1, 1})) << "next to nothing anywhere";
}

TEST(UnsureClasses, AreNoneThatNothingIsLabelledWith) {
  auto town = town_of(1, 0.4F, 0.1F);
  std::fill(town.label.begin(), town.label.end(), std::uint8_t{0});
  EXPECT_EQ(odds_factors(confidence_of(town)), (std::vector<double>{1, 1}));
  std::fill(town.label.begin(), town.label.end(), std::uint8_t{1});
  EXPECT_EQ(odds_factors(confidence_of(town)), (std::vector<double>{1, 1})) << "nothing to tell it from";
  std::fill(town.label.begin(), town.label.end(), std::uint8_t{255});
  EXPECT_EQ(odds_factors(confidence_of(town)), (std::vector<double>{1, 1}));
  EXPECT_TRUE(odds_factors({}).empty());
}

TEST(UnsureClasses, MeansOfPartsAreThoseOfTheWhole) {
  const auto a = town_of(1, 0.4F, 0.1F), b = town_of(2, 0.3F, 0.05F);
  ClassConfidence parts, whole = confidence_of(a);
  parts.add(confidence_of(a));
  parts.add(confidence_of(b));
  parts.add(ClassConfidence{});
  whole.add(b.view(), b.model());
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(parts.thresholds()[k], whole.thresholds()[k], 1e-12);
    EXPECT_NEAR(parts.sum_everywhere[k], whole.sum_everywhere[k], 1e-9);
  }
}

}  // namespace
}  // namespace tilewright::pipeline
