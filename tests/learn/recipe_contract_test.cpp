// SPDX-License-Identifier: Apache-2.0
// What every pair of a recipe and a model in the tables must do.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "geometry/error.h"
#include "learn/models/load_matching.h"
#include "learn/models/model.h"
#include "learn/models/named_tensors.h"
#include "learn/recipes/recipe.h"
#include "learn/train/optimizer.h"
#include "learn/train/safetensors.h"
#include "tests/learn/one_thread.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;

constexpr int kSide = 16, kBands = 2, kClasses = 3, kSamples = 8;

DatasetFile dataset() {
  DatasetFile file;
  file.name = "tiny";
  file.inputs.emplace_back();
  file.inputs[0].size_px = kSide;
  file.inputs[0].bands = {{.name = "red"}, {.name = "nir"}};
  file.target.kind = "mask";
  for (int k = 0; k < kClasses; ++k)
    file.target.classes.push_back({.id = k, .name = "c" + std::to_string(k), .pixels = 100});
  return file;
}

struct Pair {
  std::string recipe, model;
};

RunConfig config_of(const Pair& pair) {
  RunConfig run;
  run.recipe = pair.recipe;
  run.batch = kSamples;
  run.seed = 3;
  run.model.name = pair.model;
  run.model.width = 8;
  run.model.patch_px = 4;
  run.model.dim = 32;
  run.model.depth = 2;
  run.model.heads = 2;
  run.model.decoder_dim = 32;
  run.model.decoder_depth = 1;
  run.model.decoder_heads = 2;
  return run;
}

Batch batch_of(std::uint64_t seed) {
  torch::manual_seed(seed);
  Batch batch;
  batch.image_nchw = torch::randn({kSamples, kBands, kSide, kSide});
  batch.valid_nhw = torch::ones({kSamples, kSide, kSide}, torch::kBool);
  batch.mask_nhw = torch::where(batch.image_nchw.select(1, 0) > 0.5, 1, 0) +
                   torch::where(batch.image_nchw.select(1, 1) > 1, 1, 0);
  batch.mask_nhw = batch.mask_nhw.to(torch::kInt64);
  batch.mask_nhw[0][0].fill_(255);
  batch.image2_nchw = batch.image_nchw + 0.05 * torch::randn_like(batch.image_nchw);
  return batch;
}

bool can(const Pair& pair) {
  const auto& row = model_row(pair.model);
  if (pair.recipe == "segment") return row.make_segmenter != nullptr;
  if (pair.recipe == "mae") return row.is_vit;
  return row.make_encoder != nullptr;
}

/// Every pair of the tables; sizes above vit_tiny differ in numbers only.
std::vector<Pair> pairs() {
  std::vector<Pair> all;
  for (const auto& recipe : recipes())
    for (const auto& model : models()) {
      const Pair pair{std::string(recipe.name), std::string(model.name)};
      const bool is_large = pair.model == "vit_small" || pair.model == "vit_base" ||
                            pair.model == "vit_large" || pair.model == "vit_huge";
      if (!is_large && can(pair)) all.push_back(pair);
    }
  return all;
}

class RecipeContract : public ::testing::TestWithParam<Pair> {
 protected:
  std::unique_ptr<Recipe> make() { return make_recipe(config_of(GetParam()), dataset()); }
};

TEST_P(RecipeContract, KeepsShapesAndHasFiniteGradients) {
  const auto recipe = make();
  const auto batch = batch_of(1);
  const auto loss = recipe->loss(batch, {});
  EXPECT_EQ(loss.dim(), 0);
  EXPECT_EQ(loss.scalar_type(), torch::kFloat32);
  loss.backward();
  for (const auto& [name, parameter] : trainable_of(recipe->module())) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>()) << name;
  }
  if (GetParam().recipe == "segment") {
    EXPECT_EQ(recipe->logits(batch.image_nchw).sizes(),
              (std::vector<std::int64_t>{kSamples, kClasses, kSide, kSide}));
  } else {
    EXPECT_THROW(recipe->logits(batch.image_nchw), Error);
  }
}

TEST_P(RecipeContract, GivesTheSameLossForTheSameSeed) {
  const auto batch = batch_of(1);
  const auto first = make()->loss(batch, {.seed = 3, .epoch = 0, .step = 0}).item<float>();
  torch::manual_seed(77);
  torch::rand({5});
  EXPECT_EQ(make()->loss(batch, {.seed = 3, .epoch = 0, .step = 0}).item<float>(), first);
  auto other = config_of(GetParam());
  other.seed = 4;
  EXPECT_NE(
      make_recipe(other, dataset())->loss(batch, {.seed = 3, .epoch = 0, .step = 0}).item<float>(),
      first);
}

TEST_P(RecipeContract, GivesTheSameLossAfterSavingAndLoading) {
  const ScratchFolder scratch;
  const auto batch = batch_of(1);
  const auto one = make();
  auto other = config_of(GetParam());
  other.seed = 12;
  const auto two = make_recipe(other, dataset());
  write_safetensors(scratch.path() / "w.safetensors", state_of(one->module()), {});
  assign_state(two->module(), read_safetensors(scratch.path() / "w.safetensors").tensors, "test");
  one->module().eval();
  two->module().eval();
  EXPECT_EQ(one->loss(batch, {}).item<float>(), two->loss(batch, {}).item<float>());
}

