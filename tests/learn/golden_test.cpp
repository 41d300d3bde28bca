// SPDX-License-Identifier: Apache-2.0
// Numbers that reference implementations give for closed-form parameters, and counts of parameters.
#include <torch/torch.h>

#include "geometry/error.h"
#include "learn/losses/losses.h"
#include "learn/models/load_matching.h"
#include "learn/models/mae.h"
#include "learn/models/named_tensors.h"
#include "learn/models/unet.h"
#include "learn/models/upernet.h"
#include "tests/learn/golden_fill.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

using namespace testing;

MaeShape small_mae(bool norm_pix) {
  return {
      .encoder = {.channels = 1, .size_px = 32, .patch_px = 8, .dim = 48, .depth = 2, .heads = 3},
      .decoder_dim = 32,
      .decoder_depth = 1,
      .decoder_heads = 2,
      .mask_ratio = 0.75,
      .norm_pix = norm_pix};
}

MaeShape mae_of(int channels, int patch_px, int dim, int depth, int heads, int decoder_depth = 8) {
  return {.encoder = {.channels = channels,
                      .size_px = 224,
                      .patch_px = patch_px,
                      .dim = dim,
                      .depth = depth,
                      .heads = heads},
          .decoder_depth = decoder_depth};
}

TEST(GoldenFill, ChecksItself) {
  EXPECT_EQ(fnv1a("x"), 4245442695U);
  const double wanted[] = {0.185012232, 0.272643926, 0.450215530, 0.993229724};
  for (int k = 0; k < 4; ++k) EXPECT_NEAR(golden_unit(fnv1a("x"), k), wanted[k], 1e-9);
}

TEST(Golden, G1SmallMaeAgreesWithTheReference) {
  const torch::NoGradGuard no_grad;
  const auto image = golden_input("image", {2, 1, 32, 32}),
             noise = golden_input("noise", {2, 16}, 0, 1);
  MaskedAutoencoder raw(small_mae(false)), normed(small_mae(true));
  golden_fill(raw);
  golden_fill(normed);
  const auto out = raw.forward(image, noise);
  expect_golden(out.loss.item<double>(), 1.252569, "raw loss");
  expect_golden(normed.forward(image, noise).loss.item<double>(), 1.852469, "norm-pix loss");
  expect_golden(mean_of(out.pred_nlv), .0376183, "pred mean");
  expect_golden(std_of(out.pred_nlv), .9816969, "pred std");
  expect_golden(at(out.pred_nlv, 0), -1.697687, "pred 0");
  expect_golden(at(out.pred_nlv, 1), -.073320, "pred 1");
  expect_golden(at(out.pred_nlv, 2), .481931, "pred 2");
  expect_golden(mean_of(out.latent_nld), -.0015112, "latent mean");
  expect_golden(std_of(out.latent_nld), .9627679, "latent std");
  const std::vector<std::int64_t> ids = {13, 3, 10, 2, 4, 9, 0, 6, 12, 15, 1, 14, 8, 5, 11, 7};
  EXPECT_TRUE(torch::equal(out.ids_restore_nl[0], torch::tensor(ids)));
}

TEST(Golden, G2BaseMaeAgreesWithTheReference) {
  const torch::NoGradGuard no_grad;
  MaskedAutoencoder model(mae_of(3, 16, 768, 12, 12));
  EXPECT_EQ(parameter_count(model), 111907840);
  EXPECT_EQ(parameter_count(model, /*trainable_only=*/true), 111655680);
  std::int64_t encoder = 0;
  for (const auto& item : model.named_parameters())
    if (lies_below(item.key(), vit_prefixes())) encoder += item.value().numel();
  EXPECT_EQ(encoder, 85798656);
  golden_fill(model);
  const auto out =
      model.forward(golden_input("image", {1, 3, 224, 224}), golden_input("noise", {1, 196}, 0, 1));
  EXPECT_EQ(out.pred_nlv.sizes(), (std::vector<std::int64_t>{1, 196, 768}));
  expect_golden(out.loss.item<double>(), 1.966764, "norm-pix loss");
  expect_golden(mean_of(out.pred_nlv), .0188034, "pred mean");
  expect_golden(std_of(out.pred_nlv), .990362, "pred std");
  expect_golden(std_of(out.latent_nld), 1.0042124, "latent std");
  expect_golden(at(out.latent_nld, 0), -.682855, "latent 0");
  expect_golden(at(out.latent_nld, 1), -1.346449, "latent 1");
}

