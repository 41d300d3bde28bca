// SPDX-License-Identifier: Apache-2.0
// The table of recipes, and what all of them share.
#include "learn/recipes/recipe.h"

#include <algorithm>
#include <array>

#include "geometry/error.h"
#include "learn/models/named_tensors.h"
#include "learn/recipes/rows.h"

namespace tilewright::learn {
namespace {

constexpr std::array kRecipes{
    RecipeRow{"segment", "supervised, one class a pixel", make_segment},
    RecipeRow{"mae", "He et al. 2022, arXiv 2111.06377", make_mae},
    RecipeRow{"simclr", "Chen et al. 2020, arXiv 2002.05709", make_simclr},
};

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
      "this run's recipe has no class scores; evaluate and predict need a run with recipe segment");
}

std::span<const RecipeRow> recipes() { return kRecipes; }

ImageShape image_shape(const DatasetFile& dataset) {
  ImageShape shape{.channels = 0, .size_px = 0};
  for (const auto& input : dataset.inputs) {  // inputs are stacked on the channel axis
    shape.channels += static_cast<int>(input.bands.size());
    shape.size_px = std::max(shape.size_px, input.size_px);
  }
  return shape;
}

std::unique_ptr<Recipe> make_recipe(const RunConfig& run, const DatasetFile& dataset) {
  const auto& row = recipe_row(run.recipe);
  if (run.protocol != "full" && run.protocol != "frozen")
    throw Error::config("protocol '" + run.protocol +
                        "' is not in this version; use full or frozen");
  if (run.protocol == "frozen" && run.recipe != "segment")
    throw Error::config("protocol frozen: recipe " + run.recipe +
                        " trains the encoder itself; use protocol: full");
  torch::manual_seed(run.seed);
  auto recipe = row.make(run, dataset);
  if (run.protocol == "frozen") freeze(recipe->module(), recipe->encoder_prefixes());
  return recipe;
}

void set_training(Recipe& recipe, const RunConfig& run, bool is_training) {
  set_training(recipe.module(), is_training,
               run.protocol == "frozen" ? recipe.encoder_prefixes() : std::vector<std::string>{});
}

}  // namespace tilewright::learn
