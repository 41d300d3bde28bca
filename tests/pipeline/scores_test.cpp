// SPDX-License-Identifier: Apache-2.0
// Scores, ranking measures, damage and repair of labels against brute force and worlds with known truth.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "geometry/isa.h"
#include "index/manifest_schema.h"
#include "pipeline/scores/damage_label.h"
#include "pipeline/scores/ranking.h"
#include "pipeline/scores/repair_label.h"
#include "pipeline/scores/score.h"
#include "pipeline/scores/score_kernels.h"
#include "tests/pipeline/drawn_label.h"

namespace {

using namespace tilewright;
using namespace tilewright::pipeline;

/// Random labels of classes 0, 1, 2 (and 255), and probabilities of classes 0, 1, 2 that sum to 1.
struct Case {
  Drawn label;
  std::vector<float> khw;
  std::vector<std::uint8_t> ids{0, 1, 2};
  [[nodiscard]] Probabilities model() const { return {khw, ids}; }
};
Case random_case(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> u(0.01F, 1);
  Case out;
  out.label.width = 12;
  out.label.height = 9;
  const std::size_t n = 108;
  for (std::size_t i = 0; i < n; ++i) {
    const auto draw = random() % 10;
    out.label.pixels.push_back(draw == 9 ? 255 : static_cast<std::uint8_t>(draw % 3));
  }
  out.khw.resize(3 * n);
  for (std::size_t i = 0; i < n; ++i) {
    const float a = u(random), b = u(random), c = u(random), sum = a + b + c;
    out.khw[i] = a / sum, out.khw[n + i] = b / sum, out.khw[2 * n + i] = c / sum;
  }
  return out;
}

TEST(Softmin, IsTheSumOfItsDefinition) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const auto one = random_case(seed);
    std::vector<double> s;
    for (std::size_t i = 0; i < 108; ++i)
      if (one.label.pixels[i] != 255) s.push_back(static_cast<double>(one.khw[one.label.pixels[i] * 108U + i]));
    double sum = 0, norm = 0;
    for (const double v : s) norm += std::exp((1 - v) / 0.1);
    for (const double v : s) sum += v * (std::exp((1 - v) / 0.1) / norm);
    EXPECT_NEAR(*softmin(one.label.view(), one.model()), sum, 1e-6 * sum);
    double likelihood = 0;
    for (const double v : s) likelihood += std::log(v);
    EXPECT_NEAR(*log_likelihood(one.label.view(), one.model()), likelihood / static_cast<double>(s.size()), 1e-9);
  }
}

/// Every compiled variant that this processor runs, the scalar one first.
std::vector<const ScoreKernels*> kernels() {
  std::vector<const ScoreKernels*> out{&kScalarScores};
#if defined(__x86_64__)
  if (geometry::is_supported(geometry::Isa::avx2)) out.push_back(&kAvx2Scores);
  if (geometry::is_supported(geometry::Isa::avx512)) out.push_back(&kAvx512Scores);
#endif
  return out;
}

