// SPDX-License-Identifier: Apache-2.0
// Checkpoints: exact resume, damage recognized, the one before used.
#include "learn/train/checkpoint.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>

#include "geometry/error.h"
#include "learn/models/unet.h"
#include "learn/train/random_state.h"
#include "tests/learn/one_thread.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;
namespace fs = std::filesystem;

struct TinyRun {
  explicit TinyRun(std::uint64_t seed = 1) {
    torch::manual_seed(seed);
    net = std::make_shared<Unet>(UnetShape{.channels = 2, .classes = 2, .width = 2}, 16);
    optimizer = std::make_unique<Optimizer>(
        OptimizerConfig{.name = "adamw", .lr = 0.02, .weight_decay = 0.07, .beta2 = 0.95},
        trainable_of(*net));
  }
  /// A step whose noise comes from the counter and from the global generator.
  void train(int from, int to) {
    for (int step = from; step < to; ++step) {
      optimizer->zero_grad();
      const auto image = uniform_noise({2, 2, 16, 16}, {.seed = 9, .epoch = 0, .step = step}, 1) +
                         0.1 * torch::rand({2, 2, 16, 16});
      net->forward(image).square().mean().backward();
      optimizer->step(0.02);
    }
  }
  std::shared_ptr<Unet> net;
  std::unique_ptr<Optimizer> optimizer;
};

bool is_equal(const TinyRun& a, const TinyRun& b) {
  const auto left = state_of(*a.net), right = state_of(*b.net);
  for (std::size_t i = 0; i < left.size(); ++i)
    if (!torch::equal(left[i].second, right[i].second)) return false;
  return true;
}

void flip_byte(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(0, std::ios::end);
  const auto at = static_cast<std::streamoff>(stream.tellg()) * 2 / 3;
  stream.seekg(at);
  const char old = static_cast<char>(stream.get());
  stream.seekp(at);
  stream.put(static_cast<char>(old ^ 0x10));
}

TEST(Checkpoint, ResumesBitByBit) {
  const ScratchFolder scratch;
  TinyRun whole;
  whole.train(0, 3);
  save_checkpoint(scratch.path(), *whole.net, *whole.optimizer,
                  {.step = 3,
                   .epoch = 1,
                   .sample_in_epoch = 4,
                   .best_metric = 0.5,
                   .best_step = 2,
                   .seed = 7,
                   .threads = 2,
                   .run_json = "{\"a\": 1}",
                   .dataset_sha256 = "beef"},
                  {{"bands", "red"}});
  whole.train(3, 6);

  TinyRun resumed(99);
  torch::manual_seed(5);
  const auto found = find_checkpoint(scratch.path());
  ASSERT_TRUE(found.newest);
  EXPECT_TRUE(found.damaged.empty());
  const auto& state = found.newest->state;
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(state.epoch, 1);
  EXPECT_EQ(state.sample_in_epoch, 4);
  EXPECT_EQ(state.best_metric, 0.5);
  EXPECT_EQ(state.best_step, 2);
  EXPECT_EQ(state.seed, 7U);
  EXPECT_EQ(state.run_json, "{\"a\": 1}");
  EXPECT_EQ(state.dataset_sha256, "beef");
  EXPECT_EQ(state.isa, current_isa());
  EXPECT_EQ(state.device, "cpu");
  EXPECT_EQ(found.newest->weights.metadata.at("bands"), "red");
  restore(*found.newest, *resumed.net, *resumed.optimizer);
  resumed.train(3, 6);
  EXPECT_TRUE(is_equal(whole, resumed));
  TinyRun other;
  other.train(0, 6);
  EXPECT_FALSE(is_equal(other, TinyRun()));
}

