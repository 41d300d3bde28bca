// SPDX-License-Identifier: Apache-2.0
// Outlines that are too wide or too narrow go back to the object, against brute force over all moves.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "pipeline/scores/repair_label.h"
#include "pipeline/scores/snap_outline.h"

namespace tilewright::pipeline {
namespace {

constexpr int kSize = 48;
using Mask = std::vector<std::uint8_t>;

LabelView view_of(const Mask& mask) { return {kSize, kSize, mask}; }

Mask box(int left, int top, int right, int bottom, std::uint8_t value = 1) {
  Mask out(kSize * kSize, 0);
  for (int row = top; row < bottom; ++row)
    for (int col = left; col < right; ++col) out[static_cast<std::size_t>(row * kSize + col)] = value;
  return out;
}

std::vector<std::int32_t> pixels_of(const Mask& mask, std::uint8_t value) {
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < mask.size(); ++i)
    if (mask[i] == value) out.push_back(static_cast<std::int32_t>(i));
  return out;
}

/// Least distance from the centre of pixel i to that of a pixel of the mask with this value, or with any other.
double distance_to(const Mask& mask, std::size_t i, std::uint8_t value, bool is_other) {
  double least = 1e9;
  const auto at = static_cast<int>(i);
  for (int j = 0; j < kSize * kSize; ++j)
    if ((mask[static_cast<std::size_t>(j)] == value) != is_other) least = std::min(least, std::hypot(j % kSize - at % kSize, j / kSize - at / kSize));
  return least;
}

/// All pixels of the object `value` when its outline moves by `move`.
Mask moved(const Mask& label, std::uint8_t value, int move) {
  Mask out(label.size(), 0);
  for (std::size_t i = 0; i < label.size(); ++i) {
    if (label[i] == value) out[i] = move >= 0 || distance_to(label, i, value, true) > -move;
    else if (label[i] == 0) out[i] = move > 0 && distance_to(label, i, value, false) <= move;
  }
  return out;
}

struct Evidence {
  std::vector<float> foreground, strength;
};

double mean_between(const Mask& inner, const Mask& outer, const std::vector<float>& values) {
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < inner.size(); ++i)
    if (outer[i] && !inner[i]) sum += values[i], ++count;
  return count ? sum / count : 0;
}

double contrast(const Mask& label, std::uint8_t value, int move, const Evidence& seen) {
  const auto at = [&](int by) { return moved(label, value, move + by); };
  return mean_between(at(-2), at(0), seen.foreground) - mean_between(at(0), at(2), seen.foreground) + 0.5 * mean_between(at(-1), at(1), seen.strength);
}

TEST(SnapOutline, IsTheBestOfAllMovesByBruteForce) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> any(0, 1);
  for (int round = 0; round < 12; ++round) {
    auto label = box(14 + round % 3, 15, 26 + round % 5, 28);
    for (std::size_t i = 0; i < label.size(); ++i) {
      const int col = static_cast<int>(i) % kSize, row = static_cast<int>(i) / kSize;
      if (round % 2 && col + row > 48 && label[i]) label[i] = 0;             // a corner is cut off
      if (round % 3 == 1 && col > 29 && col < 33 && row < 24) label[i] = 2;   // a neighbour
      if (round % 4 == 2 && row == 30) label[i] = 255;                        // unknown
    }
    Evidence seen{std::vector<float>(label.size()), std::vector<float>(label.size())};
    for (auto& v : seen.foreground) v = any(random);
    for (auto& v : seen.strength) v = any(random);
    const auto part = pixels_of(label, 1);
    const auto found = snap_outline(view_of(label), part, seen.foreground, seen.strength, 5);
    const double before = contrast(label, 1, 0, seen);
    double best = 0;
    int best_move = 0;
    for (int step = 1; step <= 5; ++step)
      for (const int move : {-step, step}) {
        if (pixels_of(moved(label, 1, move), 1).size() * 8 < part.size()) continue;
        if (const double gain = contrast(label, 1, move, seen) - before; gain > best + 1e-9) best = gain, best_move = move;
      }
    EXPECT_EQ(found.grown_px, best_move) << round;
    EXPECT_NEAR(found.gain, best, 1e-6) << round;
    EXPECT_EQ(found.pixels, pixels_of(moved(label, 1, best_move), 1)) << round;
  }
}