TEST(Golden, G5UnetAgreesWithTheReference) {
  const torch::NoGradGuard no_grad;
  const auto image = golden_input("image", {1, 1, 64, 64});
  const double wanted[2][3] = {{.0544797, .0757194, -.013931}, {.0538737, .0745792, -.007520}};
  for (const bool is_bilinear : {false, true}) {
    Unet model({.channels = 1, .classes = 2, .width = 64, .is_bilinear = is_bilinear}, 64);
    golden_fill(model);
    model.eval();
    const auto out = model.forward(image);
    expect_golden(mean_of(out), wanted[is_bilinear][0], "mean");
    expect_golden(std_of(out), wanted[is_bilinear][1], "std");
    expect_golden(at(out, 0), wanted[is_bilinear][2], "first");
  }
}

TEST(Golden, G7NtXentAgreesWithTheReference) {
  const auto z1 = golden_input("z1", {8, 16}), z2 = golden_input("z2", {8, 16});
  expect_golden(nt_xent(z1, z2, 0.07).item<double>(), 6.945044, "T .07");
  expect_golden(nt_xent(z1, z2, 0.2).item<double>(), 3.386966, "T .2");
  expect_golden(nt_xent(z1, z1, 0.1).item<double>(), .0125954, "identical views");
}

/// Counts are linear in both depths: three small models give that of a large one.
std::int64_t extrapolated_count(int channels, int patch_px, int dim, int depth, int heads) {
  const auto count = [&](int d, int e) {
    return parameter_count(MaskedAutoencoder(mae_of(channels, patch_px, dim, d, heads, e)));
  };
  const auto one = count(1, 1);
  return one + (depth - 1) * (count(2, 1) - one) + 7 * (count(1, 2) - one);
}

TEST(ParameterCount, OfMaeIsThePublishedOne) {
  EXPECT_EQ(extrapolated_count(3, 16, 768, 12, 12), 111907840);
  EXPECT_EQ(extrapolated_count(1, 16, 768, 12, 12), 111251968);
  EXPECT_EQ(extrapolated_count(3, 16, 1024, 24, 16), 329541888);
  EXPECT_EQ(extrapolated_count(3, 14, 1280, 32, 16), 657074508);
  EXPECT_EQ(extrapolated_count(1, 16, 384, 12, 6), 47118976);
  EXPECT_EQ(extrapolated_count(13, 16, 384, 12, 6), 49874560);
}

TEST(ParameterCount, OfUnetIsThePublishedOne) {
  const auto count = [](int channels, int classes, bool is_bilinear) {
    return parameter_count(Unet(
        {.channels = channels, .classes = classes, .width = 64, .is_bilinear = is_bilinear}, 64));
  };
  EXPECT_EQ(count(1, 2, false), 31036546);
  EXPECT_EQ(count(1, 2, true), 17261890);
  EXPECT_EQ(count(3, 2, false), 31037698);
  EXPECT_EQ(count(3, 2, true), 17263042);
  EXPECT_EQ(count(12, 1, false), 31042817);
  EXPECT_EQ(count(13, 1, false), 31043393);
}

TEST(ParameterCount, OfUperNetIsThePublishedOne) {
  EXPECT_EQ(parameter_count(UperHead(768, 512, 2)), 32257026);
  EXPECT_EQ(parameter_count(UperHead(768, 768, 2)), 67849730);
  EXPECT_EQ(parameter_count(UperHead(384, 512, 2)), 29111298);
  EXPECT_EQ(parameter_count(FeaturePyramid(768)), 7081728);
  EXPECT_EQ(parameter_count(FeaturePyramid(384)), 1771392);
  EXPECT_EQ(parameter_count(FcnHead(768, 256, 2)), 1770498);
}

TEST(UperNet, BuildsThePyramidOfTheReference) {
  const torch::NoGradGuard no_grad;
  const auto map = torch::rand({1, 16, 14, 14});
  const auto levels = FeaturePyramid(16).forward({map, map, map, map});
  const std::int64_t sides[] = {56, 28, 14, 7};
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(levels[i].sizes(), (std::vector<std::int64_t>{1, 16, sides[i], sides[i]}));
}

TEST(UperNet, TrainsOnASingleImage) {
  UperNet model({.channels = 2, .size_px = 32, .patch_px = 8, .dim = 16, .depth = 3, .heads = 2},
                3);
  const auto outputs = model.training_outputs(torch::rand({1, 2, 32, 32}));
  ASSERT_EQ(outputs.size(), 2U);
  double weight = 0;
  for (const auto& output : outputs) {
    EXPECT_EQ(output.logits_nkhw.sizes(), (std::vector<std::int64_t>{1, 3, 32, 32}));
    EXPECT_TRUE(output.logits_nkhw.isfinite().all().item<bool>());
    weight += output.weight;
  }
  EXPECT_DOUBLE_EQ(weight, model.total_loss_weight());
}

