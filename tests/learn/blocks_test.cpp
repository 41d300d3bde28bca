// SPDX-License-Identifier: Apache-2.0
// Residual, spectral and HOG blocks and the losses of momentum encoders against reference numbers.
#include <torch/torch.h>

#include <set>

#include "geometry/error.h"
#include "learn/losses/contrastive.h"
#include "learn/models/heads.h"
#include "learn/models/hog.h"
#include "learn/models/named_tensors.h"
#include "learn/models/resnet_unet.h"
#include "learn/models/spectral.h"
#include "learn/models/upconv.h"
#include "tests/learn/golden_fill.h"
#include "tests/learn/one_thread.h"

namespace tilewright::learn {
namespace {

using namespace testing;

torch::Tensor unit_columns(const torch::Tensor& x) { return x / x.norm(2, 0, true); }

TEST(Golden, G3HogAgreesWithTheReference) {
  const auto image = golden_input("image", {1, 2, 224, 224}, 0, 1);
  const auto normed = hog(image);
  EXPECT_EQ(normed.sizes(), (std::vector<std::int64_t>{1, 2, 9, 28, 28}));
  expect_golden(mean_of(normed), .3065992, "mean");
  expect_golden(std_of(normed), .1307977, "std");
  const double first[] = {.595214, .542221, .275743, .240782, .298186,
                          .156676, .050005, .131411, .290644};
  for (int b = 0; b < 9; ++b)
    expect_golden(normed[0][0][b][0][0].item<double>(), first[b], "cell (0, 0)");
  const auto raw = hog(image, {.window_px = 16, .is_normed = false});
  EXPECT_NEAR(mean_of(raw), .035067, 1e-6);
  EXPECT_NEAR(std_of(raw), .015831, 1e-6);
  EXPECT_NEAR(at(raw, 0), .074005, 1e-6);
}

/// The bins of an interior cell and its sum, for the integer image a x + b y.
std::pair<std::vector<std::int64_t>, double> hog_of_ramp(double a, double b) {
  const auto line = torch::arange(24, torch::kFloat32);
  const auto image = (a * line.view({1, 24}) + b * line.view({24, 1})).view({1, 1, 24, 24});
  const auto cell = hog(image, {.is_normed = false})[0][0].select(1, 1).select(1, 1);
  std::vector<std::int64_t> bins;
  for (std::int64_t k = 0; k < 9; ++k)
    if (cell[k].item<double>() > 0) bins.push_back(k);
  return {bins, cell.sum().item<double>()};
}

TEST(Hog, PutsARampIntoOneBin) {
  const struct {
    double a, b;
    std::int64_t bin;
  } cases[] = {{1, 0, 4}, {-1, 0, 4}, {1, 1, 2}, {1, -1, 6}, {2, 1, 3}, {1, 2, 1}};
  for (const auto& c : cases) {
    const auto [bins, sum] = hog_of_ramp(c.a, c.b);
    EXPECT_EQ(bins, std::vector<std::int64_t>{c.bin}) << c.a << " " << c.b;
  }
  for (const double b : {1., -1.}) {  // on a bin's edge, where the sign of zero decides
    const auto bins = hog_of_ramp(0, b).first;
    ASSERT_EQ(bins.size(), 1U);
    EXPECT_TRUE(bins[0] == 0 || bins[0] == 8) << bins[0];
  }
  EXPECT_NEAR(hog_of_ramp(1, 0).second, 512, 1e-3);
  EXPECT_NEAR(hog_of_ramp(1, 1).second, 724.077, 1e-3);
}

TEST(Hog, ReflectsTheEdgeAndSurvivesAFlatImage) {
  const auto line = torch::arange(24, torch::kFloat32).view({1, 1, 1, 24}).expand({1, 1, 24, 24});
  const auto cells = hog(line, {.is_normed = false})[0][0].sum(0);
  EXPECT_NEAR(cells[1][0].item<double>(), 448, 1e-3);
  EXPECT_NEAR(cells[1][2].item<double>(), 448, 1e-3);
  const auto flat = hog(torch::full({2, 3, 16, 16}, 7.F));
  EXPECT_EQ(flat.abs().sum().item<double>(), 0);
  EXPECT_THROW(hog(torch::zeros({1, 1, 12, 16})), Error);
}

TEST(Hog, HasAMeanSquareOfOneNinthAndOrdersTokens) {
  torch::manual_seed(1);
  const auto cells = hog(torch::rand({2, 3, 32, 32}));
  EXPECT_NEAR(cells.square().mean().item<double>(), 1.0 / 9, 1e-6);
  const auto tokens = hog_of_tokens(cells, 2);
  EXPECT_EQ(tokens.sizes(), (std::vector<std::int64_t>{2, 4, 108}));
  // Token 3 is row 1, column 1; value ((c * 9 + bin) * 2 + cy) * 2 + cx.
  EXPECT_EQ(tokens[1][3][((2 * 9 + 5) * 2 + 1) * 2].item<float>(),
            cells[1][2][5][3][2].item<float>());
}

TEST(Golden, G6SpectralAdapterAgreesWithTheReference) {
  const torch::NoGradGuard no_grad;
  SpectralAdapter adapter(202);
  EXPECT_EQ(parameter_count(adapter), 56192);
  golden_fill(adapter);
  const auto image = golden_input("hsi", {2, 202, 4, 4});
  adapter.eval();
  const auto out = adapter.forward(image);
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{2, 128, 4, 4}));
  expect_golden(mean_of(out), .1077871, "eval mean");
  expect_golden(std_of(out), .1373321, "eval std");
  // Pixels do not see each other.
  const auto alone = adapter.forward(image.slice(2, 1, 2).slice(3, 2, 3));
  EXPECT_TRUE(
      torch::allclose(alone.flatten(), out.select(2, 1).select(2, 2).flatten(), 1e-5, 1e-6));
  adapter.train();
  const auto trained = adapter.forward(image);
  expect_golden(mean_of(trained), .3954362, "train mean");
  expect_golden(std_of(trained), .4080329, "train std");
  EXPECT_THROW(SpectralAdapter(74), Error);
  EXPECT_EQ(SpectralAdapter(75).forward(torch::rand({2, 75, 4, 4})).sizes(), (std::vector<std::int64_t>{2, 128, 4, 4}));
}

