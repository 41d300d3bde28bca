// SPDX-License-Identifier: Apache-2.0
// The result of a run: weights.safetensors, and weights.json with the hash that it was written with.
#pragma once

#include <filesystem>

#include "learn/train/safetensors.h"

namespace tilewright::learn {

inline constexpr const char* kWeights = "weights.safetensors";
inline constexpr const char* kWeightSums = "weights.json";  ///< {"files": {"weights.safetensors": {"bytes", "sha256"}}}

/// True if the weights in `run_folder` carry `metadata` and are, byte for byte, what was published.
bool has_published_weights(const std::filesystem::path& run_folder, const Metadata& metadata);

/// The weights first, their hash after them: a kill between the two leaves weights that count as unpublished.
void publish_weights(const std::filesystem::path& run_folder, const NamedTensors& tensors,
                     const Metadata& metadata);

}  // namespace tilewright::learn