TEST(Kernels, EveryVariantGivesTheSameBytesAndTheCountsOfItsDefinition) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> u(0.001F, 1);
  const std::vector<std::uint8_t> ids = {0, 1, 7};
  for (const std::size_t n : {1U, 7U, 8U, 9U, 255U, 256U, 257U, 1000U}) {
    std::vector<std::uint8_t> label(n);
    for (auto& value : label) value = std::array<std::uint8_t, 5>{0, 1, 7, 255, 3}[random() % (n == 257 ? 5 : 4)];
    std::vector<float> khw(3 * n);
    for (auto& p : khw) p = u(random);
    if (n > 20) khw[3] = khw[n + 3], khw[5] = 0;
    const LabelledPlanes in{khw.data(), ids.data(), ids.size(), label.data(), n};
    const float limits[] = {0.3F, 0.5F, 0.4F};
    std::array<ClassPixelCount, 3> counts{}, first_counts{};
    const auto first = kScalarScores.softmin(in, 0.1F);
    const auto first_log = kScalarScores.log_sum(in);
    kScalarScores.overlaps(in, first_counts.data());
    for (const auto* kernel : kernels()) {
      const auto sums = kernel->softmin(in, 0.1F);
      EXPECT_EQ(sums.weighted, first.weighted) << n;
      EXPECT_EQ(sums.weights, first.weights) << n;
      EXPECT_EQ(kernel->log_sum(in).sum, first_log.sum) << n;
      EXPECT_EQ(kernel->log_sum(in).pixels, first_log.pixels) << n;
      std::int64_t strange = 0, known = 0, flagged = 0;
      std::array<std::int64_t, 256> both{}, either{};
      for (std::size_t i = 0; i < n; ++i) {
        std::size_t best = 0;
        for (std::size_t k = 1; k < 3; ++k)
          if (khw[k * n + i] > khw[best * n + i]) best = k;
        const auto own = std::find(ids.begin(), ids.end(), label[i]);
        strange += label[i] == 3;
        if (label[i] != 255) {
          ++either[label[i]];
          if (ids[best] == label[i]) ++both[label[i]];
          else ++either[ids[best]];
        }
        if (own == ids.end()) continue;
        ++known;
        bool is_confident = false;
        for (std::size_t k = 0; k < 3; ++k) is_confident = is_confident || (ids[k] != label[i] && khw[k * n + i] >= limits[k]);
        flagged += is_confident && ids[best] != label[i];
      }
      EXPECT_EQ(kernel->overlaps(in, counts.data()), strange) << n;
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(counts[k].both, both[ids[k]]) << n;
        EXPECT_EQ(counts[k].either, either[ids[k]]) << n;
      }
      EXPECT_EQ(kernel->flagged(in, limits).pixels, known) << n;
      EXPECT_EQ(kernel->flagged(in, limits).flagged, flagged) << n;
    }
  }
}

TEST(Kernels, EdgesAreThoseOfTheirDefinitionAtEverySize) {
  std::mt19937 random(9);
  std::normal_distribution<float> noise(0, 2);
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 6}, {2, 2}, {3, 1}, {5, 4}, {33, 7}, {64, 64}, {65, 9}, {127, 5}, {128, 3}, {150, 6}}) {
    const auto at = [width = width](int col, int row) { return static_cast<std::size_t>(row * width + col); };
    const auto n = static_cast<std::size_t>(width * height);
    std::vector<float> band(n), gradient(n);
    std::vector<std::uint8_t> label(n);
    std::vector<std::uint64_t> boundary(edge_words(width, height), 77), scratch(5 * boundary.size(), 1);
    for (auto& value : band) value = noise(random);
    if (n > 50) band[7] = std::numeric_limits<float>::quiet_NaN(), band[20] = std::numeric_limits<float>::infinity();
    for (auto& value : label) value = std::array<std::uint8_t, 8>{0, 0, 0, 0, 0, 1, 2, 255}[random() % 8];
    for (const auto* kernel : kernels()) {
      kernel->gradient(band.data(), width, height, gradient.data());
      const auto edges = kernel->edges(gradient.data(), label.data(), width, height, 1.5F, boundary.data(), scratch.data());
      std::int64_t steep = 0, steep_near = 0;
      for (int row = 0; row < height; ++row)
        for (int col = 0; col < width; ++col) {
          const int left = std::max(0, col - 1), right = std::min(width - 1, col + 1), up = std::max(0, row - 1), down = std::min(height - 1, row + 1);
          const float dx = right == left ? 0 : (band[at(right, row)] - band[at(left, row)]) / static_cast<float>(right - left);
          const float dy = down == up ? 0 : (band[at(col, down)] - band[at(col, up)]) / static_cast<float>(down - up);
          const float g = std::sqrt(dx * dx + dy * dy);
          ASSERT_EQ(gradient[at(col, row)], std::isfinite(g) ? g : 0) << width << " x " << height << " at " << col << ", " << row;
          const auto own = label[at(col, row)];
          bool is_boundary = false, is_near = false;
          for (int r = 0; r < height; ++r)
            for (int c = 0; c < width; ++c) {
              const auto other = label[at(c, r)];
              is_boundary = is_boundary || (std::abs(r - row) + std::abs(c - col) == 1 && other != own && other != 255);
              is_near = is_near || (std::abs(r - row) <= 2 && std::abs(c - col) <= 2 && other != 0 && other != 255);
            }
          ASSERT_EQ(boundary[edge_words(width, 1) * static_cast<std::size_t>(row) + static_cast<std::size_t>(col) / 64] >> (col % 64) & 1, own != 0 && own != 255 && is_boundary) << width << " x " << height << " at " << col << ", " << row;
          if (own == 255 || gradient[at(col, row)] <= 1.5F) continue;
          ++steep;
          steep_near += is_near;
        }
      EXPECT_EQ(edges.steep, steep);
      EXPECT_EQ(edges.steep_near, steep_near);
    }
  }
}

