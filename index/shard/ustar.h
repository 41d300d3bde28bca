// SPDX-License-Identifier: Apache-2.0
// One tar header of 512 bytes: the same bytes for the same name and size, and a strict reader.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace tilewright::shard {

inline constexpr std::int64_t kTarBlock = 512;
inline constexpr std::int64_t kTarEndBytes = 2 * kTarBlock;
inline constexpr std::size_t kLongestMemberName = 100;
inline constexpr std::int64_t kLargestMember = (std::int64_t{1} << 33) - 1;  ///< 11 octal digits

using TarBlock = std::array<std::byte, kTarBlock>;

/// `bytes` rounded up to whole blocks.
constexpr std::int64_t padded(std::int64_t bytes) { return (bytes + kTarBlock - 1) / kTarBlock * kTarBlock; }

/// A regular file: mode 0644, mtime, uid and gid 0, no names. Preconditions: name of 1 to 100
/// bytes, size within kLargestMember.
TarBlock ustar_header(const std::string& name, std::int64_t size);

struct TarMember {
  std::string name;
  std::int64_t size = 0;
};
/// nullopt: a block of zeros (end of archive). Throws Error::failed naming `what` for anything
/// that is not a regular file of plain ustar: links, devices, GNU and PAX extensions, a wrong
/// checksum, names with control characters.
std::optional<TarMember> parse_ustar(std::span<const std::byte> block, const std::string& what);

}  // namespace tilewright::shard