TEST_P(RecipeContract, StartsNearTheExpectedLoss) {
  const auto recipe = make();
  set_training(*recipe, config_of(GetParam()), true);
  const auto expected = recipe->expected_initial_loss(kSamples);
  ASSERT_TRUE(expected);
  const double tolerance = GetParam().recipe == "segment" ? 0.01 : 0.25;
  auto batch = batch_of(2);
  batch.image2_nchw = torch::randn_like(batch.image_nchw);  // pairs that share nothing
  EXPECT_NEAR(recipe->loss(batch, {}).item<double>(), *expected, tolerance * *expected);
}

TEST_P(RecipeContract, OverfitsEightSamples) {
  const auto run = config_of(GetParam());
  const auto recipe = make();
  const auto batch = batch_of(1);
  set_training(*recipe, run, true);
  Optimizer optimizer({.name = "adamw", .weight_decay = 0, .beta2 = 0.95},
                      trainable_of(recipe->module()));
  const double rate = run.recipe == "segment" ? 1e-2 : 2e-3;
  const auto first = recipe->loss(batch, {}).item<double>();
  double last = first;
  // A constant prediction of standardized patches has a loss of 1.
  const double goal = run.recipe == "mae" ? 0.5 : 0.25 * first;
  for (int step = 0; step < 200 && last > goal; ++step) {
    optimizer.zero_grad();
    const auto loss = recipe->loss(batch, {});
    loss.backward();
    clip_gradients(optimizer.parameters(), 1);
    optimizer.step(rate * std::min(1.0, step / 10.0));
    last = loss.item<double>();
  }
  EXPECT_LE(last, goal) << "from " << first;
}

TEST_P(RecipeContract, EncoderPrefixesNameParameters) {
  const auto recipe = make();
  for (const auto& prefix : recipe->encoder_prefixes()) {
    bool is_found = false;
    for (const auto& item : recipe->module().named_parameters())
      is_found = is_found || lies_below(item.key(), {prefix});
    EXPECT_TRUE(is_found) << prefix;
  }
}

INSTANTIATE_TEST_SUITE_P(AllPairs, RecipeContract, ::testing::ValuesIn(pairs()),
                         [](const auto& row) { return row.param.recipe + "_" + row.param.model; });

TEST(Recipes, RefuseWhatCannotGoTogether) {
  auto run = config_of({"segment", "vit"});
  EXPECT_THROW(make_recipe(run, dataset()), Error);
  run = config_of({"mae", "unet"});
  EXPECT_THROW(make_recipe(run, dataset()), Error);
  run = config_of({"sorcery", "unet"});
  EXPECT_THROW(make_recipe(run, dataset()), Error);
  run = config_of({"mae", "vit"});
  run.protocol = "frozen";
  EXPECT_THROW(make_recipe(run, dataset()), Error);
  run = config_of({"segment", "unet"});
  auto unlabelled = dataset();
  unlabelled.target = {.kind = "none"};
  EXPECT_THROW(make_recipe(run, unlabelled), Error);
}

TEST(Recipes, FrozenTrainsTheHeadOnly) {
  for (const std::string model : {"unet", "upernet"}) {
    auto run = config_of({"segment", model});
    run.protocol = "frozen";
    const auto recipe = make_recipe(run, dataset());
    const auto trainable = trainable_of(recipe->module());
    EXPECT_FALSE(trainable.empty());
    for (const auto& [name, parameter] : trainable)
      EXPECT_FALSE(lies_below(name, recipe->encoder_prefixes())) << name;
  }
}

TEST(Recipes, HandTheirEncoderOnToSegmentation) {
  const std::pair<Pair, std::string> steps[] = {
      {{"mae", "vit"}, "upernet"}, {{"simclr", "vit"}, "upernet"}, {{"simclr", "unet"}, "unet"}};
  for (const auto& [first, second] : steps) {
    const auto pretrained = make_recipe(config_of(first), dataset());
    const auto supervised = make_recipe(config_of({"segment", second}), dataset());
    TensorMap weights;
    for (const auto& [name, tensor] : state_of(pretrained->module()))
      weights[name] = tensor.clone();
    const std::vector<std::string> bands = {"red", "nir"};
    const auto report =
        load_matching(supervised->module(), weights, bands, bands, supervised->encoder_prefixes());
    EXPECT_TRUE(report.mismatched.empty() && report.adapted.empty());
    for (const auto& [name, tensor] : state_of(supervised->module())) {
      if (!lies_below(name, supervised->encoder_prefixes())) continue;
      EXPECT_TRUE(torch::equal(tensor, weights.at(name))) << name;
    }
  }
}

TEST(Recipes, ClassWeightsComeFromTheDataset) {
  auto run = config_of({"segment", "unet"});
  run.loss.class_weights = "auto";
  auto data = dataset();
  data.target.classes[2].pixels = 1;
  const auto batch = batch_of(1);
  EXPECT_NE(make_recipe(run, data)->loss(batch, {}).item<float>(),
            make_recipe(run, dataset())->loss(batch, {}).item<float>());
}

}  // namespace
}  // namespace tilewright::learn
