// SPDX-License-Identifier: Apache-2.0
// Steps of training, feeding alone, and what both cost: `tilewright-learn-bench step|feed ...` prints one JSON line.
#include <sys/resource.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "learn/config/json.h"
#include "learn/data/loader.h"
#include "learn/train/batch.h"
#include "learn/train/device.h"
#include "learn/train/stepper.h"
#include "tests/learn/tiny_dataset.h"

namespace {

using namespace tilewright;
using namespace tilewright::learn;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double peak_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

/// A dataset of squares of `size` pixels below `folder`, of masks or of classes.
Corpus corpus_of(const std::filesystem::path& folder, int size, int channels, int samples, bool is_mask) {
  testing::TinySpec spec{.train = samples, .val = 1, .test = 1, .size = size, .channels = channels};
  if (!is_mask) spec.target = "class";
  return {folder, testing::write_tiny_dataset(folder, spec)};
}

RunConfig run_of(const std::string& model, int threads) {
  RunConfig run;
  run.dataset = "tiny";
  run.recipe = model == "unet" ? "segment" : "classify";
  run.model.name = model;
  run.model.width = 64;
  run.model.patch_px = 16;
  run.batch = 8;
  run.threads = threads;
  run.device = "cpu";
  run.epochs = 1000;
  return run;
}

/// `steps` steps of batch 8 after two to warm up, as the trainer makes them, its loader beside it.
Json steps_of(const std::string& model, int size, int channels, int steps, int threads) {
  const testing::ScratchFolder folder;
  const auto device = prepare_device("cpu", threads, "normal");
  const auto corpus = corpus_of(folder.path(), size, channels, 32, model == "unet");
  const auto run = run_of(model, threads);
  const auto recipe = make_recipe(run, corpus.dataset());
  const auto& samples = corpus.part("train");
  const auto loading = loader_config(run, corpus.dataset().inputs, "each", recipe->delivery(), static_cast<std::int64_t>(samples.size()), true);
  Loader loader(corpus, samples, loading);
  Stepper stepper(*recipe, run, length_of(run, loader.batches()), device);
  set_training(*recipe, run, true);
  std::vector<double> times, waits;
  std::int64_t epoch = 0;
  loader.start(epoch);
  for (int step = 0; step < steps + 2; ++step) {
    const auto start = Clock::now();
    auto raw = loader.next();
    if (!raw) {
      loader.start(++epoch);
      raw = loader.next();
    }
    const double waited = seconds_since(start);
    stepper.step(*raw, samples, {.seed = 1, .epoch = epoch, .step = step});
    loader.give_back(std::move(*raw));
    if (step < 2) continue;
    times.push_back(seconds_since(start));
    waits.push_back(waited);
  }
  double all = 0, waited = 0;
  for (const auto time : times) all += time;
  for (const auto wait : waits) waited += wait;
  return {{"step_s", median(times)}, {"loader_share", waited / all}, {"peak_mb", peak_mb()}};
}

/// Rates of what `once` does, in units a call, for `seconds`.
template <class Once>
double rate_of(const Once& once, double seconds) {
  double units = 0;
  const auto start = Clock::now();
  while (seconds_since(start) < seconds) units += once();
  return units / seconds_since(start);
}

/// Epochs of batches of 8 without a step, beside copies of buffers as large as their samples, one thread each: they alternate, since
/// memory is not as fast in each second as in the next, and medians count. Bytes moved are those read and those written.
Json feeding_of(int size, int channels) {
  const testing::ScratchFolder folder;
  const auto corpus = corpus_of(folder.path(), size, channels, 256, true);
  const auto run = run_of("unet", 1);
  const auto& samples = corpus.part("train");
  Loader loader(corpus, samples, loader_config(run, corpus.dataset().inputs, "each", Delivery::image_and_mask, static_cast<std::int64_t>(samples.size()), true));
  std::int64_t epoch = 0;
  const auto feed = [&] {
    loader.start(epoch++);
    std::int64_t seen = 0;
    while (auto raw = loader.next()) {
      seen += raw->count;
      loader.give_back(std::move(*raw));
    }
    return static_cast<double>(seen);
  };
  const auto bytes = static_cast<std::size_t>(size) * static_cast<std::size_t>(size) * static_cast<std::size_t>(channels) * 3;
  std::vector<std::byte> from(256 * bytes, std::byte{1}), to(8 * bytes);
  const auto copy = [&] {
    for (std::size_t i = 0; i < 256; ++i) {
      std::memcpy(to.data() + (i % 8) * bytes, from.data() + i * bytes, bytes);
      asm volatile("" : : "r"(to.data()) : "memory");
    }
    return 2.0 * 256 * static_cast<double>(bytes);
  };
  feed();
  std::vector<double> fed, copied;
  for (int round = 0; round < 9; ++round) {
    fed.push_back(rate_of(feed, 0.25));
    copied.push_back(rate_of(copy, 0.25));
  }
  const double pixels = static_cast<double>(size) * size, moved = pixels * (channels * (2 + 4) + 2);
  return {{"samples_per_s", median(fed)}, {"bytes_per_s", median(fed) * moved}, {"copy", {{"bytes_per_s", median(copied)}}}};
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  const auto number = [&](std::size_t i) { return std::atoi(arguments.at(i).c_str()); };
  if (arguments.size() == 6 && arguments[0] == "step") {
    std::cout << steps_of(arguments[1], number(2), number(3), number(4), number(5)).dump() << "\n";
  } else if (arguments.size() == 3 && arguments[0] == "feed") {
    std::cout << feeding_of(number(1), number(2)).dump() << "\n";
  } else {
    std::cerr << "usage: tilewright-learn-bench step unet|vit_small SIZE CHANNELS STEPS THREADS | feed SIZE CHANNELS\n";
    return 2;
  }
  return 0;
}