TEST(Names, AreThoseOfTheReferenceStateDicts) {
  const auto has = [](const torch::nn::Module& module, const std::string& name) {
    for (const auto& [key, tensor] : state_of(module))
      if (key == name) return true;
    return false;
  };
  MaskedAutoencoder mae(small_mae(true));
  for (const auto* name :
       {"cls_token", "pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias",
        "blocks.1.norm1.weight", "blocks.1.attn.qkv.bias", "blocks.1.attn.proj.weight",
        "blocks.1.norm2.bias", "blocks.1.mlp.fc1.weight", "blocks.1.mlp.fc2.bias", "norm.weight",
        "mask_token", "decoder_pos_embed", "decoder_embed.weight",
        "decoder_blocks.0.attn.qkv.weight", "decoder_norm.bias", "decoder_pred.weight"})
    EXPECT_TRUE(has(mae, name)) << name;
  // 4 tokens and positions, 2 of patch_embed, norm, decoder_embed, decoder_norm, decoder_pred each,
  // 12 a block.
  EXPECT_EQ(state_of(mae).size(), 4U + 5 * 2 + 3 * 12);
  Unet unet({.channels = 1, .classes = 2, .width = 4}, 32);
  for (const auto* name :
       {"inc.double_conv.0.weight", "inc.double_conv.1.running_mean",
        "inc.double_conv.4.num_batches_tracked", "down4.maxpool_conv.1.double_conv.3.weight",
        "up1.up.weight", "up1.up.bias", "up4.conv.double_conv.0.weight", "outc.conv.weight",
        "outc.conv.bias"})
    EXPECT_TRUE(has(unet, name)) << name;
  EXPECT_FALSE(has(Unet({.channels = 1, .classes = 2, .width = 4, .is_bilinear = true}, 32),
                   "up1.up.weight"));
}

TEST(Positions, HaveTheReferenceSums) {
  const auto encoder = sincos_positions(768, 14).to(torch::kFloat64),
             decoder = sincos_positions(512, 14).to(torch::kFloat64);
  EXPECT_NEAR(encoder.sum().item<double>(), 69594.494, 0.05);
  EXPECT_NEAR(encoder.square().sum().item<double>(), 75264, 0.05);
  EXPECT_NEAR(decoder.square().sum().item<double>(), 50176, 0.05);
  EXPECT_EQ(encoder[0][0].abs().sum().item<double>(), 0);
  const int right = 1 + 1, below = 1 + 14;
  EXPECT_NEAR(encoder[0][right][0].item<double>(), 0.8414710, 1e-7);
  EXPECT_EQ(encoder[0][right][384].item<double>(), 0);
  EXPECT_EQ(encoder[0][below][0].item<double>(), 0);
  EXPECT_NEAR(encoder[0][below][384].item<double>(), 0.8414710, 1e-7);
}

TEST(Mask, LengthIsTruncatedInDouble) {
  const struct {
    int tokens;
    double ratio;
    int kept;
  } cases[] = {{196, .75, 49}, {196, .7, 58},   {196, .5, 98},
               {196, .2, 156}, {1024, .9, 102}, {100, .9, 9}};
  for (const auto& c : cases)
    EXPECT_EQ(kept_tokens(c.tokens, c.ratio), c.kept) << c.tokens << " " << c.ratio;
}

TEST(Mask, HidesWhatItSaysAndNothingOfItReachesTheEncoder) {
  const torch::NoGradGuard no_grad;
  MaskedAutoencoder model(small_mae(true));
  const auto image = golden_input("image", {2, 1, 32, 32}),
             noise = golden_input("noise", {2, 16}, 0, 1);
  const auto out = model.forward(image, noise);
  EXPECT_TRUE(torch::equal(out.mask_nl.sum(1), torch::full({2}, 12.F)));
  const auto hidden = unpatchify(out.mask_nl.unsqueeze(-1).expand({-1, -1, 64}), 8, 1) > 0;
  const auto other = model.forward(torch::where(hidden, image + 7, image), noise);
  EXPECT_TRUE(torch::equal(out.latent_nld, other.latent_nld));
  EXPECT_FALSE(torch::equal(out.latent_nld, model.forward(image + 7, noise).latent_nld));
}

TEST(Mask, InvalidPixelsDoNotCount) {
  const torch::NoGradGuard no_grad;
  MaskedAutoencoder model(small_mae(false));
  const auto image = golden_input("image", {2, 1, 32, 32}),
             noise = golden_input("noise", {2, 16}, 0, 1);
  auto valid = torch::ones({2, 32, 32}, torch::kBool);
  EXPECT_EQ(model.forward(image, noise).loss.item<float>(),
            model.forward(image, noise, valid).loss.item<float>());
  const auto out = model.forward(image, noise);
  const auto first_hidden = out.mask_nl[0].argmax().item<std::int64_t>();
  valid[0][first_hidden / 4 * 8 + 3][first_hidden % 4 * 8 + 5] = false;
  const auto per_patch = (out.pred_nlv - patchify(image, 8)).square().mean(-1) * out.mask_nl;
  const double wanted = (per_patch.sum() - per_patch[0][first_hidden]).item<double>() / 23;
  EXPECT_NEAR(model.forward(image, noise, valid).loss.item<double>(), wanted, 1e-6);
  EXPECT_EQ(
      model.forward(image, noise, torch::zeros({2, 32, 32}, torch::kBool)).loss.item<double>(), 0);
}

