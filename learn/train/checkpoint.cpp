// SPDX-License-Identifier: Apache-2.0
// Writing, finding and restoring checkpoints.
#include "learn/train/checkpoint.h"

#include <ATen/Version.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/shard/commit.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"
#include "learn/train/random_state.h"

namespace tilewright::learn {

template <class V>
void describe(V&& v, TrainState& c) {
  v("step", c.step, "optimizer steps done");
  v("epoch", c.epoch, "epoch of the next sample");
  v("sample_in_epoch", c.sample_in_epoch, "next sample of the epoch");
  v("best_metric", c.best_metric, "best value on validation so far");
  v("best_step", c.best_step, "checkpoint that has it");
  v("seed", c.seed, "seed of the run");
  v("threads", c.threads, "CPU threads");
  v("run_json", c.run_json, "resolved run");
  v("dataset_sha256", c.dataset_sha256, "identity of the dataset");
  v("isa", c.isa, "vector instructions");
  v("torch_version", c.torch_version, "LibTorch");
  v("device", c.device, "device");
}

namespace {

namespace fs = std::filesystem;

constexpr std::array kParts{"weights.safetensors", "optimizer.safetensors", "random.safetensors"};
constexpr const char* kStepPrefix = "step-";

std::string folder_name(std::int64_t step) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%s%010lld", kStepPrefix, static_cast<long long>(step));
  return text.data();
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in)
    throw Error::failed("cannot read " + file.string() +
                        " of a checkpoint; an earlier checkpoint may be whole");
  return {std::istreambuf_iterator<char>(in), {}};
}

Json optimizer_options(const OptimizerConfig& config) {
  auto options = json_of(config);
  options["eps"] = 1e-8;
  return options;
}

/// The file's content if it has the size and hash that checkpoint.json states.
std::string verified_content(const fs::path& folder, const std::string& name, const Json& files) {
  const auto found = files.find(name);
  if (found == files.end() || !found->is_object())
    throw Error::failed("checkpoint.json in " + folder.string() + " does not list " + name);
  auto content = read_text(folder / name);
  const auto hash = shard::sha256_hex(content);
  if (found->value("sha256", "") != hash)
    throw Error::failed((folder / name).string() + " has the hash " + hash.substr(0, 12) +
                        ", checkpoint.json says " +
                        found->value("sha256", "nothing").substr(0, 12) + "; the file is damaged");
  return content;
}

Checkpoint read_folder(const fs::path& folder) {
  const auto document =
      Json::parse(read_text(folder / "checkpoint.json"), nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || !document.contains("state") || !document.contains("files"))
    throw Error::failed((folder / "checkpoint.json").string() +
                        " is not a checkpoint's description; the file is damaged");
  Checkpoint checkpoint{
      .folder = folder, .state = {}, .weights = {}, .optimizer = {}, .generator = {}};
  read_json(document["state"], checkpoint.state, (folder / "checkpoint.json").string() + ": state");
  const auto part = [&](const char* name) {
    return parse_safetensors(verified_content(folder, name, document["files"]),
                             (folder / name).string());
  };
  checkpoint.weights = part(kParts[0]);
  checkpoint.optimizer = part(kParts[1]).tensors;
  auto random = part(kParts[2]).tensors;
  if (!random.contains("torch_cpu"))
    throw Error::failed((folder / kParts[2]).string() + " lacks torch_cpu");
  checkpoint.generator = random["torch_cpu"];
  return checkpoint;
}

/// Steps of the checkpoint folders, newest first.
std::vector<std::int64_t> steps_in(const fs::path& checkpoints) {
  std::vector<std::int64_t> steps;
  if (!fs::is_directory(checkpoints)) return steps;
  for (const auto& entry : fs::directory_iterator(checkpoints)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(kStepPrefix) || !entry.is_directory()) continue;
    const auto digits = name.substr(std::char_traits<char>::length(kStepPrefix));
    if (digits.size() != 10 || digits.find_first_not_of("0123456789") != std::string::npos)
      continue;
    steps.push_back(std::stoll(digits));
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

bool is_whole(const fs::path& folder) {
  try {
    read_folder(folder);
    return true;
  } catch (const Error&) {
    return false;
  }
}

void complete(TrainState& state, const torch::nn::Module& module) {
  if (state.isa.empty()) state.isa = current_isa();
  if (state.torch_version.empty()) state.torch_version = TORCH_VERSION;
  const auto parameters = module.parameters();
  if (state.device.empty())
    state.device = parameters.empty() ? "cpu" : parameters.front().device().str();
}

}  // namespace

std::string current_isa() { return at::get_cpu_capability(); }

void save_checkpoint(const fs::path& checkpoints, const torch::nn::Module& module,
                     const Optimizer& optimizer, TrainState state,
                     const Metadata& weights_metadata) {
  const auto target = checkpoints / folder_name(state.step);
  if (fs::exists(target)) {
    if (is_whole(target)) return;
    fs::remove_all(target);
  }
  complete(state, module);
  shard::make_folders(checkpoints);
  shard::PendingFolder pending(target);
  const auto& folder = pending.temporary_path();
  Json files = Json::object();
  const auto write = [&](const char* name, const NamedTensors& tensors, const Metadata& metadata) {
    const auto published = write_safetensors(folder / name, tensors, metadata);
    if (shard::sha256_file(folder / name) != published.sha256)
      throw Error::failed("the checkpoint file " + (folder / name).string() +
                          " reads back differently than it was written; check the disk");
    files[name] = {{"bytes", published.bytes}, {"sha256", published.sha256}};
  };
  write(kParts[0], state_of(module), weights_metadata);
  write(kParts[1], optimizer.state(),
        {{"optimizer", optimizer_options(optimizer.config()).dump()}});
  write(kParts[2], {{"torch_cpu", global_generator_state()}}, {});
  const Json document = {{"version", 1},
                         {"tilewright", kVersion},
                         {"state", json_of(state)},
                         {"optimizer", optimizer_options(optimizer.config())},
                         {"files", files}};
  shard::publish_file(folder / "checkpoint.json", document.dump(1) + "\n");
  pending.publish();
}

FoundCheckpoint find_checkpoint(const fs::path& checkpoints) {
  FoundCheckpoint found;
  for (const auto step : steps_in(checkpoints)) {
    try {
      found.newest = read_folder(checkpoints / folder_name(step));
      return found;
    } catch (const Error& error) {
      found.damaged.emplace_back(error.what());
    }
  }
  return found;
}

Checkpoint read_checkpoint(const fs::path& checkpoints, std::int64_t step) {
  return read_folder(checkpoints / folder_name(step));
}

void restore(const Checkpoint& checkpoint, torch::nn::Module& module, Optimizer& optimizer) {
  assign_state(module, checkpoint.weights.tensors, checkpoint.folder.string());
  optimizer.load_state(checkpoint.optimizer, checkpoint.folder.string());
  set_global_generator_state(checkpoint.generator);
}

void prune_checkpoints(const fs::path& checkpoints, int keep, std::int64_t best_step) {
  const auto steps = steps_in(checkpoints);
  for (std::size_t i = static_cast<std::size_t>(std::max(keep, 1)); i < steps.size(); ++i)
    if (steps[i] != best_step) fs::remove_all(checkpoints / folder_name(steps[i]));
}

}  // namespace tilewright::learn
