// SPDX-License-Identifier: Apache-2.0
// One sample from mapped shards to a normalized, augmented patch, in plain buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "learn/data/augment.h"
#include "learn/data/corpus.h"
#include "learn/data/normalize.h"

namespace tilewright::learn {

/// How every sample of a part is read.
struct ReadPlan {
  std::vector<InputInfo>
      inputs;  ///< statistics and normalize to use (an encoder's run may give its own)
  std::vector<std::size_t> augment;  ///< rows of augmentations(); empty for evaluation
  std::vector<CropPlan> crops;       ///< of each draw, before augmentations; empty: none
  bool draw_views = false;           ///< views pairs: draw a view by counter instead of the first
  std::uint64_t seed = 0;
};

/// Raw bands of one member: (C, H, W) as float32 at the upper left of (C, size, size).
/// Every element type is read by its own pass (uint16 40000 stays 40000).
/// Pixels beyond the array, NaN and infinity become NaN here.
void read_raw(const shard::ArrayView& array, std::span<const int> band_indices, int size,
              float* out, const std::string& what);

struct ReadResult {
  Patch patch;  ///< image (C, S, S) normalized; mask of class numbers, empty without target
  bool has_non_finite = false;  ///< a pixel inside the array was NaN or infinite; it is fed as 0
};

/// Pure function of (sample, plan, epoch, twin). `twin`: independent draws of view and augmentation
/// for recipes that compare them; 0 and 1 see different views where there are two. Padding is fed
/// as 0 and its mask is 255.
ReadResult read_sample(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                       std::int64_t epoch, std::int64_t sample_number, int twin);

}  // namespace tilewright::learn
