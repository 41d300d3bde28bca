// SPDX-License-Identifier: Apache-2.0
// One tar header of 512 bytes: writing and strict reading.
#include "index/shard/ustar.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "geometry/error.h"

namespace tilewright::shard {
namespace {

// Offsets of POSIX ustar.
constexpr std::size_t kMode = 100, kUid = 108, kGid = 116, kSize = 124, kTime = 136, kSum = 148,
                      kType = 156, kMagic = 257, kVersion = 263, kMajor = 329, kMinor = 337,
                      kPrefix = 345;

void put(TarBlock& block, std::size_t offset, const std::string& text) {
  std::memcpy(block.data() + offset, text.data(), text.size());
}

std::string octal(std::int64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

/// Sum of all bytes, those of the checksum field counted as blanks.
std::int64_t checksum(std::span<const std::byte> block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i)
    sum += i >= kSum && i < kSum + 8 ? ' ' : std::to_integer<int>(block[i]);
  return sum;
}

std::string text_at(std::span<const std::byte> block, std::size_t offset, std::size_t length) {
  const std::string text(reinterpret_cast<const char*>(block.data()) + offset, length);
  return text.substr(0, text.find('\0'));
}

/// Octal digits with leading blanks or zeros, ended by NUL or blank; nullopt for anything else.
std::optional<std::int64_t> number_at(std::span<const std::byte> block, std::size_t offset, std::size_t length) {
  std::string text = text_at(block, offset, length);
  text.erase(0, text.find_first_not_of(' ') == std::string::npos ? text.size() : text.find_first_not_of(' '));
  while (text.ends_with(' ')) text.pop_back();
  if (text.empty() || text.size() > 12) return std::nullopt;
  std::int64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return std::nullopt;
    value = value * 8 + (digit - '0');
  }
  return value;
}

void check_name(const std::string& name, const std::string& what) {
  if (name.empty()) throw Error::failed(what + " has a member without a name");
  const bool is_plain = std::all_of(name.begin(), name.end(), [](unsigned char c) { return c >= 32 && c != 127; });
  if (!is_plain) throw Error::failed(what + " has a member whose name holds control characters");
}

}  // namespace

TarBlock ustar_header(const std::string& name, std::int64_t size) {
  TarBlock block{};
  put(block, 0, name);
  put(block, kMode, "0000644");
  put(block, kUid, "0000000");
  put(block, kGid, "0000000");
  put(block, kSize, octal(size, 11));
  put(block, kTime, "00000000000");
  put(block, kType, "0");
  put(block, kMagic, "ustar");
  put(block, kVersion, "00");
  put(block, kMajor, "0000000");
  put(block, kMinor, "0000000");
  put(block, kSum, octal(checksum(block), 6) + '\0' + ' ');
  return block;
}

std::optional<TarMember> parse_ustar(std::span<const std::byte> block, const std::string& what) {
  if (std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; })) return std::nullopt;
  const auto sum = number_at(block, kSum, 8);
  if (!sum || *sum != checksum(block)) throw Error::failed(what + " is damaged: a tar header has a wrong checksum");
  const std::string magic(reinterpret_cast<const char*>(block.data()) + kMagic, 8);
  if (magic != std::string("ustar\00000", 8))
    throw Error::failed(what + " is not a plain ustar archive (GNU or old tar format); write it with --format=ustar");
  const char type = static_cast<char>(std::to_integer<int>(block[kType]));
  if (type != '0' && type != '\0')
    throw Error::failed(what + " holds something else than regular files (tar type '" + std::string(1, type >= 32 && type < 127 ? type : '?') +
                        "'): links, folders and extensions are refused");
  const auto size = number_at(block, kSize, 12);
  if (!size) throw Error::failed(what + " is damaged: a tar header has no readable size");
  const std::string prefix = text_at(block, kPrefix, 155);
  TarMember member{.name = (prefix.empty() ? "" : prefix + "/") + text_at(block, 0, 100), .size = *size};
  check_name(member.name, what);
  return member;
}

}  // namespace tilewright::shard
