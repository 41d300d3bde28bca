// SPDX-License-Identifier: Apache-2.0
// Facts of recipes that compare views: Dual-SimCLR, DINO, and what their parts are worth elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <set>

#include "geometry/error.h"
#include "learn/losses/contrastive.h"
#include "learn/models/autocast.h"
#include "learn/models/named_tensors.h"
#include "learn/recipes/momentum.h"
#include "learn/recipes/recipe.h"
#include "learn/train/optimizer.h"
#include "learn/train/start_sensors.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

using ::testing::HasSubstr;

InputInfo input(const std::string& series, int bands) {
  InputInfo info;
  info.series = series;
  info.size_px = 16;
  for (int b = 0; b < bands; ++b)
    info.bands.push_back({.name = series + "_b" + std::to_string(b + 1)});
  return info;
}

DatasetFile dataset(std::vector<InputInfo> inputs) {
  DatasetFile file;
  file.name = "pairs";
  file.inputs = std::move(inputs);
  file.target.kind = "class";
  for (int k = 0; k < 3; ++k)
    file.target.classes.push_back({.id = k, .name = "c" + std::to_string(k), .samples = 10});
  return file;
}

RunConfig run_of(const std::string& recipe, const std::string& model) {
  RunConfig run;
  run.recipe = recipe;
  run.batch = 6;
  run.model.name = model;
  run.model.detailed = true;
  run.model.patch_px = 4;
  run.model.dim = 32;
  run.model.depth = 3;
  run.model.heads = 2;
  run.model.head_hidden = 32;
  run.model.head_bottleneck = 16;
  run.model.head_out = 20;
  return run;
}

TensorMap weights_of(Recipe& recipe) {
  TensorMap weights;
  for (const auto& [name, tensor] : state_of(recipe.module())) weights[name] = tensor.clone();
  return weights;
}

TEST(DualSimclr, HasTheSizeOfThePaper) {
  auto run = run_of("dual_simclr", "resnet50");
  run.model.detailed = false;
  const auto recipe = make_recipe(run, dataset({input("s1", 2), input("s2", 13)}));
  std::int64_t radar = 0, optical = 0;
  for (const auto& [name, tensor] : trainable_of(recipe->module())) {
    const bool is_radar = lies_below(name, {"encoder_1", "projector_1"});
    (is_radar ? radar : optical) += tensor.numel();
  }
  EXPECT_EQ(radar, 27963520);
  EXPECT_EQ(optical, 27998016);
  EXPECT_EQ(parameter_count(recipe->module()), 55961536);
}

TEST(DualSimclr, DoesNotCareForTheOrderOfSensorsAndPairs) {
  torch::manual_seed(3);
  const auto image = torch::randn({6, 2, 16, 16});
  for (const std::string contrast : {"nt_xent", "mma", "nt_xent_mma"})
    for (const std::string model : {"resnet18", "vit"}) {
      auto run = run_of("dual_simclr", model);
      run.loss.contrast = contrast;
      const auto data = dataset({input("s1", 1), input("s2", 1)});
      const auto one = make_recipe(run, data), two = make_recipe(run, data);
      TensorMap swapped;
      for (const auto& [name, tensor] : weights_of(*one)) {
        auto other = name;
        const auto number = other.find('_') + 1;
        other[number] = other[number] == '1' ? '2' : '1';
        swapped[other] = tensor;
      }
      assign_state(two->module(), swapped, "test");
      one->module().eval();
      two->module().eval();
      const auto loss = one->loss({.image_nchw = image}, {}).item<double>();
      EXPECT_NEAR(two->loss({.image_nchw = image.flip(1)}, {}).item<double>(), loss, 1e-5 * loss)
          << contrast;
      const auto turned = image.roll(2, 0);
      EXPECT_NEAR(one->loss({.image_nchw = turned}, {}).item<double>(), loss, 1e-5 * loss);
      auto torn = image.clone();
      torn.select(1, 1).copy_(image.select(1, 1).roll(1, 0));  // other pairs
      EXPECT_GT(std::abs(one->loss({.image_nchw = torn}, {}).item<double>() - loss), 1e-6 * loss);
    }
}