TEST(Patches, ComeBack) {
  const auto image = torch::rand({2, 3, 24, 24});
  EXPECT_TRUE(torch::equal(unpatchify(patchify(image, 8), 8, 3), image));
  // Channel fastest: value 1 of patch 0 is channel 1 of the first pixel, value 3 the next column.
  EXPECT_EQ(patchify(image, 8)[0][0][1].item<float>(), image[0][1][0][0].item<float>());
  EXPECT_EQ(patchify(image, 8)[0][0][3].item<float>(), image[0][0][0][1].item<float>());
}

TEST(InitialLoss, OfMaeFollowsXavier) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  for (const int channels : {1, 3, 13}) {
    auto shape = mae_of(channels, 16, 192, 2, 3, 2);
    MaskedAutoencoder model(shape);
    const double values = 256.0 * channels, second = 2 * 512 / (512 + values);
    const auto loss = model.forward(torch::randn({2, channels, 224, 224}), torch::rand({2, 196}))
                          .loss.item<double>();
    EXPECT_NEAR(loss, 1 + second, 3 * std::sqrt(2 / values) * second + 0.03) << channels;
    const auto flat =
        model.forward(torch::full({1, channels, 224, 224}, 0.5F), torch::rand({1, 196}));
    const auto hidden = flat.pred_nlv.square().mean(-1) * flat.mask_nl;
    EXPECT_NEAR(flat.loss.item<double>(), hidden.sum().item<double>() / 147, 1e-5);
  }
}

TEST(InitialLoss, OfNtXentIsThatOfRandomDirections) {
  torch::manual_seed(1);
  const auto collapsed = torch::ones({50, 128});
  EXPECT_NEAR(nt_xent(collapsed, collapsed, 0.2).item<double>(), std::log(99.0), 1e-4);
  EXPECT_NEAR(nt_xent(torch::randn({50, 128}), torch::randn({50, 128}), 0.2).item<double>(), 4.693,
              0.12);
  EXPECT_NEAR(nt_xent(torch::randn({200, 128}), torch::randn({200, 128}), 0.07).item<double>(),
              6.786, 0.25);
}

TEST(FirstLayer, OfThreeEqualChannelsFoldsExactlyIntoOne) {
  const torch::NoGradGuard no_grad;
  const std::vector<double> mean = {.485, .456, .406}, std = {.229, .224, .225};
  torch::nn::Conv2d three(torch::nn::Conv2dOptions(3, 24, 8).stride(8));
  const auto dem = torch::rand({2, 1, 32, 32});
  const auto normalized = (dem.expand({-1, 3, -1, -1}) - torch::tensor(mean).view({1, 3, 1, 1})) /
                          torch::tensor(std).view({1, 3, 1, 1});
  const auto [weight, bias] = fold_to_one_band(three->weight, three->bias, mean, std);
  EXPECT_TRUE(torch::allclose(torch::conv2d(dem, weight, bias, 8),
                              three->forward(normalized.to(torch::kFloat32)), 1e-5, 1e-5));
}

TEST(Models, RefuseShapesThatCannotBe) {
  EXPECT_THROW(
      MaskedAutoencoder(
          {.encoder =
               {.channels = 1, .size_px = 30, .patch_px = 8, .dim = 48, .depth = 1, .heads = 3}}),
      Error);
  EXPECT_THROW(
      MaskedAutoencoder(
          {.encoder =
               {.channels = 1, .size_px = 32, .patch_px = 8, .dim = 48, .depth = 1, .heads = 5}}),
      Error);
  EXPECT_THROW(
      MaskedAutoencoder(
          {.encoder =
               {.channels = 1, .size_px = 8, .patch_px = 1, .dim = 48, .depth = 1, .heads = 3}}),
      Error);
  EXPECT_THROW(
      MaskedAutoencoder(
          {.encoder =
               {.channels = 1, .size_px = 8, .patch_px = 8, .dim = 48, .depth = 1, .heads = 3}}),
      Error);
  EXPECT_THROW(Unet({.channels = 1, .classes = 2, .width = 4}, 8), Error);
  EXPECT_THROW(
      UperNet({.channels = 1, .size_px = 8, .patch_px = 8, .dim = 16, .depth = 1, .heads = 2}, 2),
      Error);
}

}  // namespace
}  // namespace tilewright::learn
