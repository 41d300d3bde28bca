// SPDX-License-Identifier: Apache-2.0
// A folder for what a stage needs only while it runs.
#pragma once

#include <filesystem>
#include <utility>

#include "index/shard/commit.h"

namespace tilewright::pipeline {

/// Empty at the start, gone at the end; what a killed run left is removed first.
class ScratchFolder {
 public:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {
    std::filesystem::remove_all(path_);
    shard::make_folders(path_);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tilewright::pipeline
