// SPDX-License-Identifier: Apache-2.0
// Starting a model from the weights of another run or of a foreign file.
#pragma once

#include <string>
#include <vector>

#include "learn/models/named_tensors.h"

namespace tilewright::learn {

struct LoadReport {
  std::vector<std::string> loaded;   ///< copied as they are
  std::vector<std::string> adapted;  ///< "<name>: how": bands picked, positions resampled
  std::vector<std::string> kept;     ///< of the module, not in the file: keep their initial values
  std::vector<std::string> unused;   ///< of the file, without a place in the module
  std::vector<std::string>
      mismatched;  ///< "<name>: [shape in file] does not fit [shape in module]"
};

/// Copies every tensor whose name (after a common prefix such as "encoder." or "model." is removed)
/// and shape match. The first layer (patch_embed.proj, inc.double_conv.0, conv1) is adapted band by
/// band if `file_bands` holds every name of `bands`; without names, one band takes the sum of
/// three. Throws Error::config if the bands cannot be mapped, or if nothing below `needed` was
/// found in the file.
LoadReport load_matching(torch::nn::Module& module, const TensorMap& file,
                         const std::vector<std::string>& file_bands,
                         const std::vector<std::string>& bands,
                         const std::vector<std::string>& needed);

/// Folds a layer for a three-channel copy of one band, normalized per channel as (x - mean) / std,
/// into an exactly equal layer for the bare band. weight [D, 3, p, p]; returns {[D, 1, p, p], [D]}.
std::pair<torch::Tensor, torch::Tensor> fold_to_one_band(const torch::Tensor& weight,
                                                         const torch::Tensor& bias,
                                                         const std::vector<double>& mean,
                                                         const std::vector<double>& std);

}  // namespace tilewright::learn
