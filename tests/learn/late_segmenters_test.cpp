// SPDX-License-Identifier: Apache-2.0
// Masks from two sensors with an encoder each; spectral networks for masks; what adapters learn;
// learned positions.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <set>

#include "geometry/error.h"
#include "learn/models/named_tensors.h"
#include "learn/recipes/recipe.h"
#include "learn/train/optimizer.h"
#include "learn/train/start_weights.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

InputInfo input(const std::string& series, int bands) {
  InputInfo info;
  info.series = series;
  info.size_px = 16;
  for (int b = 0; b < bands; ++b) info.bands.push_back({.name = series + "_" + std::to_string(b)});
  info.statistics.resize(static_cast<std::size_t>(bands));
  return info;
}

DatasetFile dataset(std::vector<InputInfo> inputs) {
  DatasetFile file;
  file.name = "tiny";
  file.inputs = std::move(inputs);
  file.target.kind = "mask";
  for (int k = 0; k < 3; ++k)
    file.target.classes.push_back({.id = k, .name = "c" + std::to_string(k), .pixels = 100});
  return file;
}

RunConfig run_of(const std::string& recipe, const std::string& model) {
  RunConfig run;
  run.recipe = recipe;
  run.seed = 3;
  run.model = {.name = model, .width = 4, .patch_px = 4, .dim = 24, .depth = 2, .heads = 2};
  run.model.head_hidden = 16, run.model.head_bottleneck = 8, run.model.head_out = 12;
  return run;
}

TensorMap weights_of(Recipe& recipe) {
  TensorMap out;
  for (const auto& [name, tensor] : state_of(recipe.module())) out[name] = tensor.clone();
  return out;
}

/// Classes by the sum of the first channels of both sensors: neither alone tells.
Batch batch_of(int channels) {
  torch::manual_seed(4);
  Batch batch;
  batch.image_nchw = torch::randn({8, channels, 16, 16});
  const auto sum = batch.image_nchw.select(1, 0) + batch.image_nchw.select(1, 1);
  batch.mask_nhw = ((sum > 0).to(torch::kInt64) + (sum > 1).to(torch::kInt64));
  batch.mask_nhw[0][0].fill_(255);
  return batch;
}

/// What `dual_simclr` trains for a model.
std::string encoder_of(const std::string& model) {
  if (model == "unet") return model;
  return model.starts_with("unet_") ? model.substr(5) : "vit";
}

/// Names of the tensors that lie below `prefixes`, or that do not.
std::set<std::string> names_of(Recipe& recipe, const std::vector<std::string>& prefixes,
                               bool is_below) {
  std::set<std::string> names;
  for (const auto& [name, tensor] : state_of(recipe.module()))
    if (lies_below(name, prefixes) == is_below) names.insert(name);
  return names;
}

class LateSegment : public ::testing::TestWithParam<std::string> {
 protected:
  LateSegment() {
    run_.model.fusion = "late";
    run_.model.detailed = true;  // 16 pixels are enough for a ResNet
  }
  RunConfig run_ = run_of("segment", GetParam());
  DatasetFile data_ = dataset({input("s1", 1), input("s2", 2)});
};

TEST_P(LateSegment, HasAnEncoderASensorAndTheSizeOfTheImage) {
  const auto recipe = make_recipe(run_, data_);
  recipe->module().eval();
  auto image = batch_of(3).image_nchw;
  EXPECT_EQ(recipe->logits(image).sizes(), (std::vector<std::int64_t>{8, 3, 16, 16}));
  EXPECT_EQ(recipe->encoder_prefixes(), (std::vector<std::string>{"encoder_1", "encoder_2"}));
  const auto before = recipe->logits(image);
  image.slice(1, 1) += 1;  // the second sensor
  EXPECT_FALSE(torch::allclose(recipe->logits(image), before));
  EXPECT_NEAR(recipe->loss(batch_of(3), {}).item<double>(), std::log(3), 0.05);
  set_training(*recipe, run_, true);
  const double heads = GetParam() == "upernet" ? 1.4 : 1;
  EXPECT_NEAR(recipe->loss(batch_of(3), {}).item<double>(), heads * std::log(3), 0.1);
  EXPECT_NEAR(*recipe->expected_initial_loss(3), heads * std::log(3), 1e-9);
}

