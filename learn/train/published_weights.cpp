// SPDX-License-Identifier: Apache-2.0
// Writing the weights of a finished run, and knowing them again.
#include "learn/train/published_weights.h"

#include <fstream>

#include "index/shard/commit.h"
#include "index/shard/sha256.h"
#include "learn/config/json.h"

namespace tilewright::learn {

namespace fs = std::filesystem;

bool has_published_weights(const fs::path& run_folder, const Metadata& metadata) {
  const auto weights = run_folder / kWeights;
  std::ifstream in(run_folder / kWeightSums, std::ios::binary);
  if (!in || !fs::exists(weights)) return false;
  const auto sums = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  const Json::json_pointer hash(std::string("/files/") + kWeights + "/sha256");
  return sums.is_object() && sums.contains(hash) && sums[hash] == shard::sha256_file(weights) &&
         read_safetensors_metadata(weights) == metadata;
}

void publish_weights(const fs::path& run_folder, const NamedTensors& tensors,
                     const Metadata& metadata) {
  const auto published = write_safetensors(run_folder / kWeights, tensors, metadata);
  Json sums;
  sums["files"][kWeights] = {{"bytes", published.bytes}, {"sha256", published.sha256}};
  shard::publish_file(run_folder / kWeightSums, sums.dump(1) + "\n");
}

}  // namespace tilewright::learn
