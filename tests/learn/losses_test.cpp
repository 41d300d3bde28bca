// SPDX-License-Identifier: Apache-2.0
// Losses against hand numbers and finite differences.
#include "learn/losses/losses.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>

#include "geometry/error.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

torch::Tensor some_target() {
  auto target = torch::randint(0, 3, {2, 4, 4}, torch::kInt64);
  target[0][1][2] = 255;
  target[1][3][3] = 255;
  return target;
}

/// Largest difference between the gradient and central differences, in double.
double gradient_error(const std::function<torch::Tensor(const torch::Tensor&)>& loss,
                      torch::Tensor x) {
  x.set_requires_grad(true);
  const auto gradient = torch::autograd::grad({loss(x)}, {x})[0].flatten();
  const torch::NoGradGuard no_grad;
  double worst = 0;
  auto flat = x.detach().clone();
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double step = 1e-5, value = flat.view(-1)[i].item<double>();
    flat.view(-1)[i] = value + step;
    const double above = loss(flat).item<double>();
    flat.view(-1)[i] = value - step;
    const double below = loss(flat).item<double>();
    flat.view(-1)[i] = value;
    worst = std::max(worst, std::abs((above - below) / (2 * step) - gradient[i].item<double>()));
  }
  return worst;
}

TEST(Losses, HaveTheGradientOfFiniteDifferences) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 3, 4, 4}, torch::kFloat64);
  const auto target = some_target();
  const auto weights = torch::tensor({.2, .5, .3}, torch::kFloat64);
  for (const auto& row : segmentation_losses())
    for (const auto reduction : {Reduction::weight_sum, Reduction::pixel_count})
      EXPECT_LT(gradient_error(
                    [&](const auto& x) {
                      return row.loss(x, target, {weights, reduction});
                    },
                    logits.clone()),
                1e-8)
          << row.name;
  const auto z2 = torch::randn({3, 5}, torch::kFloat64);
  EXPECT_LT(gradient_error([&](const auto& x) { return nt_xent(x, z2, 0.2); },
                           torch::randn({3, 5}, torch::kFloat64)),
            1e-7);
}

TEST(CrossEntropy, DividesByWeightsOrByPixels) {
  auto target = torch::zeros({1, 10, 10}, torch::kInt64);
  target.slice(1, 0, 1).fill_(1);  // 10 % positives
  torch::manual_seed(1);
  const auto logits = 0.01 * torch::randn({1, 2, 10, 10});
  const auto weights = torch::tensor({.2F, .8F});
  // 0.1805 and 0.6934 in the reference, for other logits near zero.
  EXPECT_NEAR(cross_entropy(logits, target, weights, Reduction::pixel_count).item<double>(), 0.1805,
              1e-3);
  EXPECT_NEAR(cross_entropy(logits, target, weights, Reduction::weight_sum).item<double>(), 0.6934,
              3e-3);
  const auto zero = torch::zeros({1, 2, 10, 10});
  EXPECT_NEAR(cross_entropy(zero, target, weights, Reduction::pixel_count).item<double>(),
              .26 * std::log(2), 1e-6);
  EXPECT_NEAR(cross_entropy(zero, target, weights, Reduction::weight_sum).item<double>(),
              std::log(2), 1e-6);
}

TEST(CrossEntropy, EqualsASumByHandOverCountedPixels) {
  torch::manual_seed(2);
  const auto logits = torch::randn({2, 3, 4, 4}, torch::kFloat64);
  const auto target = some_target();
  double sum = 0, weight_sum = 0, count = 0;
  const double weights[] = {.2, .5, .3};
  for (int n = 0; n < 2; ++n)
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 4; ++x) {
        const auto k = target[n][y][x].item<std::int64_t>();
        if (k == 255) continue;
        double total = 0;
        for (int c = 0; c < 3; ++c) total += std::exp(logits[n][c][y][x].item<double>());
        sum += weights[k] * (std::log(total) - logits[n][k][y][x].item<double>());
        weight_sum += weights[k];
        count += 1;
      }
  const auto weights_k = torch::tensor({.2, .5, .3}, torch::kFloat64);
  EXPECT_NEAR(cross_entropy(logits, target, weights_k, Reduction::weight_sum).item<double>(),
              sum / weight_sum, 1e-12);
  EXPECT_NEAR(cross_entropy(logits, target, weights_k, Reduction::pixel_count).item<double>(),
              sum / count, 1e-12);
}

TEST(Losses, AreZeroWithoutGradientIfAllIsIgnored) {
  for (const auto& row : segmentation_losses()) {
    auto logits = torch::randn({2, 3, 4, 4}).set_requires_grad(true);
    const auto loss = row.loss(logits, torch::full({2, 4, 4}, 255, torch::kInt64),
                               {torch::tensor({1.F, 2.F, 3.F}), Reduction::weight_sum});
    EXPECT_EQ(loss.item<double>(), 0) << row.name;
    loss.backward();
    EXPECT_EQ(logits.grad().abs().sum().item<double>(), 0) << row.name;
  }
}

