// SPDX-License-Identifier: Apache-2.0
// Batches prepared ahead by plain threads; their order and bits do not depend on how many.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "learn/data/read_sample.h"

namespace tilewright::learn {

struct LoaderConfig {
  ReadPlan plan;
  int batch = 8;
  bool shuffle = false;    ///< order = epoch_order(count, plan.seed, epoch)
  int draws = 1;           ///< reads of each sample: 2 also fill `twin`, more fill `small`
  int smallest_batch = 1;  ///< a last batch with fewer samples is left out
  int threads = 1;
  int ahead = 4;  ///< batches ready or in work at once
};

/// Buffers of one batch: image (N, C, S, S), mask (N, S, S) of class numbers, 255 = ignore.
struct RawBatch {
  std::int64_t number = 0;  ///< in the epoch
  int count = 0, channels = 0, size = 0;
  std::vector<float> image, twin;
  std::vector<std::vector<float>> small;  ///< further draws, (N, C, small_size, small_size) each
  int small_size = 0;
  std::vector<std::uint8_t> mask;  ///< empty without target
  /// Class targets: one class number a sample, or 0 and 1 for each class of each sample.
  std::vector<std::uint8_t> labels;
  std::vector<std::int64_t> samples;    ///< numbers in the part
  std::vector<std::string> non_finite;  ///< names of samples with NaN or infinite pixels
};

class Loader {
 public:
  /// `samples` belong to `corpus`; both outlive the loader.
  Loader(const Corpus& corpus, const std::vector<CorpusSample>& samples, LoaderConfig config);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  [[nodiscard]] std::int64_t batches() const;  ///< of one epoch
  /// Starts an epoch at batch `first`; what was in work before is dropped.
  void start(std::int64_t epoch, std::int64_t first = 0);
  /// The next batch in order; nullopt at the end of the epoch. Rethrows what a thread threw.
  std::optional<RawBatch> next();
  /// Takes the buffers of a batch that is no longer needed: later batches are written into them,
  /// so that no memory is asked for once a few batches are under way.
  void give_back(RawBatch batch);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright::learn