TEST(Golden, G7MocoAgreesWithTheReference) {
  const auto z1 = golden_input("z1", {8, 16}), z2 = golden_input("z2", {8, 16}),
             queue = unit_columns(golden_input("queue", {16, 64}));
  expect_golden(moco(z1, z2, queue, 0.2).item<double>(), 4.823375, "T .2");
  expect_golden(moco(z1, z2, queue, 0.07).item<double>(), 8.201891, "T .07");
}

TEST(Golden, G7DinoAgreesWithTheReference) {
  const auto student = golden_input("stu", {12, 32}), teacher = golden_input("tea", {6, 32});
  const auto centre = torch::zeros({32});
  expect_golden(dino(student, teacher, centre, 4).item<double>(), 8.551970, "first call");
  const auto moved = dino_centre(centre, teacher);
  EXPECT_TRUE(torch::allclose(moved, 0.1 * teacher.mean(0)));
  expect_golden(dino(student, teacher, moved, 4).item<double>(), 8.396524, "second call");
}

TEST(Golden, G7MmaAgreesWithTheReference) {
  const auto e1 = golden_input("e1", {4, 6, 5, 5}), e2 = golden_input("e2", {4, 6, 5, 5});
  expect_golden(mma(e1, e2, 0.1).item<double>(), 1.203978, "whole");
  const auto centre = e2.slice(2, 1, 4).slice(3, 1, 4);
  expect_golden(mma(e1, centre, 0.1).item<double>(), 2.340074, "3x3 centre");
  EXPECT_THROW(mma(centre, e1, 0.1), Error);
}

