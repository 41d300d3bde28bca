// SPDX-License-Identifier: Apache-2.0
// A folder for what a stage needs only while it runs.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
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

/// For work that a stop must not lose: found again by a later run with the same `key`, emptied by one with another.
class KeptFolder {
 public:
  KeptFolder(std::filesystem::path path, const std::string& key) : path_(std::move(path)) {
    const auto note = path_ / "key";
    std::string found;
    std::ifstream(note) >> found;
    if (found == key) return;
    std::filesystem::remove_all(path_);
    shard::make_folders(path_);
    shard::publish_file(note, key);
  }
  /// When the work is done.
  void remove() const { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace tilewright::pipeline
