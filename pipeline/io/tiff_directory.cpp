// SPDX-License-Identifier: Apache-2.0
// A bounded reader of the tags of a TIFF.
#include "pipeline/io/tiff_directory.h"

#include <algorithm>
#include <bit>

namespace tilewright::pipeline {
namespace {

constexpr std::uint64_t kMostTags = 512;

std::size_t size_of_type(std::uint16_t type) {
  switch (type) {
    case 1:
    case 2:
    case 6:
    case 7:
      return 1;
    case 3:
    case 8:
      return 2;
    case 4:
    case 9:
    case 11:
    case 13:
      return 4;
    case 5:
    case 10:
    case 12:
    case 16:
    case 17:
    case 18:
      return 8;
    default:
      return 0;
  }
}

bool is_whole(std::uint16_t type) {
  return type == 1 || type == 3 || type == 4 || type == 13 || type == 16;
}

}  // namespace

std::optional<std::uint64_t> TiffDirectory::read(std::uint64_t at) {
  entries_.clear();
  if (at == 0) {
    const auto first = begin();
    if (!first) return std::nullopt;
    at = *first;
  }
  const std::size_t count_bytes = big_ ? 8 : 2, entry_bytes = big_ ? 20 : 12,
                    link_bytes = big_ ? 8 : 4;
  const auto count = number_at(at, count_bytes);
  if (!count || *count == 0 || *count > kMostTags) return std::nullopt;
  const auto table = file_.bytes(at + count_bytes, *count * entry_bytes + link_bytes);
  if (table.empty()) return std::nullopt;
  for (std::uint64_t n = 0; n < *count; ++n) {
    const auto* entry = table.data() + n * entry_bytes;
    Entry e{static_cast<std::uint16_t>(load(entry, 2)),
            static_cast<std::uint16_t>(load(entry + 2, 2)), load(entry + 4, big_ ? 8 : 4), 0};
    const auto size = size_of_type(e.type);
    if (size == 0 || e.count == 0 || e.count > file_.file_size() / size) return std::nullopt;
    const auto value_at = at + count_bytes + n * entry_bytes + (big_ ? 12 : 8);
    e.at = e.count * size <= link_bytes ? value_at : load(entry + (big_ ? 12 : 8), link_bytes);
    // Tags are in order in every file that a writer finished; twice the same tag would be a choice.
    if (!entries_.empty() && entries_.back().tag >= e.tag) return std::nullopt;
    entries_.push_back(e);
  }
  return load(table.data() + *count * entry_bytes, link_bytes);
}

std::uint64_t TiffDirectory::count(std::uint16_t tag) const {
  const auto* e = find(tag);
  return e ? e->count : 0;
}

std::vector<std::uint64_t> TiffDirectory::numbers(std::uint16_t tag, std::uint64_t most) {
  std::vector<std::uint64_t> out;
  const auto* e = find(tag);
  if (!e) return out;
  const auto size = size_of_type(e->type);
  const auto bytes = values(*e, is_whole(e->type) && e->count <= most);
  out.reserve(bytes.size() / size);
  for (std::size_t i = 0; i + size <= bytes.size(); i += size)
    out.push_back(load(bytes.data() + i, size));
  return out;
}

std::uint64_t TiffDirectory::number(std::uint16_t tag, std::uint64_t otherwise) {
  const auto all = numbers(tag, 1);
  return all.empty() ? otherwise : all[0];
}

std::uint64_t TiffDirectory::same_number(std::uint16_t tag, std::uint64_t otherwise) {
  const auto all = numbers(tag, kMostValues);
  if (std::any_of(all.begin(), all.end(), [&](auto v) { return v != all[0]; })) unusual_ = true;
  return all.empty() ? otherwise : all[0];
}

std::vector<double> TiffDirectory::doubles(std::uint16_t tag, std::uint64_t most) {
  std::vector<double> out;
  const auto* e = find(tag);
  if (!e) return out;
  const auto bytes = values(*e, e->type == 12 && e->count <= most);
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8)
    out.push_back(std::bit_cast<double>(load(bytes.data() + i, 8)));
  return out;
}

std::string TiffDirectory::text(std::uint16_t tag) {
  const auto* e = find(tag);
  if (!e) return "";
  const auto bytes = values(*e, e->type == 2 && e->count <= kMostText);
  const std::string all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return all.substr(0, all.find('\0'));
}

void TiffDirectory::append_raw(std::uint16_t tag, std::string& out) {
  const auto* e = find(tag);
  if (!e) return;
  const auto bytes = values(*e, e->count <= kMostText / 8);
  out += std::to_string(tag) + ":" + std::to_string(e->type) + ":" + std::to_string(e->count) + ":";
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::uint64_t> TiffDirectory::begin() {
  const auto head = file_.bytes(0, 8);
  if (head.empty()) return std::nullopt;
  const bool little = head[0] == std::byte{'I'} && head[1] == std::byte{'I'},
             big_endian = head[0] == std::byte{'M'} && head[1] == std::byte{'M'};
  if (!little && !big_endian) return std::nullopt;
  swapped_ = big_endian;
  const auto version = load(head.data() + 2, 2);
  if (version == 42) return load(head.data() + 4, 4);
  if (version != 43 || load(head.data() + 4, 2) != 8 || load(head.data() + 6, 2) != 0)
    return std::nullopt;
  big_ = true;
  return number_at(8, 8);
}

std::optional<std::uint64_t> TiffDirectory::number_at(std::uint64_t at, std::size_t size) {
  const auto bytes = file_.bytes(at, size);
  return bytes.empty() ? std::nullopt : std::optional(load(bytes.data(), size));
}

const TiffDirectory::Entry* TiffDirectory::find(std::uint16_t tag) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), tag,
                                      [](const Entry& e, std::uint16_t t) { return e.tag < t; });
  return found != entries_.end() && found->tag == tag ? &*found : nullptr;
}

std::span<const std::byte> TiffDirectory::values(const Entry& entry, bool is_fit) {
  const auto bytes = is_fit ? file_.bytes(entry.at, entry.count * size_of_type(entry.type))
                            : std::span<const std::byte>();
  if (bytes.empty()) unusual_ = true;
  return bytes;
}

std::uint64_t TiffDirectory::load(const std::byte* at, std::size_t size) const {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::to_integer<std::uint64_t>(at[swapped_ ? size - 1 - i : i]) << (8 * i);
  return value;
}

}  // namespace tilewright::pipeline
