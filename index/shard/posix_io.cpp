// SPDX-License-Identifier: Apache-2.0
// The one I/O layer below commit and shards: owned descriptors, interrupted and short calls.
#include "index/shard/posix_io.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "geometry/error.h"

namespace tilewright::shard {

namespace {
constexpr std::size_t kMostBytesACall = std::size_t{1} << 30;  // Linux moves at most 2 GiB a call
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (value_ >= 0) ::close(value_);
    value_ = std::exchange(other.value_, -1);
  }
  return *this;
}

Descriptor::~Descriptor() {
  if (value_ >= 0) ::close(value_);
}

std::string cause(int error) { return std::generic_category().message(error); }

Descriptor open_to_read(const std::filesystem::path& file, bool follow) {
  const int flags = O_RDONLY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
  int descriptor = -1;
  do descriptor = ::open(file.c_str(), flags);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) throw Error::failed(io_failure("open", file, errno));
  return Descriptor(descriptor);
}

int write_fully(int descriptor, std::int64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto written =
        ::pwrite(descriptor, bytes.data(), std::min(bytes.size(), kMostBytesACall), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    if (written == 0) return EIO;  // a file system that takes nothing and says nothing
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += written;
  }
  return 0;
}

std::size_t read_fully(int descriptor, std::int64_t offset, std::span<std::byte> out,
                       const std::filesystem::path& file) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got = ::pread(descriptor, out.data() + done,
                             std::min(out.size() - done, kMostBytesACall),
                             offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error::failed(io_failure("read", file, errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

int sync_folder(const std::filesystem::path& folder) {
  const auto path = folder.empty() ? std::filesystem::path(".") : folder;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const Descriptor owned(descriptor);
  return ::fsync(descriptor) == 0 ? 0 : errno;
}

std::int64_t free_bytes(const std::filesystem::path& folder) {
  const auto path = folder.empty() ? std::filesystem::path(".") : folder;
  struct statvfs state {};
  if (::statvfs(path.c_str(), &state) != 0) return -1;
  return static_cast<std::int64_t>(state.f_bavail) * static_cast<std::int64_t>(state.f_frsize);
}

std::string io_failure(const std::string& verb, const std::filesystem::path& file, int error,
                       std::int64_t bytes_needed) {
  std::string text = "cannot " + verb + " " + file.string() + ": " + cause(error);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    if (bytes_needed > 0) text += "; " + std::to_string(bytes_needed) + " bytes are needed";
    if (const auto left = free_bytes(file.parent_path()); left >= 0)
      text += ", " + std::to_string(left) + " are free";
    text += ": free some space and run the same command again";
  }
  return text;
}

}  // namespace tilewright::shard