TEST(Softmin, OnePixelThatIsSurelyWrongPullsItDown) {
  const auto label = drawn({"....", "....", "....", "...."});
  std::vector<float> khw(32, 0.02F);
  std::fill_n(khw.begin(), 16, 0.98F);
  const std::vector<std::uint8_t> ids{0, 1};
  const double before = *softmin(label.view(), {khw, ids});
  khw[5] = 0.01F, khw[21] = 0.99F;
  EXPECT_NEAR(before, 0.98, 1e-6);
  EXPECT_LT(*softmin(label.view(), {khw, ids}), 0.05);
  EXPECT_FALSE(softmin(drawn({"??", "??"}).view(), {std::span(khw).first(8), ids}));
}

TEST(Confident, FlagsWhatConfidentLearningFlags) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const auto one = random_case(seed);
    // Thresholds by hand: mean P_j over pixels labelled j.
    std::vector<double> t(3, 0);
    std::vector<int> count(3, 0);
    for (std::size_t i = 0; i < 108; ++i)
      if (const auto y = one.label.pixels[i]; y != 255) t[y] += static_cast<double>(one.khw[y * 108U + i]), ++count[y];
    for (std::size_t j = 0; j < 3; ++j) t[j] /= count[j];
    ClassConfidence confidence;
    confidence.add(one.label.view(), one.model());
    const auto thresholds = confidence.thresholds();
    for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(thresholds[j], t[j], 1e-12);
    int flagged = 0, known = 0;
    for (std::size_t i = 0; i < 108; ++i) {
      const auto y = one.label.pixels[i];
      if (y == 255) continue;
      ++known;
      std::size_t best = 0;
      bool exceeds = false;
      for (std::size_t k = 0; k < 3; ++k) {
        if (one.khw[k * 108 + i] > one.khw[best * 108 + i]) best = k;
        exceeds = exceeds || (k != y && static_cast<double>(one.khw[k * 108 + i]) >= t[k]);
      }
      flagged += exceeds && best != y;
    }
    EXPECT_NEAR(*confident_frac(one.label.view(), one.model(), thresholds), 1 - static_cast<double>(flagged) / known, 1e-12);
  }
}

TEST(Confident, AClassThatNothingIsLabelledWithIsNeverConfident) {
  const auto label = drawn({"....", "...."});
  std::vector<float> khw(16, 0.1F);
  std::fill_n(khw.begin() + 8, 8, 0.9F);
  const std::vector<std::uint8_t> ids{0, 1};
  ClassConfidence confidence;
  confidence.add(label.view(), {khw, ids});
  EXPECT_DOUBLE_EQ(*confident_frac(label.view(), {khw, ids}, confidence.thresholds()), 1);
}

