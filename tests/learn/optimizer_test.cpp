// SPDX-License-Identifier: Apache-2.0
// Our optimizers against LibTorch's, and schedules against their formulas.
#include "learn/train/optimizer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

#include "geometry/error.h"
#include "learn/train/schedule.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

struct Net : torch::nn::Module {
  Net() {
    torch::manual_seed(4);
    conv = register_module("conv", torch::nn::Conv2d(2, 3, 3));
    norm = register_module("norm", torch::nn::BatchNorm2d(3));
    token = register_parameter("cls_token", torch::randn({1, 1, 3}));
    to(torch::kFloat64);  // rounding must not decide
  }
  /// The bias of `conv` must matter: before a batch norm its gradient is rounding noise.
  torch::Tensor forward(const torch::Tensor& x) {
    return (norm->forward(conv->forward(x).tanh()) * token.view({1, 3, 1, 1}) - 1).square().mean();
  }
  torch::nn::Conv2d conv{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
  torch::Tensor token;
};

torch::Tensor input_of(int step) {
  torch::manual_seed(100 + static_cast<unsigned>(step));
  return torch::randn({4, 2, 8, 8}, torch::kFloat64);
}

void expect_equal_parameters(const Net& a, const Net& b, double tolerance) {
  const auto left = a.parameters(), right = b.parameters();
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(torch::allclose(left[i], right[i], tolerance, tolerance * .1)) << i;
}

TEST(AdamW, TakesTheStepsOfLibTorch) {
  Net ours, theirs;
  const OptimizerConfig config{.name = "adamw", .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95};
  Optimizer optimizer(config, trainable_of(ours));
  std::vector<torch::Tensor> decayed, bare;
  for (const auto& [name, p] : trainable_of(theirs))
    (is_decayed(name, p) ? decayed : bare).push_back(p);
  EXPECT_EQ(decayed.size(), 2U);  // conv.weight and cls_token
  const auto options = [](double decay) {
    return std::make_unique<torch::optim::AdamWOptions>(
        torch::optim::AdamWOptions(0.01).betas({0.9, 0.95}).weight_decay(decay));
  };
  torch::optim::AdamW reference({torch::optim::OptimizerParamGroup(decayed, options(0.1)),
                                 torch::optim::OptimizerParamGroup(bare, options(0))},
                                torch::optim::AdamWOptions(0.01));
  for (int step = 0; step < 20; ++step) {
    optimizer.zero_grad();
    ours.forward(input_of(step)).backward();
    optimizer.step(0.01);
    reference.zero_grad();
    theirs.forward(input_of(step)).backward();
    reference.step();
  }
  expect_equal_parameters(ours, theirs, 1e-7);
  Net untouched;
  EXPECT_FALSE(torch::allclose(ours.parameters()[0], untouched.parameters()[0], 1e-3, 1e-3));
}

TEST(Sgd, TakesTheStepsOfLibTorch) {
  Net ours, theirs;
  Optimizer optimizer({.name = "sgd", .weight_decay = 0, .momentum = 0.9}, trainable_of(ours));
  torch::optim::SGD reference(theirs.parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  for (int step = 0; step < 10; ++step) {
    optimizer.zero_grad();
    ours.forward(input_of(step)).backward();
    optimizer.step(0.05);
    reference.zero_grad();
    theirs.forward(input_of(step)).backward();
    reference.step();
  }
  expect_equal_parameters(ours, theirs, 1e-7);
}

TEST(Optimizer, GoesOnFromItsStateBitByBit) {
  for (const std::string name : {"adamw", "sgd", "lars"}) {
    Net one, two;
    const auto train = [](Net& net, Optimizer& optimizer, int from, int to) {
      for (int step = from; step < to; ++step) {
        optimizer.zero_grad();
        net.forward(input_of(step)).backward();
        optimizer.step(0.02);
      }
    };
    Optimizer first({.name = name}, trainable_of(one));
    train(one, first, 0, 5);
    TensorMap saved;
    for (const auto& [key, tensor] : first.state()) saved[key] = tensor.clone();
    TensorMap weights;
    for (const auto& [key, tensor] : state_of(one)) weights[key] = tensor.clone();
    train(one, first, 5, 9);
    assign_state(two, weights, "test");
    Optimizer second({.name = name}, trainable_of(two));
    second.load_state(saved, "test");
    train(two, second, 5, 9);
    for (std::size_t i = 0; i < one.parameters().size(); ++i)
      EXPECT_TRUE(torch::equal(one.parameters()[i], two.parameters()[i])) << name;
    saved.erase(saved.begin());
    EXPECT_THROW(second.load_state(saved, "test"), Error);
  }
}

TEST(Optimizer, LeavesParametersWithoutGradientAlone) {
  Net net;
  net.token.set_requires_grad(false);
  const auto before = net.token.clone();
  Optimizer optimizer({.name = "adamw"}, trainable_of(net));
  net.forward(input_of(0)).backward();
  optimizer.step(0.1);
  EXPECT_TRUE(torch::equal(net.token, before));
  EXPECT_THROW(Optimizer({.name = "lion"}, {}), Error);
}

TEST(Lars, TakesAStepOfAThousandthOfTheWeights) {
  Net net;
  Optimizer optimizer({.name = "lars", .weight_decay = 0.1, .momentum = 0.5}, trainable_of(net));
  const auto weight = net.conv->weight.detach().clone(), bias = net.conv->bias.detach().clone();
  net.forward(input_of(0)).backward();
  const auto slope = net.conv->weight.grad() + 0.1 * weight;
  const auto direction = slope * (0.001 * weight.norm() / slope.norm());
  optimizer.step(2);
  EXPECT_TRUE(torch::allclose(net.conv->weight, weight - 2 * direction, 1e-10, 1e-12));
  EXPECT_TRUE(torch::allclose(net.conv->bias, bias - 2 * net.conv->bias.grad(), 1e-10, 1e-12));
  optimizer.step(2);  // the same gradient again
  EXPECT_FALSE(torch::allclose(net.conv->weight, weight - 4 * direction, 1e-7, 1e-9));
}

TEST(Average, FollowsTheWeightsAndChangesPlacesWithThem) {
  for (const std::string name : {"adamw", "sgd", "lars"}) {
    Net net;
    Optimizer optimizer({.name = name, .weight_decay = 0.1, .ema = 0.75}, trainable_of(net));
    ASSERT_TRUE(optimizer.has_average());
    auto expected = net.conv->weight.detach().clone();
    for (int step = 0; step < 3; ++step) {
      optimizer.zero_grad();
      net.forward(input_of(step)).backward();
      optimizer.step(0.05);
      expected = 0.75 * expected + 0.25 * net.conv->weight.detach();
    }
    const auto weights = net.conv->weight.detach().clone();
    EXPECT_FALSE(torch::allclose(weights, expected));
    optimizer.swap_average();
    EXPECT_TRUE(torch::allclose(net.conv->weight, expected, 1e-12, 1e-14)) << name;
    optimizer.swap_average();
    EXPECT_TRUE(torch::equal(net.conv->weight, weights));
  }
  Net net;
  Optimizer plain({}, trainable_of(net));
  const auto weights = net.conv->weight.detach().clone();
  plain.swap_average();
  EXPECT_FALSE(plain.has_average());
  EXPECT_TRUE(torch::equal(net.conv->weight, weights));
}

TEST(WeightDecay, IsThatOfTheStep) {
  Net one, two;
  Optimizer fixed({.weight_decay = 0.3}, trainable_of(one)),
      moving({.weight_decay = 0.1}, trainable_of(two));
  for (auto* pair : {&one, &two}) pair->forward(input_of(0)).backward();
  fixed.step(0.01);
  moving.step(0.01, 0.3);
  expect_equal_parameters(one, two, 0);
}

TEST(LayerDecay, ScalesEachBlockByItsDepth) {
  const auto one = torch::zeros({1});
  const NamedTensors parameters = {{"cls_token", one},           {"patch_embed.proj.weight", one},
                                   {"blocks.0.norm1.bias", one}, {"blocks.11.mlp.fc1.weight", one},
                                   {"norm.weight", one},         {"head.fc.weight", one}};
  const auto scales = layer_scales(parameters, 0.65);
  const double wanted[] = {std::pow(.65, 13), std::pow(.65, 13), std::pow(.65, 12), .65, 1, 1};
  for (std::size_t i = 0; i < scales.size(); ++i)
    EXPECT_DOUBLE_EQ(scales[i], wanted[i]) << parameters[i].first;
  EXPECT_EQ(layer_scales({{"layer1.0.conv1.weight", one}}, 0.65), std::vector<double>{1});
}

TEST(LayerDecay, CountsTheBlocksOfEachSensorsEncoder) {
  const auto one = torch::zeros({1});
  const NamedTensors parameters = {{"encoder_1.patch_embed.proj.weight", one},
                                   {"encoder_1.blocks.0.norm1.bias", one},
                                   {"encoder_2.blocks.3.norm1.bias", one},
                                   {"encoder_2.norm.weight", one},
                                   {"head.weight", one}};
  const auto scales = layer_scales(parameters, 0.5);
  const double wanted[] = {1.0 / 32, 1.0 / 16, 0.5, 1, 1};
  for (std::size_t i = 0; i < scales.size(); ++i)
    EXPECT_DOUBLE_EQ(scales[i], wanted[i]) << parameters[i].first;
}

TEST(LayerDecay, ReachesTheStep) {
  const auto moved = [](double decay, const char* name) {
    auto value = torch::ones({2, 2}).set_requires_grad(true);
    auto top = torch::ones({2, 2}).set_requires_grad(true);
    Optimizer optimizer({.name = "sgd", .weight_decay = 0, .momentum = 0, .layer_decay = decay},
                        {{name, value}, {"blocks.1.fc", top}});
    (value.sum() + top.sum()).backward();
    optimizer.step(1);
    return 1 - value[0][0].item<double>();
  };
  EXPECT_NEAR(moved(0.5, "blocks.0.fc"), 0.25, 1e-6);
  EXPECT_NEAR(moved(1, "blocks.0.fc"), 1, 1e-6);
  EXPECT_NEAR(moved(0.5, "head.fc"), 1, 1e-6);
}

TEST(Gradients, AreClippedToTheNorm) {
  Net net;
  net.forward(10 * input_of(0)).backward();
  const auto parameters = trainable_of(net);
  const double norm = gradient_norm(parameters);
  ASSERT_GT(norm, 0);
  EXPECT_DOUBLE_EQ(clip_gradients(parameters, norm / 2), norm);
  EXPECT_NEAR(gradient_norm(parameters), norm / 2, norm * 1e-5);
  EXPECT_NEAR(clip_gradients(parameters, norm), norm / 2, norm * 1e-5);
  net.token.mutable_grad()[0][0][0] = std::nan("");
  EXPECT_FALSE(std::isfinite(gradient_norm(parameters)));
}

TEST(Schedule, FollowsItsFormula) {
  const RunLength length{.steps_per_epoch = 10, .total_steps = 100};
  ScheduleConfig cosine{.name = "cosine", .warmup_epochs = 2, .min_lr = 0.1};
  EXPECT_EQ(learning_rate(1, cosine, length, 0), 0);
  EXPECT_DOUBLE_EQ(learning_rate(1, cosine, length, 5), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(1, cosine, length, 20), 1);
  EXPECT_NEAR(learning_rate(1, cosine, length, 60), 0.55, 1e-12);
  EXPECT_NEAR(learning_rate(1, cosine, length, 100), 0.1, 1e-12);
  for (int step = 21; step < 100; ++step)
    EXPECT_LT(learning_rate(1, cosine, length, step), learning_rate(1, cosine, length, step - 1));
  ScheduleConfig poly{.name = "poly", .warmup_epochs = 0, .min_lr = 0.2, .power = 0.9};
  EXPECT_DOUBLE_EQ(learning_rate(1, poly, length, 0), 1);
  EXPECT_NEAR(learning_rate(1, poly, length, 50), 0.8 * std::pow(0.5, 0.9) + 0.2, 1e-12);
  poly.warmup_epochs = 1;
  EXPECT_NEAR(learning_rate(1, poly, length, 5), 0.5 * (0.8 * std::pow(0.95, 0.9) + 0.2), 1e-12);
  ScheduleConfig constant{.name = "constant", .warmup_epochs = 1};
  EXPECT_DOUBLE_EQ(learning_rate(3, constant, length, 5), 1.5);
  EXPECT_DOUBLE_EQ(learning_rate(3, constant, length, 77), 3);
  const ScheduleConfig steps{
      .name = "step", .warmup_epochs = 1, .factor = 0.5, .milestones = {2, 7.5}};
  const std::pair<int, double> wanted[] = {{5, 1}, {19, 2}, {20, 1}, {74, 1}, {75, 0.5}, {99, 0.5}};
  for (const auto& [step, rate] : wanted)
    EXPECT_DOUBLE_EQ(learning_rate(2, steps, length, step), rate) << step;
  EXPECT_THROW(learning_rate(1, {.name = "zigzag"}, length, 0), Error);
}

TEST(Schedule, SurvivesAWarmUpLongerThanTheRun) {
  const ScheduleConfig cosine{.name = "cosine", .warmup_epochs = 50};
  for (int step = 0; step < 20; ++step)
    EXPECT_TRUE(
        std::isfinite(learning_rate(1, cosine, {.steps_per_epoch = 10, .total_steps = 20}, step)));
}

}  // namespace
}  // namespace tilewright::learn