/// Probabilities of two classes that show `truth`, with soft edges.
std::vector<float> shown(const Mask& truth) {
  std::vector<float> out(2 * truth.size());
  for (int row = 0; row < kSize; ++row)
    for (int col = 0; col < kSize; ++col) {
      float sum = 0;
      int count = 0;
      for (int y = std::max(0, row - 1); y <= std::min(kSize - 1, row + 1); ++y)
        for (int x = std::max(0, col - 1); x <= std::min(kSize - 1, col + 1); ++x) sum += truth[static_cast<std::size_t>(y * kSize + x)] ? 0.95F : 0.05F, ++count;
      const auto i = static_cast<std::size_t>(row * kSize + col);
      out[truth.size() + i] = sum / static_cast<float>(count);
      out[i] = 1 - out[truth.size() + i];
    }
  return out;
}

RepairedLabel repaired(const Mask& label, const Mask& truth, const RepairConfig& config = {}) {
  const auto khw = shown(truth);
  const std::vector<std::uint8_t> classes = {0, 1};
  return repair_label(view_of(label), {khw, classes}, {}, config, 6);
}

TEST(SnapOutline, AWideOutlineShrinksBackToTheObject) {
  const auto truth = box(16, 14, 30, 26);
  for (const int wide : {2, 3, 4}) {
    const auto label = moved(truth, 1, wide);
    const auto found = repaired(label, truth);
    ASSERT_EQ(found.proposals.size(), 1U) << wide;
    EXPECT_EQ(found.proposals[0].kind, RepairKind::snap);
    EXPECT_EQ(found.proposals[0].grown_px, -wide);
    EXPECT_EQ(found.proposals[0].area_px, static_cast<std::int64_t>(pixels_of(label, 1).size()));
    EXPECT_EQ(found.pixels, truth) << wide;
  }
}

TEST(SnapOutline, ANarrowOneGrowsOnlyOntoBackgroundAndOnlyIfAsked) {
  const auto truth = box(16, 14, 30, 26);
  auto label = box(19, 17, 27, 23);
  for (int col = 0; col < kSize; ++col) label[static_cast<std::size_t>(15 * kSize + col)] = 255;
  const auto found = repaired(label, truth, {.shift = false, .snap = true, .add = false, .remove = false, .pixels = 0});
  ASSERT_EQ(found.proposals.size(), 1U);
  EXPECT_EQ(found.proposals[0].grown_px, 3);
  std::size_t both = 0, either = 0;
  for (std::size_t i = 0; i < label.size(); ++i) {
    EXPECT_EQ(found.pixels[i] == 255, label[i] == 255);
    if (label[i] == 255) continue;
    both += truth[i] && found.pixels[i];
    either += truth[i] || found.pixels[i];
  }
  EXPECT_GT(static_cast<double>(both) / static_cast<double>(either), 0.85) << "all but the corners, which distances round";
  EXPECT_EQ(repaired(label, truth, {.shift = false, .snap = false, .add = false, .remove = false, .pixels = 0}).pixels, label);
}

TEST(SnapOutline, WhatFitsOrWhatNothingShowsStays) {
  const auto truth = box(16, 14, 30, 26);
  EXPECT_TRUE(repaired(truth, truth).proposals.empty());
  const auto invented = box(4, 34, 12, 42);
  const auto found = repaired(invented, box(0, 0, 0, 0), {.shift = false, .snap = true, .add = false, .remove = false, .pixels = 0});
  EXPECT_EQ(found.pixels, invented) << "an object without evidence is not made to fit some";
}

}  // namespace
}  // namespace tilewright::pipeline
