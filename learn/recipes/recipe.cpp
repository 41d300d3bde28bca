// SPDX-License-Identifier: Apache-2.0
// The table of recipes, and what all of them share.
#include "learn/recipes/recipe.h"

#include <algorithm>
#include <array>

#include "geometry/error.h"
#include "learn/models/named_tensors.h"
#include "learn/models/spectral.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr std::array kRecipes{
    RecipeRow{"segment", "supervised, one class a pixel", make_segment},
    RecipeRow{"mae", "He et al. 2022, arXiv 2111.06377", make_mae},
    RecipeRow{"classify", "supervised, one or several classes an image", make_classify},
    RecipeRow{"maskfeat", "Wang et al. 2023 (FG-MAE), arXiv 2310.18653", make_maskfeat},
    RecipeRow{"moco", "He et al. 2020, arXiv 1911.05722; Chen et al. 2021, arXiv 2104.02057",
              make_moco},
    RecipeRow{"simclr", "Chen et al. 2020, arXiv 2002.05709", make_simclr},
    RecipeRow{"dual_simclr", "Scheibenreif et al. 2022 (HSG-AIML/SSLTransformerRS)",
              make_dual_simclr},
    RecipeRow{"dino", "Caron et al. 2021, arXiv 2104.14294", make_dino},
};

constexpr std::array kProtocols{"full", "frozen", "adapter", "linear", "frozen_random", "scratch"};

void check_protocol(const RunConfig& run) {
  const auto& protocol = run.protocol;
  if (std::find(kProtocols.begin(), kProtocols.end(), protocol) == kProtocols.end())
    throw Error::config(
        "protocol '" + protocol +
        "' does not exist; there are full, frozen, adapter, linear, frozen_random, scratch");
  if (is_encoder_frozen(run) && run.recipe != "segment" && run.recipe != "classify")
    throw Error::config("protocol " + protocol + ": recipe " + run.recipe +
                        " trains the encoder itself; use protocol: full");
  if ((protocol == "linear" || protocol == "frozen_random") && run.recipe != "classify")
    throw Error::config("protocol " + protocol + " is one linear layer on whole images, recipe " +
                        run.recipe + " has none; use recipe: classify, or protocol: frozen");
  if ((protocol == "scratch" || protocol == "frozen_random") && (run.init || run.model.encoder))
    throw Error::config("protocol " + protocol +
                        " starts from random weights, but the run names some; leave out init and "
                        "model.encoder, or use another protocol");
}

void check_parts(const RunConfig& run, const Recipe& recipe) {
  if (run.accumulate > 1 && needs_whole_batch(recipe.delivery()))
    throw Error::config("accumulate " + std::to_string(run.accumulate) + ": recipe " + run.recipe +
                        " needs its whole batch at once; use accumulate: 1");
}

/// Also of an adapter inside the encoder of one sensor.
bool is_of_adapter(const std::string& name) {
  const std::string adapter = kSpectralAdapter;
  return lies_below(name, {adapter}) || name.find("." + adapter + ".") != std::string::npos ||
         name.ends_with("." + adapter);
}

void thaw_adapter(const RunConfig& run, torch::nn::Module& module) {
  bool is_there = false;
  for (auto& item : module.named_parameters()) {
    if (!is_of_adapter(item.key())) continue;
    item.value().set_requires_grad(true);
    is_there = true;
  }
  if (!is_there)
    throw Error::config("protocol adapter: model " + run.model.name +
                        " has no spectral adapter; use spectral_vit, spectral_resnet50 or "
                        "spectral_upconv, or protocol: frozen");
}

const RecipeRow& recipe_row(const std::string& name) {
  std::string names;
  for (const auto& row : kRecipes) {
    if (row.name == name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error::config("recipe '" + name + "' does not exist; there are " + names);
}

}  // namespace

torch::Tensor Recipe::logits(const torch::Tensor&) {
  throw Error::config(
      "this run's recipe has no class scores; evaluate needs a run with recipe segment or "
      "classify, "
      "predict one with recipe segment");
}

std::span<const RecipeRow> recipes() { return kRecipes; }

bool needs_whole_batch(Delivery delivery) {
  return delivery == Delivery::pair || delivery == Delivery::sensors || delivery == Delivery::crops;
}

int small_crop_px(const RunConfig& run, int size_px) {
  if (run.crops.small_px > 0) return run.crops.small_px;
  const int half = std::max(size_px / 2, 1), tokens = half / run.model.patch_px;
  return tokens > 0 ? tokens * run.model.patch_px : half;
}

bool is_encoder_frozen(const RunConfig& run) {
  return run.protocol == "frozen" || run.protocol == "adapter" || run.protocol == "linear" ||
         run.protocol == "frozen_random";
}

ImageShape image_shape(const DatasetFile& dataset) {
  ImageShape shape{.channels = 0, .size_px = 0};
  for (const auto& input : dataset.inputs) {  // inputs are stacked on the channel axis
    shape.channels += static_cast<int>(input.bands.size());
    shape.size_px = std::max(shape.size_px, input.size_px);
  }
  return shape;
}

std::vector<int> sensor_channels(const DatasetFile& dataset) {
  std::vector<int> channels;
  for (const auto& input : dataset.inputs) channels.push_back(static_cast<int>(input.bands.size()));
  return channels;
}

std::unique_ptr<Recipe> make_recipe(const RunConfig& run, const DatasetFile& dataset) {
  const auto& row = recipe_row(run.recipe);
  check_protocol(run);
  torch::manual_seed(run.seed);
  auto recipe = row.make(run, dataset);
  check_parts(run, *recipe);
  if (is_encoder_frozen(run)) freeze(recipe->module(), recipe->encoder_prefixes());
  if (run.protocol == "adapter") thaw_adapter(run, recipe->module());
  return recipe;
}

void set_training(Recipe& recipe, const RunConfig& run, bool is_training) {
  set_training(recipe.module(), is_training,
               is_encoder_frozen(run) ? recipe.encoder_prefixes() : std::vector<std::string>{});
  if (run.protocol != "adapter") return;
  for (const auto& item : recipe.module().named_modules("", /*include_self=*/false))
    if (is_of_adapter(item.key())) item.value()->train(is_training);
}

}  // namespace tilewright::learn