TEST(Contrast, NeverTeachesKeysAndTeachers) {
  auto key = torch::randn({4, 8}).set_requires_grad(true),
       query = torch::randn({4, 8}).set_requires_grad(true);
  (moco(query, key, unit_columns(torch::randn({8, 16})), 0.2) + moco_v3(query, key, 0.2) +
   dino(query, key, torch::zeros({8}), 2))
      .backward();
  EXPECT_FALSE(key.grad().defined());
  EXPECT_GT(query.grad().abs().sum().item<double>(), 0);
}

TEST(Contrast, StartsAtTheLogarithmOfTheChoices) {
  torch::manual_seed(3);
  // A collapsed encoder cannot tell any key from another.
  const auto same = torch::ones({6, 8});
  EXPECT_NEAR(moco(same, same, unit_columns(torch::ones({8, 31})), 0.2).item<double>(),
              std::log(32.0), 1e-5);
  EXPECT_NEAR(moco_v3(same, same, 0.2).item<double>(), 0.4 * std::log(6.0), 1e-5);
  const torch::NoGradGuard no_grad;
  DinoHead head({.dim = 32, .hidden = 64, .bottleneck = 256, .out = 128});
  const auto out = head.forward(torch::randn({8, 32}));
  EXPECT_NEAR(dino(out, out.slice(0, 0, 4), torch::zeros({128}), 4).item<double>(), std::log(128.0),
              0.5);
}

TEST(Contrast, StartsWhereRandomDirectionsSayItDoes) {
  torch::manual_seed(4);
  const torch::NoGradGuard no_grad;
  const int dim = 128, keys = 4096;
  const double temperature = 0.2;
  const auto rows = [](const torch::Tensor& x) { return x / x.norm(2, 1, true); };
  const auto query = rows(torch::randn({64, dim})), key = rows(torch::randn({64, dim}));
  const double same = (query * key).sum(1).mean().item<double>();
  const double wanted =
      std::log(keys + 1.0) + 1 / (2 * dim * temperature * temperature) - same / temperature;
  EXPECT_NEAR(moco(query, key, unit_columns(torch::randn({dim, keys})), temperature).item<double>(),
              wanted, 0.02);
  // The published width of DINO's head.
  DinoHead head({.dim = 32, .hidden = 64, .bottleneck = 256, .out = 65536});
  const auto out = head.forward(torch::randn({8, 32}));
  EXPECT_NEAR(dino(out, out.slice(0, 0, 4), torch::zeros({65536}), 4).item<double>(),
              std::log(65536.0), 0.5);
}

TEST(ParameterCount, OfResidualNetworksIsThePublishedOne) {
  const auto encoder = [](int channels, int depth, bool is_detailed = false) {
    return parameter_count(
        ResnetEncoder({.channels = channels, .depth = depth, .is_detailed = is_detailed}));
  };
  EXPECT_EQ(encoder(3, 18), 11689512 - 513000);  // torchvision's without its classifier
  EXPECT_EQ(encoder(3, 50), 25557032 - 2049000);
  EXPECT_EQ(encoder(3, 18, true) - encoder(3, 18), 4224);
  const auto head = parameter_count(*projection_head(2048, 2048, 128));
  EXPECT_EQ(encoder(2, 50) + head, 27963520);
  EXPECT_EQ(encoder(13, 50) + head, 27998016);
  const auto unet = [](int channels, int depth) {
    return parameter_count(ResnetUnet({.channels = channels, .depth = depth}, 64, 1));
  };
  EXPECT_EQ(unet(12, 18), 14356433);
  EXPECT_EQ(unet(13, 18), 14359569);
  EXPECT_EQ(unet(12, 50), 32549329);
  EXPECT_EQ(unet(13, 50), 32552465);
  EXPECT_EQ(parameter_count(UpConvHead(384, 4, 14)), 458894);
}