TEST(DualSimclr, EachContrastBeginsWhereItShould) {
  torch::manual_seed(5);
  const auto image = torch::randn({6, 3, 16, 16});
  for (const std::string contrast : {"nt_xent", "mma", "nt_xent_mma"}) {
    auto run = run_of("dual_simclr", "resnet18");
    run.loss.contrast = contrast;
    const auto recipe = make_recipe(run, dataset({input("s1", 1), input("s2", 2)}));
    set_training(*recipe, run, true);
    const auto loss = recipe->loss({.image_nchw = image}, {}).item<double>();
    const auto maps = std::log(6.0), alike = std::log(11.0), apart = std::log(5 * std::exp(10) + 6);
    EXPECT_EQ(recipe->expected_initial_loss(6).has_value(), contrast == "mma");
    if (contrast == "mma") {
      EXPECT_NEAR(loss, maps, 0.1 * maps);
    } else {
      EXPECT_GT(loss, 0.9 * alike) << contrast;
      EXPECT_LT(loss, apart + (contrast == "nt_xent" ? 0 : 1.1 * maps)) << contrast;
    }
  }
}

TEST(DualSimclr, RefusesAnythingButTwoSensors) {
  const auto run = run_of("dual_simclr", "resnet18");
  for (auto inputs : {std::vector{input("s1", 2)},
                      std::vector{input("s1", 1), input("s2", 1), input("dem", 1)}}) {
    try {
      make_recipe(run, dataset(inputs));
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("'pairs' has " + std::to_string(inputs.size())));
    }
  }
}

