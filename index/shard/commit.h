// SPDX-License-Identifier: Apache-2.0
// The commit function: the only way in which a file becomes visible in a workspace.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tilewright::shard {

struct Published {
  std::int64_t bytes = 0;
  std::string sha256;
};

/// A file written aside as <folder>/.tmp-<name>-<random> (O_EXCL), fsynced, renamed, folder
/// fsynced. Missing folders are made. Discarded by the destructor unless published. Callers then
/// record it in the manifest. A failed fsync is never retried: the file is discarded.
/// Failpoints: commit.open, commit.write, commit.before_fsync, commit.after_fsync,
/// commit.after_rename, commit.after_folder_fsync. Errors name path, cause and what is needed.
class PendingFile {
 public:
  explicit PendingFile(std::filesystem::path target);
  PendingFile(PendingFile&&) noexcept;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile();

  void append(std::span<const std::byte> bytes);  ///< hashed on the way; not thread-safe
  void append(std::string_view text);
  /// Random access, thread-safe for disjoint ranges; the file is hashed when it is published.
  void write_at(std::int64_t offset, std::span<const std::byte> bytes);
  /// For libraries that write by path (GDAL): close them before publish. The file that then has
  /// this name is published, also if the library replaced ours.
  [[nodiscard]] const std::filesystem::path& temporary_path() const { return temporary_; }

  Published publish();

 private:
  void write(std::int64_t offset, std::span<const std::byte> bytes);
  void discard() noexcept;
  [[noreturn]] void fail(const std::string& verb, int error, std::int64_t bytes_needed = 0);

  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
  std::int64_t appended_ = 0;
  std::atomic<bool> sequential_ = true;
  struct Hash;
  std::unique_ptr<Hash> hash_;
};

/// Small text or binary files in one call.
Published publish_file(const std::filesystem::path& target, std::string_view content);

/// A whole folder (checkpoints): write into `temporary_path`, then publish: every file fsynced,
/// folder renamed (the target must not exist), parent fsynced. Failpoints checkpoint.written,
/// checkpoint.before_rename, checkpoint.after_rename.
class PendingFolder {
 public:
  explicit PendingFolder(std::filesystem::path target);
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;
  ~PendingFolder();
  [[nodiscard]] const std::filesystem::path& temporary_path() const { return temporary_; }
  void publish();

 private:
  std::filesystem::path target_, temporary_;
};

/// Removes .tmp-* below `folder` (not following links): left behind by a killed run.
void sweep_temporaries(const std::filesystem::path& folder);
/// mkdir -p with fsync of each new folder's parent.
void make_folders(const std::filesystem::path& folder);

}  // namespace tilewright::shard