TEST_P(LateSegment, HasTheNamesOfItsModelAndOfItsEncoders) {
  const auto late = make_recipe(run_, data_);
  run_.model.fusion = "early";
  const auto early = make_recipe(run_, data_);
  EXPECT_EQ(names_of(*late, {"encoder_1", "encoder_2", "join"}, false),
            names_of(*early, early->encoder_prefixes(), false));
  std::set<std::string> encoders;
  for (const auto& name : names_of(*early, early->encoder_prefixes(), true)) {
    encoders.insert("encoder_1." + name);
    encoders.insert("encoder_2." + name);
  }
  EXPECT_EQ(names_of(*late, {"encoder_1", "encoder_2"}, true), encoders);
}

TEST_P(LateSegment, GivesFeaturesAndOtherSizes) {
  const auto recipe = make_recipe(run_, data_);
  recipe->module().eval();
  const auto image = batch_of(3).image_nchw;
  for (const std::optional<int> tap : {std::optional<int>(), std::optional<int>(1)})
    EXPECT_EQ(recipe->encode(image, tap).map_ndhw.size(0), 8);
  EXPECT_THROW(recipe->encode(image, 5), Error);
  if (!GetParam().starts_with("unet")) return;
  EXPECT_EQ(recipe->logits(torch::randn({2, 3, 20, 24})).sizes(),
            (std::vector<std::int64_t>{2, 3, 20, 24}));
}

class SmallLateSegment : public LateSegment {};

TEST_P(SmallLateSegment, OverfitsEightSamplesWithFiniteGradients) {
  const auto recipe = make_recipe(run_, data_);
  const auto batch = batch_of(3);
  set_training(*recipe, run_, true);
  Optimizer optimizer({.weight_decay = 0}, trainable_of(recipe->module()));
  const auto first = recipe->loss(batch, {}).item<double>();
  const double enough = (GetParam() == "upconv" ? 0.85 : 0.4) * first;
  double last = first;
  for (int step = 0; step < 300 && last > enough; ++step) {
    optimizer.zero_grad();
    const auto loss = recipe->loss(batch, {});
    loss.backward();
    for (const auto& [name, parameter] : trainable_of(recipe->module()))
      ASSERT_TRUE(parameter.grad().defined() && parameter.grad().isfinite().all().item<bool>())
          << name;
    optimizer.step(5e-3 * std::min(1.0, step / 10.0));
    last = loss.item<double>();
  }
  EXPECT_LE(last, enough);
}

TEST_P(LateSegment, FrozenKeepsBothEncoders) {
  run_.protocol = "frozen";
  const auto recipe = make_recipe(run_, data_);
  set_training(*recipe, run_, true);
  const auto before = weights_of(*recipe);
  Optimizer optimizer({}, trainable_of(recipe->module()));
  recipe->loss(batch_of(3), {}).backward();
  optimizer.step(1e-2);
  for (const auto& [name, tensor] : weights_of(*recipe))
    EXPECT_EQ(torch::equal(tensor, before.at(name)), lies_below(name, recipe->encoder_prefixes()))
        << name;
}

TEST_P(LateSegment, StartsEachSensorFromItsOwn) {
  auto pretraining = run_of("dual_simclr", encoder_of(GetParam()));
  pretraining.model.detailed = true;
  const auto pretrained = make_recipe(pretraining, data_);
  StartWeights start{
      .what = "run dual", .sha256 = "", .file = {}, .record = {}, .inputs = data_.inputs};
  start.file.tensors = weights_of(*pretrained);
  const auto recipe = make_recipe(run_, data_);
  load_start(*recipe, start, data_.inputs, {});
  int taken = 0;
  for (const auto& [name, tensor] : weights_of(*recipe)) {
    if (!lies_below(name, recipe->encoder_prefixes())) continue;
    EXPECT_TRUE(torch::equal(tensor, start.file.tensors.at(name))) << name;
    ++taken;
  }
  EXPECT_GT(taken, 20);
}

