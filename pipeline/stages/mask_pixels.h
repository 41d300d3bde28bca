// SPDX-License-Identifier: Apache-2.0
// Pixels of the masks in a workspace, counted by class.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "index/rows.h"
#include "index/shard/shard_reader.h"

namespace tilewright::pipeline {

/// Keeps the shard files that it has read mapped. Not shared between threads.
class MaskPixels {
 public:
  explicit MaskPixels(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}

  /// Pixels of each value; the mask has a place. Throws Error::failed if the shard cannot be read.
  [[nodiscard]] std::array<std::int64_t, 256> count(const index::MaskRow& mask);

 private:
  std::filesystem::path workspace_;
  std::map<std::string, shard::MappedFile> files_;
};

}  // namespace tilewright::pipeline
