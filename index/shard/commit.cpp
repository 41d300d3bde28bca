// SPDX-License-Identifier: Apache-2.0
// The commit function: write aside, fsync, rename, fsync the folder.
#include "index/shard/commit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <random>
#include <utility>
#include <vector>

#include "geometry/error.h"
#include "index/shard/failpoint.h"
#include "index/shard/posix_io.h"
#include "index/shard/sha256.h"

namespace tilewright::shard {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kAside = ".tmp-";

/// A name beside the target that no other process uses; the target's name is cut so that the
/// whole stays below the 255 bytes of a file name.
fs::path aside(const fs::path& target) {
  std::random_device source;
  char random[20];
  std::snprintf(random, sizeof random, "-%08x%08x", source(), source());
  return target.parent_path() / (std::string(kAside) + target.filename().string().substr(0, 200) + random);
}

std::string hash_of(int descriptor, std::int64_t bytes, const fs::path& file) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::clamp<std::int64_t>(bytes, 1, 1 << 20)));
  Sha256 hash;
  for (std::int64_t offset = 0; offset < bytes;) {
    const std::size_t got = read_fully(descriptor, offset, buffer, file);
    if (got == 0) throw Error::failed("cannot read " + file.string() + " back: it became shorter while it was published");
    hash.update(std::span(buffer).first(got));
    offset += static_cast<std::int64_t>(got);
  }
  return hex(hash.finish());
}

/// True if the name still leads to the file that is open.
bool is_same_file(int descriptor, const fs::path& path) {
  struct stat open {}, named {};
  return ::fstat(descriptor, &open) == 0 && ::lstat(path.c_str(), &named) == 0 &&
         open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

void sync_file(const fs::path& file) {
  const Descriptor descriptor = open_to_read(file, false);
  if (::fsync(descriptor.get()) != 0) throw Error::failed(io_failure("sync", file, errno));
}

}  // namespace

struct PendingFile::Hash {
  Sha256 value;
};

PendingFile::PendingFile(fs::path target)
    : target_(std::move(target)), hash_(std::make_unique<Hash>()) {
  if (!target_.parent_path().empty()) make_folders(target_.parent_path());
  temporary_ = aside(target_);
  if (TW_FAILPOINT("commit.open")) fail("create", errno);
  do
    descriptor_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail("create", errno);
}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : target_(std::move(other.target_)),
      temporary_(std::move(other.temporary_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      appended_(other.appended_),
      sequential_(other.sequential_.load()),
      hash_(std::move(other.hash_)) {
  other.temporary_.clear();
}

PendingFile::~PendingFile() { discard(); }

void PendingFile::discard() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void PendingFile::fail(const std::string& verb, int error, std::int64_t bytes_needed) {
  throw Error::failed(io_failure(verb, target_, error, bytes_needed));
}

void PendingFile::write(std::int64_t offset, std::span<const std::byte> bytes) {
  const auto count = static_cast<std::int64_t>(bytes.size());
  if (TW_FAILPOINT("commit.write")) fail("write", errno, count);
  if (const int error = write_fully(descriptor_, offset, bytes); error != 0) fail("write", error, count);
}

void PendingFile::append(std::span<const std::byte> bytes) {
  write(appended_, bytes);
  if (sequential_) hash_->value.update(bytes);
  appended_ += static_cast<std::int64_t>(bytes.size());
}

void PendingFile::append(std::string_view text) { append(std::as_bytes(std::span(text))); }

void PendingFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) {
  sequential_ = false;
  write(offset, bytes);
}

Published PendingFile::publish() {
  if (!is_same_file(descriptor_, temporary_)) {
    ::close(std::exchange(descriptor_, -1));
    descriptor_ = open_to_read(temporary_, false).release();
  }
  if (TW_FAILPOINT("commit.before_fsync") || ::fsync(descriptor_) != 0) fail("sync", errno);
  struct stat state {};
  if (::fstat(descriptor_, &state) != 0) fail("look at", errno);
  Published result{.bytes = state.st_size, .sha256 = {}};
  const bool hashed = sequential_ && appended_ == result.bytes;
  result.sha256 = hashed ? hex(hash_->value.finish()) : hash_of(descriptor_, result.bytes, target_);
  if (TW_FAILPOINT("commit.after_fsync")) fail("close", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) fail("close", errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail("publish", errno);
  temporary_.clear();
  if (TW_FAILPOINT("commit.after_rename")) fail("sync the folder of", errno);
  if (const int error = sync_folder(target_.parent_path()); error != 0) fail("sync the folder of", error);
  if (TW_FAILPOINT("commit.after_folder_fsync")) fail("publish", errno);
  return result;
}

Published publish_file(const fs::path& target, std::string_view content) {
  PendingFile file(target);
  file.append(content);
  return file.publish();
}

PendingFolder::PendingFolder(fs::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();
  make_folders(target_.parent_path());
  temporary_ = aside(target_);
  if (::mkdir(temporary_.c_str(), 0755) != 0) throw Error::failed(io_failure("create", temporary_, errno));
}

PendingFolder::~PendingFolder() {
  std::error_code ignored;
  if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
}

void PendingFolder::publish() {
  if (TW_FAILPOINT("checkpoint.written")) throw Error::failed(io_failure("write", target_, errno));
  std::vector<fs::path> folders{temporary_};
  for (const auto& entry : fs::recursive_directory_iterator(temporary_)) {
    if (entry.is_directory()) folders.push_back(entry.path());
    if (entry.is_regular_file()) sync_file(entry.path());
  }
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder)
    if (const int error = sync_folder(*folder); error != 0) throw Error::failed(io_failure("sync", *folder, error));
  if (TW_FAILPOINT("checkpoint.before_rename")) throw Error::failed(io_failure("publish", target_, errno));
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    throw Error::failed(io_failure("publish", target_, errno));
  temporary_.clear();
  if (TW_FAILPOINT("checkpoint.after_rename")) throw Error::failed(io_failure("sync the folder of", target_, errno));
  if (const int error = sync_folder(target_.parent_path()); error != 0)
    throw Error::failed(io_failure("sync the folder of", target_, error));
}

void sweep_temporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kAside)) continue;
    found.push_back(entry->path());
    if (entry->is_directory(error)) entry.disable_recursion_pending();
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error::failed("cannot look for leftovers in " + folder.string() + ": " + error.message());
  for (const auto& path : found) {
    fs::remove_all(path, error);
    if (error) throw Error::failed("cannot remove the leftover " + path.string() + ": " + error.message());
  }
}

void make_folders(const fs::path& folder) {
  std::error_code ignored;
  if (folder.empty() || fs::is_directory(folder, ignored)) return;
  if (!folder.has_filename()) return make_folders(folder.parent_path());
  make_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)
    throw Error::failed(io_failure("create the folder", folder, errno));
  if (!fs::is_directory(folder, ignored))
    throw Error::failed("cannot create the folder " + folder.string() + ": a file has this name");
  if (const int error = sync_folder(folder.parent_path()); error != 0)
    throw Error::failed(io_failure("sync the folder of", folder, error));
}

}  // namespace tilewright::shard
