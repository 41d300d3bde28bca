// SPDX-License-Identifier: Apache-2.0
// The one I/O layer below commit and shards: owned descriptors, interrupted and short calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

namespace tilewright::shard {

/// Owns one file descriptor; closes it without looking at the result (readers, error paths).
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] bool is_open() const { return value_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }

 private:
  int value_ = -1;
};

/// Text of an errno value.
std::string cause(int error);
/// Opens for reading, no links in the last part of the path allowed if `follow` is false.
Descriptor open_to_read(const std::filesystem::path& file, bool follow = true);
/// Bytes at `offset`, retried on EINTR and short writes; returns 0 or errno.
int write_fully(int descriptor, std::int64_t offset, std::span<const std::byte> bytes);
/// Reads up to `out.size()` bytes at `offset`; less only at the end of the file. Throws naming `file`.
std::size_t read_fully(int descriptor, std::int64_t offset, std::span<std::byte> out,
                       const std::filesystem::path& file);
/// fsync of a folder; returns 0 or errno.
int sync_folder(const std::filesystem::path& folder);
/// Bytes that this user may still write on the file system of `folder`; -1 if unknown.
std::int64_t free_bytes(const std::filesystem::path& folder);
/// "cannot <verb> <path>: <cause>", for a full disk with the bytes needed and the bytes free.
std::string io_failure(const std::string& verb, const std::filesystem::path& file, int error,
                       std::int64_t bytes_needed = 0);

}  // namespace tilewright::shard
