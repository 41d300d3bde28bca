// SPDX-License-Identifier: Apache-2.0
// Reads of a file at given places.
#include "pipeline/io/header_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace tilewright::pipeline {
namespace {

constexpr std::uint64_t kFirstRead = 16 << 10, kNextRead = 8 << 10;

}  // namespace

std::optional<FileBytes> FileBytes::open(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  FileBytes out(descriptor, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  out.size_ = static_cast<std::uint64_t>(status.st_size);
  return out;
}

FileBytes::FileBytes(FileBytes&& other) noexcept
    : descriptor_(other.descriptor_), size_(other.size_) {
  other.descriptor_ = -1;
}
FileBytes::~FileBytes() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileBytes::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > size_ || into.size() > size_ - offset) return false;
  for (std::size_t done = 0; done < into.size();) {
    const auto got = ::pread(descriptor_, into.data() + done, into.size() - done,
                             static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::span<const std::byte> HeaderBytes::bytes(std::uint64_t at, std::uint64_t length) {
  if (length == 0 || at > size_ || length > size_ - at) return {};
  for (const auto& part : parts_)
    if (at >= part.at && at + length <= part.at + part.bytes.size())
      return std::span(part.bytes).subspan(at - part.at, length);
  const auto wanted =
      std::min(size_ - at, std::max<std::uint64_t>(length, at == 0 ? kFirstRead : kNextRead));
  if (!file_ || parts_.size() >= budget_.reads || wanted > budget_.bytes - taken_) return {};
  taken_ += wanted;
  auto& part = parts_.emplace_back(Part{at, std::vector<std::byte>(wanted)});
  if (file_->read(at, part.bytes)) return std::span(part.bytes).first(length);
  part.bytes.clear();  // the file shrinks meanwhile
  return {};
}

}  // namespace tilewright::pipeline