INSTANTIATE_TEST_SUITE_P(Models, LateSegment,
                         ::testing::Values("unet", "unet_resnet18", "unet_resnet50", "upernet",
                                           "upconv"));
INSTANTIATE_TEST_SUITE_P(Models, SmallLateSegment,
                         ::testing::Values("unet", "unet_resnet18", "upernet", "upconv"));

TEST(LateSegmenters, RefuseOneInputAndModelsWithoutADecoder) {
  auto run = run_of("segment", "unet");
  run.model.fusion = "late";
  EXPECT_THROW(make_recipe(run, dataset({input("s1", 2)})), Error);
  run.model.name = "spectral_upconv";
  EXPECT_THROW(make_recipe(run, dataset({input("s1", 1), input("s2", 1)})), Error);
}

TEST(SpectralUpConv, HasTheNamesOfItsEncoderAndTakesItsWeights) {
  const auto data = dataset({input("enmap", 75)});
  auto unlabelled = data;
  const auto pretrained = make_recipe(run_of("simclr", "spectral_vit"), unlabelled);
  const auto recipe = make_recipe(run_of("segment", "spectral_upconv"), data);
  StartWeights start{
      .what = "run simclr", .sha256 = "", .file = {}, .record = {}, .inputs = data.inputs};
  start.file.tensors = weights_of(*pretrained);
  load_start(*recipe, start, data.inputs, {});
  const auto weights = weights_of(*recipe);
  for (const auto& name : {"spectral_adapter.0.weight", "spectral_adapter.7.running_mean",
                           "pos_embed", "blocks.1.attn.qkv.weight"})
    EXPECT_TRUE(torch::equal(weights.at(name), start.file.tensors.at(name))) << name;
  recipe->module().eval();
  EXPECT_EQ(recipe->logits(torch::randn({2, 75, 16, 16})).sizes(),
            (std::vector<std::int64_t>{2, 3, 16, 16}));
}

TEST(SpectralMae, HandsAdapterAndTransformerOnAndHidesPixels) {
  const auto data = dataset({input("enmap", 75)});
  auto run = run_of("mae", "spectral_vit");
  run.model.decoder_dim = 16, run.model.decoder_depth = 1, run.model.decoder_heads = 2;
  const auto pretrained = make_recipe(run, data);
  set_training(*pretrained, run, true);
  torch::manual_seed(6);
  Batch batch;
  batch.image_nchw = torch::randn({2, 75, 16, 16});
  const auto loss = pretrained->loss(batch, {});
  loss.backward();
  EXPECT_TRUE(loss.isfinite().item<bool>());
  const auto adapter = pretrained->module().named_parameters()["spectral_adapter.0.weight"];
  EXPECT_GT(adapter.grad().abs().sum().item<double>(), 0);
  pretrained->module().eval();
  const auto drawn = pretrained->reconstruct(batch, {});
  ASSERT_TRUE(drawn);
  EXPECT_EQ(drawn->image_nchw.sizes(), batch.image_nchw.sizes());
  StartWeights start{
      .what = "run mae", .sha256 = "", .file = {}, .record = {}, .inputs = data.inputs};
  start.file.tensors = weights_of(*pretrained);
  const auto recipe = make_recipe(run_of("segment", "spectral_upconv"), data);
  load_start(*recipe, start, data.inputs, {});
  const auto weights = weights_of(*recipe);
  for (const auto& name : {"spectral_adapter.0.weight", "pos_embed", "blocks.1.attn.qkv.weight"})
    EXPECT_TRUE(torch::equal(weights.at(name), start.file.tensors.at(name))) << name;
}

