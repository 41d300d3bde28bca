// SPDX-License-Identifier: Apache-2.0
// Features of samples as an array, from runs and from what runs start from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/shard/shard_reader.h"
#include "learn/data/loader.h"
#include "learn/models/named_tensors.h"
#include "learn/models/vit.h"
#include "learn/train/embedder.h"
#include "learn/train/loaded_run.h"
#include "learn/train/pth.h"
#include "learn/train/safetensors.h"
#include "learn/train/trainer.h"
#include "tests/learn/one_thread.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::ScratchFolder;

torch::Tensor read_npy(const fs::path& file) {
  const shard::MappedFile mapped(file);
  const auto header = shard::parse_npy(mapped.bytes(), file.string());
  EXPECT_EQ(header.dtype, shard::DType::f32);
  const auto* data = mapped.bytes().data() + header.header_bytes;
  return torch::from_blob(const_cast<std::byte*>(data), header.shape, torch::kFloat32).clone();
}

class Embed : public ::testing::Test {
 protected:
  Embed() { testing::write_tiny_dataset(scratch_.path(), {.views = 2, .has_masks = false}); }

  TrainRequest training(const std::string& recipe, const std::string& model) {
    TrainRequest request;
    request.workspace = scratch_.path();
    request.dataset = scratch_.path() / "datasets/tiny/dataset.json";
    request.run_folder = scratch_.path() / "runs" / recipe;
    request.run.dataset = "tiny";
    request.run.recipe = recipe;
    request.run.model = testing::tiny_vit();
    request.run.model.name = model;
    request.run.model.detailed = true;
    request.run.batch = 6, request.run.epochs = 1;
    request.run.threads = 1, request.run.device = "cpu";
    return request;
  }
  EmbedRequest embedding(const TrainRequest& of) {
    EmbedRequest request;
    request.workspace = of.workspace, request.dataset = of.dataset;
    request.run_folder = of.run_folder;
    request.samples = scratch_.path() / "datasets/tiny/val.tsv";
    request.output = scratch_.path() / "features.npy";
    request.threads = 1, request.batch = 3, request.device = "cpu";
    return request;
  }
  torch::Tensor features(const EmbedRequest& request) {
    run_embed(request, {});
    return read_npy(request.output);
  }
  std::string error_of(const EmbedRequest& request) {
    try {
      run_embed(request, {});
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  ScratchFolder scratch_;
};

/// The part file beside it with no value in its target column.
fs::path without_targets(const fs::path& part) {
  std::ifstream in(part);
  std::string text, line;
  for (bool is_header = true; std::getline(in, line); is_header = false) {
    std::istringstream cells(line);
    int column = 0;
    for (std::string cell; std::getline(cells, cell, '\t'); ++column)
      text += (column ? "\t" : "") + (column == 11 && !is_header ? "-" : cell);
    text += "\n";
  }
  const auto file = part.parent_path() / "bare.tsv";
  shard::publish_file(file, text);
  return file;
}

/// The images of a part as the network sees them.
torch::Tensor images_of(const Corpus& corpus, const std::vector<InputInfo>& inputs) {
  const ReadPlan plan{.inputs = inputs};
  std::vector<torch::Tensor> images;
  std::int64_t number = 0;
  for (const auto& sample : corpus.part("val")) {
    Patch patch;
    read_sample(corpus, sample, plan, 0, number++, 0, patch);
    images.push_back(torch::tensor(patch.image).view({1, patch.channels, patch.size, patch.size}));
  }
  return torch::cat(images);
}

TEST_F(Embed, RowsAreWhatTheEncoderSaysOfEachSampleInOrder) {
  const auto run = training("mae", "vit");
  run_train(run, {});
  const Corpus corpus(run.workspace, run.dataset);
  const auto loaded = load_run(run.run_folder, corpus.dataset(), "cpu", 1);
  const torch::NoGradGuard no_grad;
  const auto image = images_of(corpus, loaded.record.inputs);
  const auto code = loaded.recipe->encode(image, std::nullopt);
  auto request = embedding(run);
  const auto own = features(request);
  EXPECT_EQ(own.sizes(), (std::vector<std::int64_t>{8, 24}));
  EXPECT_TRUE(torch::allclose(own, code.cls_nd, 1e-5, 1e-6));
  request.pool = "cls";
  EXPECT_TRUE(torch::equal(features(request), own));
  request.pool = "mean";
  EXPECT_TRUE(torch::allclose(features(request), code.map_ndhw.mean({2, 3}), 1e-5, 1e-6));
  request.tap = 0;
  const auto first = features(request);
  EXPECT_TRUE(
      torch::allclose(first, loaded.recipe->encode(image, 0).map_ndhw.mean({2, 3}), 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(first, code.map_ndhw.mean({2, 3})));
  request.tap = 2;
  EXPECT_THAT(error_of(request), HasSubstr("tap 2: this network has the blocks 0 to 1"));
  request.tap = 1;  // after the last block, before the last norm
  EXPECT_FALSE(torch::allclose(features(request), code.map_ndhw.mean({2, 3})));
}

TEST_F(Embed, EveryRecipeAndModelHasFeatures) {
  for (const auto& [recipe, model, dim, dim_of_level_1] :
       {std::tuple("simclr", "resnet18", 512, 64),
        {"moco", "unet", 128, 16},
        {"dino", "vit", 24, 0}}) {
    auto run = training(recipe, model);
    run.run.model.width = 8;
    run.run.model.head_hidden = 16, run.run.model.head_bottleneck = 8, run.run.model.head_out = 12;
    run.run.loss.queue = 0;
    run_train(run, {});
    auto request = embedding(run);
    EXPECT_EQ(features(request).sizes(), (std::vector<std::int64_t>{8, dim})) << recipe;
    if (std::string(model) == "vit") continue;
    request.pool = "cls";
    EXPECT_THAT(error_of(request), HasSubstr("--pool mean")) << recipe;
    request.pool = "mean", request.tap = 1;
    EXPECT_EQ(features(request).size(1), dim_of_level_1) << recipe;
    request.tap = 5;
    EXPECT_THAT(error_of(request), HasSubstr("levels 0 to 4")) << recipe;
  }
}

TEST_F(Embed, TheStartOfARunIsItsFile) {
  auto first = training("simclr", "vit");
  run_train(first, {});
  auto second = training("classify", "vit");
  auto request = embedding(first);
  const auto wanted = features(request);
  const auto file = fs::path(first.run_folder) / "weights.safetensors";
  testing::write_tiny_dataset(scratch_.path(), {.views = 2, .target = "class"});
  request.run = second.run;
  request.init_file = file;
  request.samples = without_targets(request.samples);
  const auto even = torch::tensor({0, 1, 4, 5}, torch::kInt64);  // odd locations are brighter now
  EXPECT_TRUE(torch::allclose(features(request).index_select(0, even), wanted.index_select(0, even),
                              1e-5, 1e-6));
  request.init_file.reset();
  EXPECT_THAT(error_of(request), HasSubstr("starts from no weights"));
}

TEST_F(Embed, StopsOnRequestWithoutAFile) {
  const auto run = training("mae", "vit");
  run_train(run, {});
  std::stop_source source;
  source.request_stop();
  LearnContext context;
  context.stop = source.get_token();
  const auto request = embedding(run);
  try {
    run_embed(request, context);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::stopped);
  }
  EXPECT_FALSE(fs::exists(request.output));
}

/// A state dict that Python's torch.save wrote, an image, and what timm's ViT said of it: see
/// make_timm_vit.py.
TEST(TimmVit, SavedByPythonGivesTheSameFeatures) {
  const auto folder = fs::path(TILEWRIGHT_SOURCE_DIR) / "tests/learn/timm_vit";
  const auto seen = read_safetensors(folder / "seen.safetensors").tensors;
  VitEncoder encoder(
      {.channels = 2, .size_px = 16, .patch_px = 4, .dim = 12, .depth = 2, .heads = 2});
  auto weights = read_pth(folder / "vit.pth");
  assign_state(encoder, weights, "vit.pth");
  encoder.eval();
  const torch::NoGradGuard no_grad;
  const auto& image = seen.at("image");
  const auto code = encoder.encode(image, std::nullopt);
  const auto near = [](const torch::Tensor& a, const torch::Tensor& b) {
    return a.sizes() == b.sizes() && (a - b).abs().max().item<double>() < 1e-5;
  };
  EXPECT_TRUE(near(code.cls_nd, seen.at("cls")));
  EXPECT_TRUE(near(pooled_as("mean", code), seen.at("mean")));
  EXPECT_TRUE(near(encoder.encode(image, 0).map_ndhw, seen.at("block_0")));
  EXPECT_TRUE(near(encoder.encode(seen.at("larger"), std::nullopt).cls_nd, seen.at("larger_cls")));
}

}  // namespace
}  // namespace tilewright::learn