/// Weights of a two-sensor run as a start: s1 with 2 bands, s2 with 3.
class FromTwoSensors : public ::testing::Test {
 protected:
  FromTwoSensors() {
    recipe_ =
        make_recipe(run_of("dual_simclr", "resnet18"), dataset({input("s1", 2), input("s2", 3)}));
    start_.what = "run pairs";
    start_.file.tensors = weights_of(*recipe_);
    start_.inputs = {input("s1", 2), input("s2", 3)};
  }
  std::string error_of(const std::optional<std::string>& sensor,
                       const std::vector<InputInfo>& own) {
    try {
      take_sensor(start_, sensor, own);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  std::unique_ptr<Recipe> recipe_;
  StartWeights start_;
};

TEST_F(FromTwoSensors, OneEncoderIsTakenBySourceByBandsOrByName) {
  const auto all = start_;
  const auto conv = [](const StartWeights& start) { return start.file.tensors.at("conv1.weight"); };
  take_sensor(start_, std::nullopt, {input("s2", 1)});
  EXPECT_TRUE(torch::equal(conv(start_), all.file.tensors.at("encoder_2.conv1.weight")));
  EXPECT_EQ(start_.what, "run pairs, sensor s2");
  start_ = all;
  auto renamed = input("s1", 2);
  renamed.series = "other";
  take_sensor(start_, std::nullopt, {renamed});
  EXPECT_TRUE(torch::equal(conv(start_), all.file.tensors.at("encoder_1.conv1.weight")));
  EXPECT_EQ(start_.inputs.size(), 1U);
  start_ = all;
  take_sensor(start_, "s2", {renamed});
  EXPECT_TRUE(torch::equal(conv(start_), all.file.tensors.at("encoder_2.conv1.weight")));
  start_ = all;
  EXPECT_THAT(error_of(std::nullopt, {input("dem", 1)}), HasSubstr("each of s1, s2"));
  EXPECT_THAT(error_of("s3", {renamed}), HasSubstr("none is called 's3'"));
}

TEST_F(FromTwoSensors, SegmentationStartsFromOne) {
  auto run = run_of("segment", "unet_resnet18");
  auto data = dataset({input("s2", 3)});
  data.target.kind = "mask";
  const auto recipe = make_recipe(run, data);
  take_sensor(start_, std::nullopt, data.inputs);
  load_start(*recipe, start_, data.inputs, {});
  const auto weights = weights_of(*recipe), first = weights_of(*recipe_);
  int compared = 0;
  for (const auto& [name, tensor] : weights) {
    if (!lies_below(name, recipe->encoder_prefixes())) continue;
    EXPECT_TRUE(torch::equal(tensor, first.at("encoder_2." + name))) << name;
    ++compared;
  }
  EXPECT_GT(compared, 50);
}

TEST_F(FromTwoSensors, LateFusionAndTurnedSensorsFindTheirOwn) {
  const auto first = weights_of(*recipe_);
  auto late = run_of("classify", "resnet18");
  late.model.fusion = "late";
  for (const auto& run : {run_of("dual_simclr", "resnet18"), late}) {
    auto other = run;
    other.seed = 9;
    const auto data = dataset({input("s2", 3), input("s1", 2)});
    const auto recipe = make_recipe(other, data);
    load_start(*recipe, start_, data.inputs, {});
    const auto weights = weights_of(*recipe);
    for (const std::string name : {"conv1.weight", "layer4.1.conv2.weight", "bn1.running_mean"}) {
      EXPECT_TRUE(torch::equal(weights.at("encoder_1." + name), first.at("encoder_2." + name)));
      EXPECT_TRUE(torch::equal(weights.at("encoder_2." + name), first.at("encoder_1." + name)));
    }
    if (run.recipe == "dual_simclr") {
      EXPECT_TRUE(torch::equal(weights.at("projector_1.2.bias"), first.at("projector_2.2.bias")));
    }
  }
}

TEST(DualSimclr, StartsTheSensorsThatFlatWeightsKnow) {
  const auto flat = make_recipe(run_of("simclr", "resnet18"), dataset({input("s2", 3)}));
  StartWeights start{
      .what = "run flat", .sha256 = "", .file = {}, .record = {}, .inputs = {input("s2", 3)}};
  start.file.tensors = weights_of(*flat);
  const auto data = dataset({input("s1", 2), input("s2", 3)});
  const auto recipe = make_recipe(run_of("dual_simclr", "resnet18"), data);
  const auto before = weights_of(*recipe);
  load_start(*recipe, start, data.inputs, {});
  const auto after = weights_of(*recipe);
  EXPECT_TRUE(
      torch::equal(after.at("encoder_2.conv1.weight"), start.file.tensors.at("conv1.weight")));
  EXPECT_TRUE(
      torch::equal(after.at("encoder_1.conv1.weight"), before.at("encoder_1.conv1.weight")));
  const auto strangers = dataset({input("dem", 1), input("slope", 1)});
  const auto none = make_recipe(run_of("dual_simclr", "resnet18"), strangers);
  EXPECT_THROW(load_start(*none, start, strangers.inputs, {}), Error);
}

TEST(LateFusion, JoinsTheFeaturesOfBothSensors) {
  auto run = run_of("classify", "vit");
  run.model.fusion = "late";
  const auto data = dataset({input("s1", 1), input("s2", 2)});
  const auto recipe = make_recipe(run, data);
  recipe->module().eval();
  torch::manual_seed(1);
  auto image = torch::randn({4, 3, 16, 16});
  const auto code = pooled(recipe->encode(image, std::nullopt));
  EXPECT_EQ(code.sizes(), (std::vector<std::int64_t>{4, 64}));
  EXPECT_EQ(recipe->logits(image).sizes(), (std::vector<std::int64_t>{4, 3}));
  image.slice(1, 1) += 1;  // the second sensor
  const auto other = pooled(recipe->encode(image, std::nullopt));
  EXPECT_TRUE(torch::equal(other.slice(1, 0, 32), code.slice(1, 0, 32)));
  EXPECT_FALSE(torch::allclose(other.slice(1, 32), code.slice(1, 32)));
  EXPECT_THROW(make_recipe(run, dataset({input("s1", 1)})), Error);
}

class DinoFacts : public ::testing::Test {
 protected:
  DinoFacts() {
    run_.loss.momentum = 0.9;
    recipe_ = make_recipe(run_, data_);
    set_training(*recipe_, run_, true);
    torch::manual_seed(8);
    batch_.image_nchw = torch::randn({5, 2, 16, 16});
    batch_.image2_nchw = torch::randn({5, 2, 16, 16});
    batch_.small_rchw = torch::randn({15, 2, 8, 8});
  }
  torch::Tensor state(const std::string& name) { return weights_of(*recipe_).at(name); }
  /// What the teacher's head says, from its weights alone.
  static torch::Tensor said_by(Recipe& recipe, const torch::Tensor& image_nchw) {
    const torch::NoGradGuard no_grad;
    recipe.module().eval();
    auto weights = weights_of(recipe);
    auto x = pooled(recipe.encode(image_nchw, std::nullopt));
    for (const int layer : {0, 2, 4}) {
      const auto name = "dino_head.mlp." + std::to_string(layer);
      x = torch::linear(x, weights[name + ".weight"], weights[name + ".bias"]);
      if (layer < 4) x = torch::gelu(x);
    }
    const auto v = weights["dino_head.last_layer.weight_v"];
    return (x / x.norm(2, 1, true)).matmul((v / v.norm(2, 1, true)).t());
  }

  RunConfig run_ = run_of("dino", "vit");
  DatasetFile data_ = dataset({input("s2", 2)});
  std::unique_ptr<Recipe> recipe_;
  Batch batch_;
};

TEST_F(DinoFacts, StudentBeginsAsTheTeacherWhichHasNoGradient) {
  int compared = 0;
  for (const auto& [name, tensor] : weights_of(*recipe_)) {
    if (!name.starts_with("student.")) continue;
    EXPECT_TRUE(torch::equal(tensor, state(name.substr(8)))) << name;
    ++compared;
  }
  EXPECT_GT(compared, 30);
  recipe_->loss(batch_, {.epoch = 1}).backward();
  for (const auto& item : recipe_->module().named_parameters()) {
    const bool learns = item.key().starts_with("student.") && item.key() != "student.pos_embed";
    EXPECT_EQ(item.value().grad().defined(), learns) << item.key();
  }
}

TEST_F(DinoFacts, TheHeadsLastLayerWaitsForTheFirstEpochs) {
  recipe_->loss(batch_, {.epoch = 0}).backward();
  for (const auto& [name, parameter] : trainable_of(recipe_->module())) {
    if (!name.starts_with("student.dino_head.")) continue;
    EXPECT_EQ(parameter.grad().defined(), !name.ends_with("weight_v")) << name;
  }
}

TEST_F(DinoFacts, TeacherAndCentreFollowAfterTheStep) {
  const auto old_teacher = state("blocks.0.attn.qkv.weight");
  Optimizer optimizer({.name = "sgd", .weight_decay = 0}, trainable_of(recipe_->module()));
  recipe_->loss(batch_, {}).backward();
  EXPECT_EQ(state("centre").abs().sum().item<float>(), 0) << "before the step";
  optimizer.step(0.5);
  recipe_->follow({.progress = 0});
  const auto student = state("student.blocks.0.attn.qkv.weight");
  EXPECT_FALSE(torch::equal(student, old_teacher));
  EXPECT_TRUE(torch::allclose(state("blocks.0.attn.qkv.weight"), 0.9 * old_teacher + 0.1 * student,
                              0, 1e-7));
  const auto half = state("blocks.0.attn.qkv.weight");
  recipe_->follow({.progress = 0.5});  // momentum half way between 0.9 and 1
  EXPECT_TRUE(
      torch::allclose(state("blocks.0.attn.qkv.weight"), 0.95 * half + 0.05 * student, 0, 1e-7));

  const auto said =
      said_by(*make_recipe(run_, data_), torch::cat({batch_.image_nchw, batch_.image2_nchw}));
  EXPECT_TRUE(torch::allclose(state("centre"), 0.1 * said.mean(0), 1e-4, 1e-6));
}

TEST_F(DinoFacts, LossOfAStudentThatIsItsTeacherIsTheTeachersEntropy) {
  run_.loss.teacher_temperature = run_.loss.temperature;
  recipe_ = make_recipe(run_, data_);
  batch_.image2_nchw = batch_.image_nchw;
  batch_.small_rchw.reset();
  const auto log_p =
      torch::log_softmax(said_by(*recipe_, batch_.image_nchw) / run_.loss.temperature, 1);
  const auto entropy = -(log_p.exp() * log_p).sum(1).mean().item<double>();
  EXPECT_LT(entropy, std::log(20.0));
  EXPECT_NEAR(recipe_->loss(batch_, {.epoch = 1}).item<double>(), entropy, 1e-5);
}

TEST_F(DinoFacts, TheTeachersTemperatureRisesOverItsWarmUp) {
  run_.loss.teacher_temperature = 0.4;
  const auto without = make_recipe(run_, data_)->loss(batch_, {.epoch = 0}).item<double>();
  run_.loss.teacher_warmup_epochs = 4;
  const auto recipe = make_recipe(run_, data_);
  const auto first = recipe->loss(batch_, {.epoch = 0}).item<double>();
  EXPECT_NE(first, without);
  EXPECT_EQ(recipe->loss(batch_, {.epoch = 4}).item<double>(), without);
  EXPECT_EQ(recipe->loss(batch_, {.epoch = 9}).item<double>(), without);
  run_.loss.teacher_temperature = 0.04, run_.loss.teacher_warmup_epochs = 0;
  EXPECT_EQ(make_recipe(run_, data_)->loss(batch_, {.epoch = 0}).item<double>(), first);
}

TEST_F(DinoFacts, BothTakeTheWeightsOfAStart) {
  auto other = run_of("simclr", "vit");
  other.seed = 12;
  const auto first = make_recipe(other, data_);
  StartWeights start{
      .what = "run first", .sha256 = "", .file = {}, .record = {}, .inputs = data_.inputs};
  start.file.tensors = weights_of(*first);
  for (const std::string recipe : {"dino", "moco"}) {
    auto run = run_;
    run.recipe = recipe;
    run.loss.queue = 0;
    const auto next = make_recipe(run, data_);
    load_start(*next, start, data_.inputs, {});
    const auto weights = weights_of(*next);
    const auto& wanted = start.file.tensors.at("blocks.1.mlp.fc1.weight");
    EXPECT_TRUE(torch::equal(weights.at("blocks.1.mlp.fc1.weight"), wanted)) << recipe;
    const auto copy =
        (recipe == "dino" ? "student." : "key_encoder.") + std::string("blocks.1.mlp.fc1.weight");
    EXPECT_TRUE(torch::equal(weights.at(copy), wanted)) << recipe;
  }
}

TEST(Dino, RefusesCropsThatCannotBe) {
  auto run = run_of("dino", "vit");
  const auto data = dataset({input("s2", 2)});
  run.crops.small_px = 6;
  EXPECT_THROW(make_recipe(run, data), Error);
  run.crops = {.least_area = 0.6, .large_area = 0.4};
  EXPECT_THROW(make_recipe(run, data), Error);
  run.crops = {};
  run.accumulate = 2;
  EXPECT_THROW(make_recipe(run, data), Error);
}

TEST(Momentum, GoesByHalfACosine) {
  EXPECT_EQ(cosine_between(0.7, 0.7, 0.3), 0.7);
  EXPECT_NEAR(cosine_between(0.996, 1, 0), 0.996, 1e-12);
  EXPECT_NEAR(cosine_between(0.996, 1, 0.5), 0.998, 1e-12);
  EXPECT_NEAR(cosine_between(0.996, 1, 1), 1, 1e-12);
}

/// Names of all nodes of the graph behind a tensor.
std::set<std::string> graph_of(const torch::Tensor& loss) {
  std::set<std::string> names;
  std::set<torch::autograd::Node*> seen;
  std::vector<torch::autograd::Node*> open{loss.grad_fn().get()};
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    if (!node || !seen.insert(node).second) continue;
    names.insert(node->name());
    for (const auto& edge : node->next_edges()) open.push_back(edge.function.get());
  }
  return names;
}

/// Loss and gradients of a run, in its precision.
std::pair<torch::Tensor, TensorMap> gradients_of(const RunConfig& run, const DatasetFile& data,
                                                 const Batch& batch) {
  const auto recipe = make_recipe(run, data);
  set_training(*recipe, run, true);
  torch::Tensor loss;
  {
    const Autocast precision(run.precision == "bfloat16", torch::kCPU);
    loss = recipe->loss(batch, {.epoch = 1});
  }
  loss.backward({}, /*retain_graph=*/true);
  TensorMap gradients;
  for (const auto& [name, parameter] : trainable_of(recipe->module()))
    gradients[name] = parameter.grad().clone();
  return {loss, gradients};
}

TEST(Recompute, HasTheSameGradientsBitByBit) {
  const auto data = dataset({input("s2", 2)});
  torch::manual_seed(2);
  Batch batch;
  batch.image_nchw = torch::randn({4, 2, 16, 16});
  batch.image2_nchw = torch::randn({4, 2, 16, 16});
  batch.small_rchw = torch::randn({8, 2, 8, 8});
  batch.label_n = torch::arange(4) % 3;
  for (const std::string recipe : {"mae", "simclr", "dino", "classify"})
    for (const std::string precision : {"float32", "bfloat16"}) {
      auto run = run_of(recipe, "vit");
      run.precision = precision;
      run.model.decoder_dim = 16, run.model.decoder_heads = 2;
      const auto [plain, kept] = gradients_of(run, data, batch);
      run.model.recompute = true;
      const auto [loss, again] = gradients_of(run, data, batch);
      EXPECT_FALSE(
          ::testing::Matches(::testing::Contains(HasSubstr("BlockAgain")))(graph_of(plain)));
      EXPECT_THAT(graph_of(loss), ::testing::Contains(HasSubstr("BlockAgain"))) << recipe;
      EXPECT_EQ(loss.item<float>(), plain.item<float>()) << recipe << " " << precision;
      for (const auto& [name, gradient] : kept)
        EXPECT_TRUE(torch::equal(gradient, again.at(name)))
            << recipe << " " << precision << " " << name;
    }
}

TEST(Precision, BfloatIsNearAndEndsWithItsScope) {
  const auto data = dataset({input("s1", 1), input("s2", 1)});
  torch::manual_seed(2);
  Batch batch;
  batch.image_nchw = torch::randn({6, 2, 16, 16});
  batch.image2_nchw = torch::randn({6, 2, 16, 16});
  batch.label_n = torch::arange(6) % 3;
  for (const std::string recipe : {"classify", "simclr", "dual_simclr", "moco", "dino"})
    for (const std::string model : {"vit", "resnet18"}) {
      auto run = run_of(recipe, model);
      run.loss.queue = 12;
      run.loss.contrast = "nt_xent_mma";
      const auto wide = gradients_of(run, data, batch).first;
      run.precision = "bfloat16";
      const auto narrow = gradients_of(run, data, batch).first;
      EXPECT_FALSE(Autocast::is_on(torch::kCPU));
      EXPECT_EQ(narrow.scalar_type(), torch::kFloat32) << recipe;
      EXPECT_NEAR(narrow.item<double>(), wide.item<double>(), 0.05 * wide.item<double>())
          << recipe << " " << model;
      EXPECT_NE(narrow.item<double>(), wide.item<double>()) << recipe << " " << model;
    }
}

}  // namespace
}  // namespace tilewright::learn