TEST(Dice, IsZeroForACertainTruthAndLargeForItsOpposite) {
  auto target = torch::zeros({1, 8, 8}, torch::kInt64);
  target.slice(1, 0, 3).fill_(1);
  const auto certain =
      50 * (torch::one_hot(target, 2).permute({0, 3, 1, 2}).to(torch::kFloat32) - 0.5);
  EXPECT_NEAR(dice(certain, target).item<double>(), 0, 1e-6);
  EXPECT_GT(dice(-certain, target).item<double>(), 0.95);
  // A class that the batch lacks changes nothing.
  EXPECT_NEAR(
      dice(torch::cat({certain, torch::full({1, 1, 8, 8}, -50.F)}, 1), target).item<double>(), 0,
      1e-6);
}

TEST(Focal, IsTheSumByHandAndCrossEntropyAtGammaZero) {
  torch::manual_seed(2);
  const auto logits = torch::randn({2, 3, 4, 4}, torch::kFloat64);
  const auto target = some_target();
  const auto weights = torch::tensor({.2, .5, .3}, torch::kFloat64);
  for (const auto reduction : {Reduction::weight_sum, Reduction::pixel_count})
    EXPECT_NEAR(focal(logits, target, 0, weights, reduction).item<double>(),
                cross_entropy(logits, target, weights, reduction).item<double>(), 1e-12);
  const auto p = torch::softmax(logits, 1);
  double sum = 0, count = 0;
  for (int n = 0; n < 2; ++n)
    for (int y = 0; y < 4; ++y)
      for (int x = 0; x < 4; ++x) {
        const auto k = target[n][y][x].item<std::int64_t>();
        if (k == 255) continue;
        const double truth = p[n][k][y][x].item<double>();
        sum -= std::pow(1 - truth, 2) * std::log(truth);
        count += 1;
      }
  EXPECT_NEAR(focal(logits, target, 2).item<double>(), sum / count, 1e-12);
}

TEST(Boundary, WeighsByTheDistanceToTheNearestEdge) {
  torch::manual_seed(7);
  auto target = torch::zeros({1, 12, 14}, torch::kInt64);
  target.slice(1, 3, 8).slice(2, 5, 9).fill_(1);
  target[0][0][0] = 255;  // no edge
  target[0][5][5] = 255;
  const double gain = 5, sigma = 2;
  const auto found = boundary_weights(target, gain, sigma);
  const auto value = [&](int y, int x) { return target[0][y][x].item<std::int64_t>(); };
  std::vector<std::pair<int, int>> edge;
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 14; ++x)
      for (const auto& [dy, dx] :
           {std::pair{0, 1}, std::pair{1, 0}, std::pair{0, -1}, std::pair{-1, 0}}) {
        const int v = y + dy, u = x + dx;
        if (v < 0 || u < 0 || v >= 12 || u >= 14 || value(y, x) == 255 || value(v, u) == 255)
          continue;
        if (value(y, x) != value(v, u)) edge.emplace_back(y, x);
      }
  double sum = 0, count = 0;
  std::vector<double> wanted;
  for (int y = 0; y < 12; ++y)
    for (int x = 0; x < 14; ++x) {
      double nearest = 1e9;
      for (const auto& [v, u] : edge)
        nearest = std::min(nearest, double((v - y) * (v - y) + (u - x) * (u - x)));
      const bool is_counted = value(y, x) != 255;
      wanted.push_back(is_counted ? 1 + gain * std::exp(-nearest / (2 * sigma * sigma)) : 0);
      sum += wanted.back(), count += is_counted;
    }
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(found.flatten()[static_cast<std::int64_t>(i)].item<double>(),
                wanted[i] * count / sum, 1e-5)
        << i;
}

TEST(Boundary, IsCrossEntropyBitByBitWithoutGain) {
  torch::manual_seed(8);
  const auto logits = torch::randn({2, 3, 4, 4});
  const auto target = some_target();
  EXPECT_EQ(boundary_cross_entropy(logits, target, 0, 3).item<float>(),
            cross_entropy(logits, target).item<float>());
  EXPECT_NE(boundary_cross_entropy(logits, target, 5, 1).item<float>(),
            cross_entropy(logits, target).item<float>());
  const auto flat = torch::zeros({2, 4, 4}, torch::kInt64);  // without an edge: all alike
  EXPECT_NEAR(boundary_cross_entropy(logits, flat, 5, 3).item<double>(),
              cross_entropy(logits, flat).item<double>(), 1e-6);
}

TEST(ClassWeights, BalanceTheClasses) {
  const auto weights = balanced_class_weights({900, 100, 0});
  EXPECT_NEAR(weights[0] * 900, weights[1] * 100, 1e-9);
  EXPECT_NEAR(weights[0] * .9 + weights[1] * .1, 1, 1e-12);
  EXPECT_EQ(weights[2], 0);
}

TEST(Losses, NameWrongShapes) {
  EXPECT_THROW(cross_entropy(torch::zeros({1, 2, 4, 4}), torch::zeros({1, 4, 5}, torch::kInt64)),
               Error);
  EXPECT_THROW(dice(torch::zeros({1, 2, 4, 4}), torch::zeros({1, 4, 4})), Error);
  EXPECT_THROW(nt_xent(torch::zeros({2, 4}), torch::zeros({3, 4}), 0.1), Error);
  EXPECT_THROW(segmentation_loss("hinge"), Error);
}

}  // namespace
}  // namespace tilewright::learn
