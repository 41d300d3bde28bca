// SPDX-License-Identifier: Apache-2.0
// Append-only logs on POSIX descriptors.
#include "learn/train/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "geometry/error.h"

namespace tilewright::learn {
namespace {

[[noreturn]] void fail(const std::string& action, const std::filesystem::path& file) {
  throw Error::failed("cannot " + action + " " + file.string() + ": " + std::strerror(errno) +
                      "; the folder must exist, be writable and have space");
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path file) : file_(std::move(file)) {
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail("open the log", file_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

AppendFile::~AppendFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("append to", file_);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail("sync", file_);
}

void truncate_log(const std::filesystem::path& file, std::int64_t bytes) {
  if (::truncate(file.c_str(), bytes) != 0) fail("cut", file);
}

}  // namespace tilewright::learn