TEST(ParameterCount, OfSpectralNetworksIsThePublishedOne) {
  const auto vit = [](int dim, int heads) {
    return parameter_count(SpectralVit({.channels = 202,
                                        .size_px = 128,
                                        .patch_px = 4,
                                        .dim = dim,
                                        .depth = 12,
                                        .heads = heads}),
                           /*trainable_only=*/true);
  };
  EXPECT_EQ(vit(192, 3), 5985344);
  EXPECT_EQ(vit(384, 6), 22531328);
  EXPECT_EQ(vit(768, 12), 87473792);
  EXPECT_EQ(parameter_count(SpectralResnet(202)), 24202624);
}

TEST(Names, OfResidualNetworksAreTorchvisions) {
  const auto names = [](const torch::nn::Module& module) {
    std::set<std::string> found;
    for (const auto& [name, tensor] : state_of(module)) found.insert(name);
    return found;
  };
  const auto small = names(ResnetEncoder({.depth = 18})),
             large = names(ResnetEncoder({.depth = 50}));
  EXPECT_EQ(small.size(), 120U);  // of 122 in torchvision, without fc.weight and fc.bias
  EXPECT_EQ(large.size(), 318U);  // of 320
  for (const auto* name :
       {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer1.1.bn2.bias",
        "layer2.0.downsample.0.weight", "layer2.0.downsample.1.num_batches_tracked"})
    EXPECT_TRUE(small.contains(name)) << name;
  EXPECT_FALSE(small.contains("layer1.0.downsample.0.weight"));
  EXPECT_TRUE(large.contains("layer1.0.downsample.0.weight"));
  EXPECT_TRUE(large.contains("layer4.2.conv3.weight"));
  const auto unet = names(ResnetUnet({.depth = 18}, 32, 2));
  for (const auto* name : {"layer4.1.conv2.weight", "decoder.blocks.0.conv1.0.weight",
                           "decoder.blocks.4.conv2.1.running_var", "segmentation_head.0.bias"})
    EXPECT_TRUE(unet.contains(name)) << name;
  EXPECT_TRUE(names(SpectralAdapter(202)).contains("7.running_var"));
  EXPECT_TRUE(names(DinoHead({})).contains("last_layer.weight_v"));
}

TEST(Resnet, HalvesTheSizeOnceLessWithTheDetailedStem) {
  const torch::NoGradGuard no_grad;
  const auto image = torch::rand({1, 2, 64, 64});
  torch::nn::Module plain, detailed;
  const auto coarse =
      ResnetTrunk(plain, {.channels = 2, .depth = 18, .is_detailed = false}).forward(image);
  const auto fine =
      ResnetTrunk(detailed, {.channels = 2, .depth = 18, .is_detailed = true}).forward(image);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(coarse[i].size(3), 32 >> i);
    EXPECT_EQ(fine[i].size(3), 64 >> i);
  }
  EXPECT_THROW(ResnetEncoder({.depth = 34}), Error);
}

TEST(ResnetUnet, GivesBackTheSizeOfTheImage) {
  const torch::NoGradGuard no_grad;
  for (const bool is_detailed : {false, true}) {
    ResnetUnet model({.channels = 2, .depth = 18, .is_detailed = is_detailed}, 40, 3);
    EXPECT_EQ(model.forward(torch::rand({2, 2, 40, 56})).sizes(),
              (std::vector<std::int64_t>{2, 3, 40, 56}));
  }
  EXPECT_THROW(ResnetUnet({.depth = 18}, 16, 2), Error);
  EXPECT_THROW(UpConvHead(16, 6, 2), Error);
}

TEST(Resnet, StartsAsHeEtAlSay) {
  torch::manual_seed(2);
  const torch::NoGradGuard no_grad;
  ResnetEncoder model({.channels = 13, .depth = 18});
  for (const auto& item : model.named_parameters())
    if (item.value().dim() == 4) {
      const auto& w = item.value();
      const double fan_out = static_cast<double>(w.size(0) * w.size(2) * w.size(3));
      EXPECT_NEAR(std_of(w), std::sqrt(2 / fan_out), 0.05 * std::sqrt(2 / fan_out)) << item.key();
    }
}

}  // namespace
}  // namespace tilewright::learn
