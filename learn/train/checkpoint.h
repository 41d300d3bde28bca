// SPDX-License-Identifier: Apache-2.0
// Checkpoints: folders that hold all that a run needs to go on bit by bit, or are not used at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "learn/models/named_tensors.h"
#include "learn/train/optimizer.h"
#include "learn/train/safetensors.h"

namespace tilewright::learn {

/// Where the run stands, beside weights and optimizer.
struct TrainState {
  std::int64_t step = 0;                        ///< optimizer steps done; the schedule's position
  std::int64_t epoch = 0, sample_in_epoch = 0;  ///< the next sample to be used
  std::optional<double> best_metric;
  std::int64_t best_step = -1;  ///< checkpoint that has it; -1 = none yet
  std::uint64_t seed = 0;
  int threads = 0;
  std::string run_json, dataset_sha256;    ///< resume needs both equal
  std::string isa, torch_version, device;  ///< filled by save_checkpoint where empty
};

/// Writes <checkpoints>/step-<10 digits>/{weights,optimizer,random}.safetensors and checkpoint.json
/// (with the hash of each, written last) aside, reads them back, publishes the folder.
/// An equal folder that exists is replaced only if it is damaged.
void save_checkpoint(const std::filesystem::path& checkpoints, const torch::nn::Module& module,
                     const Optimizer& optimizer, TrainState state,
                     const Metadata& weights_metadata = {});

struct Checkpoint {
  std::filesystem::path folder;
  TrainState state;
  SafetensorsFile weights;
  TensorMap optimizer;
  torch::Tensor generator;
};

struct FoundCheckpoint {
  std::optional<Checkpoint> newest;  ///< the newest whose hashes hold
  std::vector<std::string> damaged;  ///< newer ones that were passed over, each with what is wrong
};
/// None if the folder is missing or holds no usable checkpoint.
FoundCheckpoint find_checkpoint(const std::filesystem::path& checkpoints);
/// One checkpoint by its step; throws Error::failed if it is missing or damaged.
Checkpoint read_checkpoint(const std::filesystem::path& checkpoints, std::int64_t step);
/// Weights, optimizer and generator as they were. Throws Error::failed if they do not fit.
void restore(const Checkpoint& checkpoint, torch::nn::Module& module, Optimizer& optimizer);
/// Removes all but the newest `keep` and the one of `best_step`; leaves unfinished folders alone.
void prune_checkpoints(const std::filesystem::path& checkpoints, int keep, std::int64_t best_step);

/// The vector instructions that LibTorch uses here: bits depend on it.
std::string current_isa();

}  // namespace tilewright::learn