/// Boxes of 6 x 6 on a window of 40: probability 0.9 inside `seen`, 0.05 outside.
struct Boxes {
  Drawn label;
  std::vector<float> khw, height;
  std::vector<std::uint8_t> ids{0, 1};
  [[nodiscard]] Probabilities model() const { return {khw, ids}; }
};
Boxes boxes(const std::vector<std::pair<int, int>>& labelled, const std::vector<std::pair<int, int>>& seen) {
  Boxes out;
  out.label.width = out.label.height = 40;
  out.label.pixels.assign(1600, 0);
  out.khw.assign(3200, 0.05F);
  std::fill_n(out.khw.begin(), 1600, 0.95F);
  out.height.assign(1600, 100);
  const auto each = [](std::pair<int, int> at, auto use) {
    for (int r = at.second; r < at.second + 6; ++r)
      for (int c = at.first; c < at.first + 6; ++c)
        if (r >= 0 && c >= 0 && r < 40 && c < 40) use(static_cast<std::size_t>(r * 40 + c));
  };
  for (const auto& at : labelled) each(at, [&](auto i) { out.label.pixels[i] = 1; });
  for (const auto& at : seen) each(at, [&](auto i) { out.khw[i] = 0.1F, out.khw[1600 + i] = 0.9F, out.height[i] = 106; });
  return out;
}

TEST(Objects, CountsWhatIsMissingAndWhatIsFalse) {
  const auto one = boxes({{4, 4}, {20, 20}}, {{4, 4}, {30, 4}, {4, 30}});
  EXPECT_DOUBLE_EQ(*missing_objects(one.label.view(), one.model()), 2);
  EXPECT_DOUBLE_EQ(*false_objects(one.label.view(), one.model()), 1);
  EXPECT_NEAR(*completeness(one.label.view(), one.model()), 1.0 / 3, 1e-12);
  const auto clean = boxes({{4, 4}}, {{4, 4}});
  EXPECT_DOUBLE_EQ(*missing_objects(clean.label.view(), clean.model()), 0);
  EXPECT_DOUBLE_EQ(*false_objects(clean.label.view(), clean.model()), 0);
  EXPECT_DOUBLE_EQ(*completeness(clean.label.view(), clean.model()), 1);
  const auto empty = boxes({}, {});
  EXPECT_FALSE(false_objects(empty.label.view(), empty.model()));
  EXPECT_FALSE(completeness(empty.label.view(), empty.model()));
}

TEST(Objects, WhatLiesUnderIgnoredPixelsIsNotMissing) {
  auto one = boxes({}, {{4, 4}});
  for (int r = 0; r < 12; ++r)
    for (int c = 0; c < 12; ++c) one.label.pixels[static_cast<std::size_t>(r * 40 + c)] = 255;
  EXPECT_DOUBLE_EQ(*missing_objects(one.label.view(), one.model()), 0);
}

TEST(HeightStep, IsThatOfTheLowestObject) {
  const auto one = boxes({{4, 4}, {20, 20}}, {{4, 4}});
  EXPECT_DOUBLE_EQ(*height_step(one.height, one.label.view()), 0);
  const auto clean = boxes({{4, 4}, {20, 20}}, {{4, 4}, {20, 20}});
  EXPECT_DOUBLE_EQ(*height_step(clean.height, clean.label.view()), 6);
  EXPECT_FALSE(height_step(clean.height, boxes({}, {}).label.view()));
}

TEST(BestShift, FindsTheWayBackByEdgesAndByTheModel) {
  for (const auto& [dx, dy] : {std::pair{0, 0}, {3, 0}, {-2, 4}, {5, -5}}) {
    const auto one = boxes({{8 + dx, 8 + dy}, {22 + dx, 24 + dy}}, {{8, 8}, {22, 24}});
    const auto gradient = gradient_magnitude(one.height, 40, 40);
    EXPECT_EQ(*shift_to_model(one.label.view(), one.model(), 6), (geometry::PixelShift{-dx, -dy}));
    EXPECT_EQ(*shift_to_edges(gradient, one.label.view(), 3, 6), (geometry::PixelShift{-dx, -dy}));
  }
  EXPECT_FALSE(shift_to_model(boxes({}, {}).label.view(), boxes({}, {}).model(), 6));
}