TEST(Checkpoint, IsSkippedWhenAnyOfItsFilesIsDamaged) {
  for (const std::string part :
       {"weights.safetensors", "optimizer.safetensors", "random.safetensors", "checkpoint.json"}) {
    const ScratchFolder scratch;
    TinyRun run;
    save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = 10});
    run.train(0, 1);
    save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = 20});
    const auto newest = scratch.path() / "step-0000000020" / part;
    if (part == "checkpoint.json")
      fs::resize_file(newest, fs::file_size(newest) / 2);
    else
      flip_byte(newest);
    const auto found = find_checkpoint(scratch.path());
    ASSERT_TRUE(found.newest) << part;
    EXPECT_EQ(found.newest->state.step, 10) << part;
    ASSERT_EQ(found.damaged.size(), 1U) << part;
    EXPECT_NE(found.damaged[0].find("step-0000000020"), std::string::npos) << found.damaged[0];
    EXPECT_THROW(read_checkpoint(scratch.path(), 20), Error);
    fs::remove(newest);
    EXPECT_EQ(find_checkpoint(scratch.path()).newest->state.step, 10) << part;
    // The run comes by again and writes it anew.
    save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = 20});
    EXPECT_EQ(find_checkpoint(scratch.path()).newest->state.step, 20) << part;
  }
}

TEST(Checkpoint, LeftoversOfAKilledRunAreNoCheckpoints) {
  const ScratchFolder scratch;
  EXPECT_FALSE(find_checkpoint(scratch.path() / "missing").newest);
  fs::create_directories(scratch.path() / ".tmp-step-0000000030-abc");
  fs::create_directories(scratch.path() / "step-x");
  fs::create_directories(scratch.path() / "step-0000000005");
  const auto found = find_checkpoint(scratch.path());
  EXPECT_FALSE(found.newest);
  EXPECT_EQ(found.damaged.size(), 1U);
}

TEST(Checkpoint, ThoseToKeepAreTheNewestAndTheBest) {
  const ScratchFolder scratch;
  TinyRun run;
  for (const std::int64_t step : {1, 2, 3, 4, 5})
    save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = step});
  prune_checkpoints(scratch.path(), 2, /*best_step=*/2);
  for (const std::int64_t step : {1, 3})
    EXPECT_THROW(read_checkpoint(scratch.path(), step), Error) << step;
  for (const std::int64_t step : {2, 4, 5})
    EXPECT_EQ(read_checkpoint(scratch.path(), step).state.step, step);
}

TEST(Checkpoint, KeepsTheOptimizersOptions) {
  const ScratchFolder scratch;
  TinyRun run;
  save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = 1});
  const auto options =
      read_safetensors_metadata(scratch.path() / "step-0000000001" / "optimizer.safetensors")
          .at("optimizer");
  for (const auto* text :
       {"\"weight_decay\":0.07", "\"beta2\":0.95", "\"lr\":0.02", "\"name\":\"adamw\""})
    EXPECT_NE(options.find(text), std::string::npos) << options;
}

TEST(Checkpoint, OfAnotherModelIsRefusedByName) {
  const ScratchFolder scratch;
  TinyRun run;
  save_checkpoint(scratch.path(), *run.net, *run.optimizer, {.step = 1});
  Unet other({.channels = 3, .classes = 2, .width = 2}, 16);
  Optimizer optimizer({.name = "adamw"}, trainable_of(other));
  try {
    restore(*find_checkpoint(scratch.path()).newest, other, optimizer);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("inc.double_conv.0.weight"), std::string::npos)
        << error.what();
  }
}

TEST(UniformNoise, DependsOnItsPlaceOnly) {
  const auto at = [](std::uint64_t seed, std::int64_t epoch, std::int64_t step,
                     std::uint64_t purpose) {
    return uniform_noise({1000}, {.seed = seed, .epoch = epoch, .step = step}, purpose);
  };
  const auto base = at(1, 2, 3, 4);
  EXPECT_TRUE(torch::equal(base, at(1, 2, 3, 4)));
  for (const auto& other :
       {at(2, 2, 3, 4), at(1, 3, 3, 4), at(1, 2, 4, 4), at(1, 2, 3, 5), at(1, 3, 2, 4)})
    EXPECT_FALSE(torch::equal(base, other));
  EXPECT_GE(base.min().item<double>(), 0);
  EXPECT_LT(base.max().item<double>(), 1);
  EXPECT_NEAR(base.mean().item<double>(), 0.5, 0.05);
}

}  // namespace
}  // namespace tilewright::learn