TEST(Adapter, LearnsWithTheHeadAndNothingElse) {
  for (const std::string recipe_name : {"segment", "classify"}) {
    auto run = run_of(recipe_name, recipe_name == "segment" ? "spectral_upconv" : "spectral_vit");
    run.protocol = "adapter";
    auto data = dataset({input("enmap", 75)});
    if (recipe_name == "classify") data.target.kind = "class";
    const auto recipe = make_recipe(run, data);
    std::int64_t adapter = 0;
    for (const auto& [name, parameter] : trainable_of(recipe->module())) {
      const bool is_head = name.starts_with("decode_head.") || name.starts_with("head.");
      const bool is_adapter = name.starts_with("spectral_adapter.");
      EXPECT_TRUE(is_head || is_adapter) << name;
      adapter += is_adapter ? parameter.numel() : 0;
    }
    EXPECT_EQ(adapter, 56192) << "the published size";
    set_training(*recipe, run, true);
    const auto before = weights_of(*recipe);
    auto batch = batch_of(75);
    batch.label_n = torch::arange(8) % 3;
    Optimizer optimizer({}, trainable_of(recipe->module()));
    recipe->loss(batch, {}).backward();
    optimizer.step(1e-2);
    const auto after = weights_of(*recipe);
    EXPECT_FALSE(torch::equal(after.at("spectral_adapter.0.weight"),
                              before.at("spectral_adapter.0.weight")));
    EXPECT_FALSE(torch::equal(after.at("spectral_adapter.1.running_mean"),
                              before.at("spectral_adapter.1.running_mean")));
    for (const auto& name :
         {"blocks.0.attn.qkv.weight", "patch_embed.proj.weight", "pos_embed", "norm.weight"})
      EXPECT_TRUE(torch::equal(after.at(name), before.at(name))) << name;
  }
  auto run = run_of("segment", "unet");
  run.protocol = "adapter";
  EXPECT_THROW(make_recipe(run, dataset({input("s2", 3)})), Error);
}

TEST(Adapter, OfAFrozenEncoderKeepsItsStatistics) {
  auto run = run_of("segment", "spectral_upconv");
  run.protocol = "frozen";
  const auto recipe = make_recipe(run, dataset({input("enmap", 75)}));
  set_training(*recipe, run, true);
  const auto before = weights_of(*recipe);
  recipe->loss(batch_of(75), {}).backward();
  EXPECT_TRUE(torch::equal(weights_of(*recipe).at("spectral_adapter.1.running_mean"),
                           before.at("spectral_adapter.1.running_mean")));
}

TEST(Positions, AreLearnedWhereTheModelSaysSo) {
  for (const std::string recipe_name : {"dino", "moco", "simclr"}) {
    auto run = run_of(recipe_name, "vit");
    run.loss.queue = 0;
    const auto data = dataset({input("s2", 3)});
    const auto fixed = make_recipe(run, data);
    run.model.positions = "learned";
    const auto recipe = make_recipe(run, data);
    set_training(*recipe, run, true);
    const auto name = std::string(recipe_name == "dino" ? "student." : "") + "pos_embed";
    bool is_trained = false;
    for (const auto& [key, parameter] : trainable_of(recipe->module())) is_trained |= key == name;
    EXPECT_TRUE(is_trained) << recipe_name;
    for (const auto& [key, parameter] : trainable_of(fixed->module())) EXPECT_NE(key, name);
    Batch batch = batch_of(3);
    batch.image2_nchw = batch.image_nchw + 0.1 * torch::randn_like(batch.image_nchw);
    batch.small_rchw = torch::randn({16, 3, 8, 8});
    const auto before = weights_of(*recipe);
    EXPECT_NEAR(before.at(name).std().item<double>(), 0.02, 0.003);
    Optimizer optimizer({}, trainable_of(recipe->module()));
    recipe->loss(batch, {.epoch = 1}).backward();
    optimizer.step(1e-3);
    recipe->follow({});
    const auto after = weights_of(*recipe);
    EXPECT_FALSE(torch::equal(after.at(name), before.at(name)));
    if (recipe_name == "dino") {
      EXPECT_TRUE(torch::equal(before.at("pos_embed"), before.at(name)))
          << "the teacher begins as its student";
      EXPECT_FALSE(torch::equal(after.at("pos_embed"), before.at("pos_embed"))) << "and follows";
    }
  }
}

}  // namespace
}  // namespace tilewright::learn
