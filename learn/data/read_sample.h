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

[[nodiscard]] bool has_mask(const CorpusSample& sample);

/// Image (C, S, S) normalized; mask of class numbers, empty without target. The buffers of `patch`
/// are used again. Pure function of (sample, plan, epoch, twin). `twin`: independent draws of view
/// and augmentation for recipes that compare them; 0 and 1 see different views where there are
/// two. Padding is fed as 0 and its mask is 255. False if a pixel inside the array was NaN or
/// infinite; it is fed as 0.
bool read_sample(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                 std::int64_t epoch, std::int64_t sample_number, int twin, Patch& patch);

/// True if nothing of the plan moves or changes pixels after they were read.
[[nodiscard]] bool is_read_in_one_pass(const ReadPlan& plan);
/// The same for such plans, straight into (C, S, S) at `image` and, if not null, (S, S) at `mask`:
/// each pixel is converted and normalized on its way.
bool read_in_one_pass(const Corpus& corpus, const CorpusSample& sample, const ReadPlan& plan,
                      std::int64_t epoch, std::int64_t sample_number, int twin,
                      std::span<float> image, std::uint8_t* mask);

}  // namespace tilewright::learn
