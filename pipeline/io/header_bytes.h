// SPDX-License-Identifier: Apache-2.0
// Bytes of a file by place: read as they are, or held where a header asks for them again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::pipeline {

/// A file that is read at given places; closed with its owner.
class FileBytes {
 public:
  /// nullopt if the file cannot be opened or is no regular file.
  static std::optional<FileBytes> open(const std::filesystem::path& file);
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&&) = delete;
  ~FileBytes();
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// All of `into` from `offset` on; false if the file is shorter or cannot be read.
  [[nodiscard]] bool read(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  FileBytes(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  int descriptor_;
  std::uint64_t size_;
};

/// What a header may cost.
struct HeaderBudget {
  std::size_t reads = 16;
  std::uint64_t bytes = 1 << 20;
};

/// The beginning of a file in one read, a few more where something lies elsewhere. `file` outlives
/// it.
class HeaderBytes {
 public:
  explicit HeaderBytes(const FileBytes& file, HeaderBudget budget = {})
      : file_(&file), size_(file.size()), budget_(budget) {}
  /// Of bytes in memory, for tests.
  explicit HeaderBytes(std::span<const std::byte> all) : size_(all.size()) {
    parts_.push_back({0, {all.begin(), all.end()}});
  }
  [[nodiscard]] std::uint64_t file_size() const { return size_; }
  /// [at, at + length); empty beyond the file, and once the budget is spent.
  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t length);

 private:
  struct Part {
    std::uint64_t at = 0;
    std::vector<std::byte> bytes;
  };
  const FileBytes* file_ = nullptr;
  std::uint64_t size_ = 0, taken_ = 0;
  HeaderBudget budget_;
  std::vector<Part> parts_;
};

}  // namespace tilewright::pipeline