TEST(ScoreTable, EveryRowIsFiniteOnACleanLabelAndSaysNothingOfAnIgnoredOne) {
  const auto clean = boxes({{4, 4}, {20, 20}}, {{4, 4}, {20, 20}});
  const auto gradient = gradient_magnitude(clean.height, 40, 40);
  const auto model = clean.model();
  const std::vector<std::uint8_t> ignored(1600, 255);
  ClassConfidence confidence;
  confidence.add(clean.label.view(), model);
  const LayerFacts facts{3, confidence.thresholds(), 8};
  std::set<std::string_view> names;
  for (const auto& row : score_table()) {
    EXPECT_TRUE(names.insert(row.name).second);
    EXPECT_EQ(find_score(row.name), &row);
    const auto value = row.score({clean.label.view(), clean.height, gradient, &model, clean.label.pixels, facts, 0.1});
    ASSERT_TRUE(value) << row.name;
    EXPECT_TRUE(std::isfinite(*value)) << row.name;
    if (row.name == "completeness") continue;  // what is predicted under ignored pixels does not count: nothing is left
    const auto nothing = row.score({{40, 40, ignored}, clean.height, gradient, &model, ignored, facts});
    EXPECT_FALSE(nothing) << row.name;
  }
  EXPECT_EQ(find_score("beauty"), nullptr);
}

TEST(ScoreTable, WhatDependsOnTrainingIsNoPartOfTheTreeHash) {
  const auto tables = index::tables();
  const auto table = std::find_if(tables.begin(), tables.end(), [](const auto& row) { return row.name == "score"; });
  ASSERT_NE(table, tables.end());
  for (const auto& row : score_table())
    EXPECT_EQ(table->volatile_rows.find("'" + std::string(row.name) + "'") != std::string_view::npos, row.needs == ScoreNeeds::model) << row.name;
}

std::vector<Judged> random_judged(std::uint32_t seed, int values) {
  std::mt19937 random(seed);
  std::vector<Judged> out;
  const auto n = 1 + random() % 60;
  for (std::size_t i = 0; i < n; ++i) out.push_back({static_cast<double>(random() % static_cast<unsigned>(values)), static_cast<double>(random() % static_cast<unsigned>(values)) / values});
  return out;
}

TEST(Ranking, AgreesWithAllPairs) {
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    const auto judged = random_judged(seed, seed % 2 ? 5 : 1000);
    double wins = 0, pairs = 0, concordant = 0, discordant = 0, tied_score = 0, tied_truth = 0;
    for (std::size_t i = 0; i < judged.size(); ++i)
      for (std::size_t j = 0; j < judged.size(); ++j) {
        if (judged[i].truth < 0.5 && judged[j].truth >= 0.5) {
          ++pairs;
          wins += judged[i].score < judged[j].score ? 1 : judged[i].score == judged[j].score ? 0.5 : 0;
        }
        if (j <= i) continue;
        const double s = judged[i].score - judged[j].score, t = judged[i].truth - judged[j].truth;
        if (s == 0) ++tied_score;
        if (t == 0) ++tied_truth;
        if (s * t > 0) ++concordant;
        if (s * t < 0) ++discordant;
      }
    const auto area = auroc(judged, 0.5);
    ASSERT_EQ(area.has_value(), pairs > 0);
    if (area) {
      EXPECT_NEAR(*area, wins / pairs, 1e-12);
    }
    const double all = static_cast<double>(judged.size()) * (static_cast<double>(judged.size()) - 1) / 2;
    const double scale = std::sqrt((all - tied_score) * (all - tied_truth));
    const auto tau = kendall_tau(judged);
    ASSERT_EQ(tau.has_value(), scale > 0);
    if (tau) {
      EXPECT_NEAR(*tau, (concordant - discordant) / scale, 1e-12);
    }
  }
}

