// SPDX-License-Identifier: Apache-2.0
// Starting from other weights: what is copied, adapted, refused.
#include "learn/models/load_matching.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "geometry/error.h"
#include "learn/models/mae.h"
#include "learn/models/unet.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

TensorMap weights_of(const torch::nn::Module& module, const std::string& prefix = "") {
  TensorMap map;
  for (const auto& [name, tensor] : state_of(module)) map[prefix + name] = tensor.clone();
  return map;
}

std::shared_ptr<Unet> unet(int channels, std::uint64_t seed) {
  torch::manual_seed(seed);
  return std::make_shared<Unet>(UnetShape{.channels = channels, .classes = 2, .width = 2}, 16);
}

TEST(LoadMatching, CopiesAllThatFits) {
  const auto source = unet(2, 1), target = unet(2, 2);
  const auto report = load_matching(*target, weights_of(*source, "module.model."), {}, {"a", "b"},
                                    unet_encoder_prefixes());
  EXPECT_TRUE(report.kept.empty() && report.unused.empty() && report.adapted.empty() &&
              report.mismatched.empty());
  const auto image = torch::rand({1, 2, 16, 16});
  source->eval();
  target->eval();
  EXPECT_TRUE(torch::equal(source->forward(image), target->forward(image)));
}

TEST(LoadMatching, PicksBandsByName) {
  const auto source = unet(3, 1), target = unet(2, 2);
  const auto report = load_matching(*target, weights_of(*source), {"red", "green", "nir"},
                                    {"nir", "red"}, unet_encoder_prefixes());
  ASSERT_EQ(report.adapted.size(), 1U);
  const auto image = torch::rand({1, 2, 16, 16});
  const auto wide =
      torch::stack({image.select(1, 1), torch::zeros({1, 16, 16}), image.select(1, 0)}, 1);
  source->eval();
  target->eval();
  EXPECT_TRUE(torch::allclose(source->forward(wide), target->forward(image), 1e-4, 1e-6));
}

TEST(LoadMatching, RefusesBandsThatTheFileDoesNotHave) {
  const auto source = unet(2, 1), target = unet(2, 2);
  const auto before = weights_of(*target);
  try {
    load_matching(*target, weights_of(*source), {"red", "green"}, {"red", "swir"},
                  unet_encoder_prefixes());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("swir"), std::string::npos);
  }
  for (const auto& [name, tensor] : state_of(*target))
    EXPECT_TRUE(torch::equal(tensor, before.at(name))) << name;
  EXPECT_THROW(load_matching(*unet(5, 1), weights_of(*source), {}, {"1", "2", "3", "4", "5"}, {}),
               Error);
}

TEST(LoadMatching, SumsThreeUnnamedChannelsForOneBand) {
  const auto source = unet(3, 1), target = unet(1, 2);
  load_matching(*target, weights_of(*source), {}, {"dem"}, unet_encoder_prefixes());
  const auto dem = torch::rand({1, 1, 16, 16});
  source->eval();
  target->eval();
  EXPECT_TRUE(torch::allclose(source->forward(dem.expand({-1, 3, -1, -1})), target->forward(dem),
                              1e-4, 1e-5));
}

TEST(LoadMatching, ResamplesPositionsOfAnotherSize) {
  const VitShape small{
      .channels = 1, .size_px = 16, .patch_px = 4, .dim = 16, .depth = 1, .heads = 2};
  auto large = small;
  large.size_px = 32;
  VitEncoder source(small), target(large);
  const auto report = load_matching(target, weights_of(source), {}, {"dem"}, vit_prefixes());
  ASSERT_EQ(report.adapted.size(), 1U);
  EXPECT_TRUE(report.adapted[0].starts_with("pos_embed"));
  EXPECT_EQ(target.forward(torch::rand({1, 1, 32, 32})).size(1), 16);
}

TEST(LoadMatching, SaysWhatItLeftOut) {
  MaskedAutoencoder source(
      {.encoder = {.channels = 1, .size_px = 16, .patch_px = 4, .dim = 16, .depth = 1, .heads = 2},
       .decoder_dim = 16,
       .decoder_depth = 1,
       .decoder_heads = 2});
  VitEncoder target(
      {.channels = 1, .size_px = 16, .patch_px = 4, .dim = 16, .depth = 2, .heads = 2});
  const auto report = load_matching(target, weights_of(source), {"dem"}, {"dem"}, vit_prefixes());
  EXPECT_EQ(report.kept.size(), 12U);  // blocks.1
  EXPECT_TRUE(std::all_of(report.unused.begin(), report.unused.end(), [](const auto& name) {
    return name.starts_with("decoder_") || name == "mask_token";
  }));
  EXPECT_EQ(report.loaded.size(), 4U + 2 + 12);
}

TEST(LoadMatching, RefusesAFileOfAnotherKind) {
  const auto source = unet(1, 1);
  VitEncoder target(
      {.channels = 1, .size_px = 16, .patch_px = 4, .dim = 16, .depth = 1, .heads = 2});
  EXPECT_THROW(load_matching(target, weights_of(*source), {}, {"dem"}, vit_prefixes()), Error);
}

TEST(Frozen, PartsNeitherLearnNorKeepStatistics) {
  const auto net = unet(1, 1);
  freeze(*net, unet_encoder_prefixes());
  set_training(*net, true, unet_encoder_prefixes());
  const auto before = weights_of(*net);
  net->forward(torch::rand({2, 1, 16, 16})).mean().backward();
  for (const auto& [name, tensor] : trainable_of(*net))
    EXPECT_FALSE(lies_below(name, unet_encoder_prefixes())) << name;
  bool head_has_moved = false;
  for (const auto& [name, tensor] : state_of(*net)) {
    const bool is_equal = torch::equal(tensor, before.at(name));
    if (lies_below(name, unet_encoder_prefixes()))
      EXPECT_TRUE(is_equal) << name;
    else
      head_has_moved = head_has_moved || !is_equal;
  }
  EXPECT_TRUE(head_has_moved) << "running statistics of the rest do move";
}

}  // namespace
}  // namespace tilewright::learn
