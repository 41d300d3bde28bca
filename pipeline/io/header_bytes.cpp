// SPDX-License-Identifier: Apache-2.0
// Bounded reads of a file's header.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "pipeline/io/tiff_header.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kFirstRead = 16 << 10, kNextRead = 8 << 10, kMostReads = 16;
constexpr std::uint64_t kMostBytes = 1 << 20;

std::vector<std::byte> read_at(int descriptor, std::uint64_t at, std::size_t length) {
  std::vector<std::byte> out(length);
  std::size_t done = 0;
  while (done < length) {
    const auto got = ::pread(descriptor, out.data() + done, length - done, static_cast<off_t>(at + done));
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  out.resize(done);
  return out;
}

}  // namespace

std::optional<HeaderBytes> HeaderBytes::open(const std::filesystem::path& file) {
  HeaderBytes out;
  out.descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  struct stat info {};
  if (out.descriptor_ < 0 || ::fstat(out.descriptor_, &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  out.size_ = static_cast<std::uint64_t>(info.st_size);
  return out;
}

HeaderBytes::HeaderBytes(std::span<const std::byte> all) : size_(all.size()) { parts_.push_back({0, {all.begin(), all.end()}}); }

HeaderBytes::HeaderBytes(HeaderBytes&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_), taken_(other.taken_), parts_(std::move(other.parts_)) {}

HeaderBytes::~HeaderBytes() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::span<const std::byte> HeaderBytes::bytes(std::uint64_t at, std::uint64_t length) {
  if (length == 0 || at > size_ || length > size_ - at) return {};
  for (const auto& part : parts_)
    if (at >= part.at && at + length <= part.at + part.bytes.size()) return std::span(part.bytes).subspan(at - part.at, length);
  if (descriptor_ < 0 || parts_.size() >= kMostReads || length > kMostBytes) return {};
  const auto wanted = std::min(size_ - at, std::max<std::uint64_t>(length, at == 0 ? kFirstRead : kNextRead));
  if (taken_ + wanted > kMostBytes) return {};
  taken_ += wanted;
  // A file that shrinks meanwhile gives fewer bytes.
  parts_.push_back({at, read_at(descriptor_, at, wanted)});
  const auto& bytes = parts_.back().bytes;
  return bytes.size() < length ? std::span<const std::byte>() : std::span(bytes).first(length);
}

}  // namespace tilewright::pipeline