TEST(Ranking, PrecisionIsTheMeanOverAllOrdersOfTies) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    auto judged = random_judged(seed, 3);
    judged.resize(std::min<std::size_t>(judged.size(), 6));
    for (std::size_t k = 1; k <= judged.size(); ++k) {
      std::vector<std::size_t> order(judged.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      double sum = 0, orders = 0;
      do {
        if (!std::is_sorted(order.begin(), order.end(), [&](auto a, auto b) { return judged[a].score < judged[b].score; })) continue;
        ++orders;
        for (std::size_t i = 0; i < k; ++i) sum += judged[order[i]].truth < 0.5;
      } while (std::next_permutation(order.begin(), order.end()));
      EXPECT_NEAR(*precision_at(judged, 0.5, k), sum / orders / static_cast<double>(k), 1e-12);
    }
  }
  EXPECT_FALSE(precision_at({}, 0.5, 1));
}

TEST(Ranking, AveragePrecisionOfAHandCase) {
  // Worst first: bad, good, bad, good: precision 1 and 2/3.
  EXPECT_NEAR(*average_precision({{1, 0}, {2, 1}, {3, 0}, {4, 1}}, 0.5), (1 + 2.0 / 3) / 2, 1e-12);
  EXPECT_FALSE(average_precision({{1, 1}}, 0.5));
  EXPECT_FALSE(kendall_tau({{1, 1}, {1, 0}}));
}

const std::vector<std::pair<int, int>> kTown = {{3, 3}, {16, 4}, {30, 6}, {5, 18}, {18, 20}, {31, 22}, {8, 32}};

TEST(Damage, EveryKindIsDeterministicAndDoesWhatItsNameSays) {
  const auto one = boxes(kTown, {});
  const auto donors = donors_of(one.label.view());
  EXPECT_EQ(donors.size(), kTown.size());
  const auto area = std::count(one.label.pixels.begin(), one.label.pixels.end(), 1);
  for (std::size_t k = 0; k < damage_names().size(); ++k)
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const auto kind = static_cast<LabelDamage>(k);
      const auto damaged = damage_label(one.label.view(), kind, donors, {1, 2}, seed), again = damage_label(one.label.view(), kind, donors, {1, 2}, seed);
      ASSERT_EQ(damaged.pixels, again.pixels);
      const auto ones = std::count(damaged.pixels.begin(), damaged.pixels.end(), 1), twos = std::count(damaged.pixels.begin(), damaged.pixels.end(), 2);
      const std::string what = damage_names()[k] + " " + std::to_string(seed);
      if (kind != LabelDamage::truncate) {
        EXPECT_GT(damaged.objects, 0) << what;
      }
      if (kind == LabelDamage::drop || kind == LabelDamage::truncate) {
        EXPECT_LE(ones, area) << what;
      }
      if (kind == LabelDamage::drop) {
        EXPECT_EQ(ones, area - 36 * damaged.objects) << what;
      }
      if (kind == LabelDamage::add) {
        EXPECT_EQ(ones, area + 36 * damaged.objects) << what;
      }
      if (kind == LabelDamage::dilate) {
        EXPECT_GT(ones, area) << what;
      }
      if (kind == LabelDamage::erode) {
        EXPECT_LT(ones, area) << what;
      }
      if (kind == LabelDamage::erode) {
        EXPECT_EQ(geometry::mask_parts({40, 40, damaged.pixels}).parts.size(), kTown.size()) << what;
      }
      if (kind == LabelDamage::swap) {
        EXPECT_EQ(twos, 36 * damaged.objects) << what;
      }
      if (kind == LabelDamage::shift) {
        EXPECT_GE(damaged.shift.length(), 1.4) << what;
        const auto back = shift_to_model(LabelView{40, 40, damaged.pixels}, boxes({}, kTown).model(), 8);
        EXPECT_EQ(*back, (geometry::PixelShift{-damaged.shift.dx, -damaged.shift.dy})) << what;
      }
    }
}

