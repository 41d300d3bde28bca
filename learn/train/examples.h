// SPDX-License-Identifier: Apache-2.0
// Arrays of a few samples that people look at: the worst predictions, hidden patches drawn again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "learn/train/evaluator.h"
#include "learn/train/loaded_run.h"

namespace tilewright::learn {

/// A sample among the worst of its part, worst first.
struct WorstSample {
  std::string part;
  SampleScore score;
};

/// The `count` samples of largest loss of an evaluated part; samples without a counted pixel are
/// not among them.
std::vector<WorstSample> worst_of(const std::string& part, const PartScore& score, int count);

/// Writes <run_folder>/worst-000000.tar: for each sample, key `<part>_<rank>`, the values of
/// classes that the run predicts (`prediction.npy`, uint8 (1, H, W)) and those of its mask
/// (`truth.npy`, 255 = ignore), and a json that says which sample it is. Masks only.
void write_worst(LoadedRun& loaded, const Corpus& corpus, const std::vector<WorstSample>& worst,
                 const std::filesystem::path& run_folder);

/// Writes <run_folder>/reconstructions-000000.tar: for the first `count` samples of the part, key
/// `<part>_<rank>`, `image.npy` as the network sees it and `drawn.npy`, in which hidden patches are
/// those that the decoder draws (float32 (C, H, W), at most 3 bands), and `hidden.npy` (uint8
/// (1, H, W), 1 = hidden); the json names the bands.
void write_reconstructions(LoadedRun& loaded, const Corpus& corpus, const std::string& part,
                           int count, const std::filesystem::path& run_folder);

}  // namespace tilewright::learn