TEST(Damage, IgnoredPixelsStay) {
  auto one = boxes(kTown, {});
  for (int c = 0; c < 40; ++c) one.label.pixels[static_cast<std::size_t>(20 * 40 + c)] = 255;
  const auto donors = donors_of(one.label.view());
  for (std::size_t k = 0; k < damage_names().size(); ++k) {
    const auto damaged = damage_label(one.label.view(), static_cast<LabelDamage>(k), donors, {1, 2}, 3);
    for (std::size_t i = 0; i < 1600; ++i) EXPECT_EQ(damaged.pixels[i] == 255, one.label.pixels[i] == 255);
  }
}

std::vector<float> strength_of(const Boxes& one) {
  auto gradient = gradient_magnitude(one.height, 40, 40);
  for (auto& g : gradient) g = std::min(1.0F, g / 3);
  return gradient;
}

TEST(Repair, MovesAddsAndRemovesWhatTheModelShows) {
  // Two pixels east and one south, one box forgotten, one invented.
  auto labelled = kTown;
  labelled.pop_back();
  for (auto& [col, row] : labelled) col += 2, row += 1;
  labelled.emplace_back(24, 33);
  auto one = boxes(labelled, kTown);
  const auto repaired = repair_label(one.label.view(), one.model(), strength_of(one), {}, 8);
  EXPECT_EQ(repaired.pixels, boxes(kTown, {}).label.pixels);
  std::map<RepairKind, int> kinds;
  for (const auto& proposal : repaired.proposals) {
    ++kinds[proposal.kind];
    if (proposal.kind == RepairKind::shift) {
      EXPECT_EQ(proposal.shift, (geometry::PixelShift{-2, -1}));
    }
    if (proposal.kind == RepairKind::remove) {
      EXPECT_EQ(std::pair(proposal.col, proposal.row), std::pair(24, 33));
    }
    if (proposal.kind == RepairKind::add) {
      EXPECT_EQ(std::pair(proposal.col, proposal.row), kTown.back());
    }
  }
  EXPECT_EQ(kinds[RepairKind::shift], 6);
  EXPECT_EQ(kinds[RepairKind::add], 1);
  EXPECT_EQ(kinds[RepairKind::remove], 1);
}

TEST(Repair, LeavesACleanLabelAndIgnoredPixelsAlone) {
  auto clean = boxes(kTown, kTown);
  EXPECT_TRUE(repair_label(clean.label.view(), clean.model(), strength_of(clean), {}, 8).proposals.empty());
  auto unknown = boxes({}, kTown);
  std::fill(unknown.label.pixels.begin(), unknown.label.pixels.end(), std::uint8_t{255});
  EXPECT_EQ(repair_label(unknown.label.view(), unknown.model(), {}, {.shift = true, .snap = true, .add = true, .remove = true, .pixels = 0.8}, 8).pixels, unknown.label.pixels);
}

TEST(Repair, DoesOnlyWhatIsAskedFor) {
  auto one = boxes({{24, 33}}, kTown);
  const RepairConfig nothing{.shift = false, .snap = false, .add = false, .remove = false, .pixels = 0};
  EXPECT_EQ(repair_label(one.label.view(), one.model(), {}, nothing, 8).pixels, one.label.pixels);
  const RepairConfig pixels{.shift = false, .snap = false, .add = false, .remove = false, .pixels = 0.8};
  const auto repaired = repair_label(one.label.view(), one.model(), {}, pixels, 8);
  EXPECT_EQ(repaired.pixels, boxes(kTown, {}).label.pixels);
  ASSERT_EQ(repaired.proposals.size(), 1U);
  EXPECT_EQ(repaired.proposals[0].area_px, static_cast<std::int64_t>(36 * (kTown.size() + 1)));
}

}  // namespace
