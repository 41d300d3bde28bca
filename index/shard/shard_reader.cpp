// SPDX-License-Identifier: Apache-2.0
// Reads tar shards in place: mapped files, the text index, and a strict walk of the tar.
#include "index/shard/shard_reader.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>
#include <string_view>

#include "geometry/error.h"
#include "index/shard/posix_io.h"
#include "index/shard/sha256.h"
#include "index/shard/ustar.h"

namespace tilewright::shard {

namespace fs = std::filesystem;

struct MappedFile::State {
  fs::path file;
  void* data = nullptr;
  std::size_t size = 0;

  explicit State(const fs::path& path) : file(path) {
    const Descriptor descriptor = open_to_read(path);
    struct stat state {};
    if (::fstat(descriptor.get(), &state) != 0) throw Error::failed(io_failure("look at", path, errno));
    if (!S_ISREG(state.st_mode)) throw Error::failed("cannot map " + path.string() + ": it is not a regular file");
    size = static_cast<std::size_t>(state.st_size);
    if (size == 0) return;
    data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
    if (data == MAP_FAILED) throw Error::failed(io_failure("map", path, errno));
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (size > 0) ::munmap(data, size);
  }
};

MappedFile::MappedFile(const fs::path& file) : state_(std::make_shared<const State>(file)) {}

std::span<const std::byte> MappedFile::bytes() const {
  return {static_cast<const std::byte*>(state_->data), state_->size};
}

namespace {

std::span<const std::byte> part_of(std::span<const std::byte> bytes, std::int64_t offset, std::int64_t length,
                                   const std::string& what) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (offset < 0 || length < 0 || offset > size || length > size - offset)
    throw Error::failed("bytes " + std::to_string(offset) + " + " + std::to_string(length) + " leave " + what + " of " +
                        std::to_string(size) + " bytes: it is damaged or another file");
  return bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

/// One line of an .idx file, with the place for messages.
struct IndexLine {
  std::array<std::string_view, 7> fields;
  std::string where;

  [[noreturn]] void fail(const std::string& why) const { throw Error::failed(where + ": " + why); }

  [[nodiscard]] std::int64_t number(std::size_t field, const char* title) const {
    const std::string_view text = fields[field];
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0)
      fail(std::string(title) + " '" + std::string(text.substr(0, 40)) + "' is not a number from 0");
    return value;
  }
};

IndexLine split_line(std::string_view line, std::string where) {
  IndexLine result{.fields = {}, .where = std::move(where)};
  for (std::size_t i = 0; i < result.fields.size(); ++i) {
    const auto tab = line.find('\t');
    const bool is_last = i + 1 == result.fields.size();
    if ((tab == std::string_view::npos) != is_last) result.fail("expected 7 fields, tab separated");
    result.fields[i] = line.substr(0, tab);
    line = is_last ? std::string_view{} : line.substr(tab + 1);
  }
  return result;
}

std::vector<std::int64_t> parse_shape(const IndexLine& line, std::string_view text) {
  std::vector<std::int64_t> shape;
  while (true) {
    const auto cross = text.find('x');
    const std::string_view axis = text.substr(0, cross);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(axis.data(), axis.data() + axis.size(), value);
    if (error != std::errc{} || end != axis.data() + axis.size() || value < 0 || shape.size() == 32)
      line.fail("shape '" + std::string(line.fields[5].substr(0, 40)) + "' is not of the form 4x64x64");
    shape.push_back(value);
    if (cross == std::string_view::npos) return shape;
    text.remove_prefix(cross + 1);
  }
}

IndexEntry parse_entry(const IndexLine& line) {
  IndexEntry entry{.key = std::string(line.fields[0]), .member = std::string(line.fields[1])};
  if (entry.key.empty() || entry.member.empty()) line.fail("key or member is empty");
  entry.offset = line.number(2, "offset");
  entry.length = line.number(3, "length");
  if (line.fields[4] != "-") {
    entry.dtype = dtype_from_descr(line.fields[4]);
    if (!entry.dtype) line.fail("unknown element type '" + std::string(line.fields[4].substr(0, 40)) + "'");
  }
  if (line.fields[5] != "-") entry.shape = parse_shape(line, line.fields[5]);
  if (line.fields[6] != "-") entry.sha256 = line.fields[6];
  const bool is_hex = std::all_of(entry.sha256.begin(), entry.sha256.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  if (!entry.sha256.empty() && (entry.sha256.size() != 64 || !is_hex)) line.fail("hash is not 64 hex digits");
  return entry;
}

std::string shape_text(const IndexEntry& entry) {
  if (entry.shape.empty()) return "-";
  std::string text;
  for (const std::int64_t axis : entry.shape) text += (text.empty() ? "" : "x") + std::to_string(axis);
  return text;
}

/// WebDataset's rule: folder and base name up to its first dot.
std::string key_of(const std::string& member) {
  const auto slash = member.rfind('/');
  return member.substr(0, member.find('.', slash == std::string::npos ? 0 : slash));
}

IndexEntry entry_of(const TarMember& member, std::int64_t offset, std::span<const std::byte> bytes,
                    const std::string& what) {
  IndexEntry entry{.key = key_of(member.name), .member = member.name, .offset = offset, .length = member.size};
  if (member.name.ends_with(".npy")) {
    NpyHeader header = parse_npy(bytes, what + ", member " + member.name + ",");
    entry.dtype = header.dtype;
    entry.shape = std::move(header.shape);
  }
  entry.sha256 = sha256_hex(bytes);
  return entry;
}

}  // namespace

std::span<const std::byte> MappedFile::range(std::int64_t offset, std::int64_t length) const {
  return part_of(bytes(), offset, length, state_->file.string());
}

fs::path index_file(const fs::path& tar_file) { return fs::path(tar_file).replace_extension(".idx"); }

std::string index_text(std::span<const IndexEntry> entries) {
  std::string text;
  for (const IndexEntry& entry : entries)
    text += entry.key + '\t' + entry.member + '\t' + std::to_string(entry.offset) + '\t' +
            std::to_string(entry.length) + '\t' +
            (entry.dtype ? std::string(descr(*entry.dtype)) : std::string("-")) + '\t' + shape_text(entry) + '\t' +
            (entry.sha256.empty() ? "-" : entry.sha256) + '\n';
  return text;
}

std::vector<IndexEntry> read_index(const fs::path& idx_file) {
  const MappedFile file(idx_file);
  return parse_index({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, idx_file.string());
}

std::vector<IndexEntry> parse_index(std::string_view rest, const std::string& what) {
  std::vector<IndexEntry> entries;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const auto end = rest.find('\n');
    const std::string where = what + ", line " + std::to_string(number);
    if (end == std::string_view::npos) throw Error::failed(where + ": the line does not end: the file is cut off");
    entries.push_back(parse_entry(split_line(rest.substr(0, end), where)));
    rest.remove_prefix(end + 1);
  }
  return entries;
}

std::vector<IndexEntry> scan_tar(const fs::path& tar_file) {
  const MappedFile file(tar_file);
  return scan_tar(file.bytes(), tar_file.string());
}

std::vector<IndexEntry> scan_tar(std::span<const std::byte> tar, const std::string& what) {
  const auto size = static_cast<std::int64_t>(tar.size());
  std::vector<IndexEntry> entries;
  std::set<std::string> names;
  std::int64_t offset = 0;
  while (offset + kTarBlock <= size) {
    const auto member = parse_ustar(part_of(tar, offset, kTarBlock, what), what);
    offset += kTarBlock;
    if (!member) break;
    if (member->size > size - offset)
      throw Error::failed(what + " is cut off: member " + member->name + " of " + std::to_string(member->size) +
                          " bytes leaves the file");
    if (!names.insert(member->name).second) throw Error::failed(what + " holds member " + member->name + " twice");
    entries.push_back(entry_of(*member, offset, part_of(tar, offset, member->size, what), what));
    offset += padded(member->size);
  }
  // The first block of zeros was read; a second one ends the archive, then only zeros may follow.
  if (offset + kTarBlock > size) throw Error::failed(what + " is cut off: its two end blocks are missing");
  const auto rest = part_of(tar, offset, size - offset, what);
  if (!std::all_of(rest.begin(), rest.end(), [](std::byte b) { return b == std::byte{0}; }))
    throw Error::failed(what + " is damaged: there are bytes after its end");
  return entries;
}

std::string deviation_from_layout(const fs::path& tar_file, std::span<const IndexEntry> entries) {
  const MappedFile file(tar_file);
  const auto is_zero = [&](std::int64_t from, std::int64_t to) {
    const auto bytes = file.range(from, to - from);
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  };
  std::int64_t at = 0;
  for (const IndexEntry& entry : entries) {
    const auto header = file.range(at, kTarBlock);
    const TarBlock wanted = ustar_header(entry.member, entry.length);
    if (!std::equal(header.begin(), header.end(), wanted.begin())) return "the tar header of " + entry.member + " is not as written";
    const std::int64_t end = entry.offset + entry.length;
    at = entry.offset + padded(entry.length);
    if (!is_zero(end, at)) return "the padding behind " + entry.member + " is not zero";
  }
  const auto size = static_cast<std::int64_t>(file.bytes().size());
  if (size != at + kTarEndBytes) return "the file has " + std::to_string(size) + " bytes, expected " + std::to_string(at + kTarEndBytes);
  return is_zero(at, size) ? "" : "the end blocks are not zero";
}

ArrayView array_at(const MappedFile& file, std::int64_t offset, std::int64_t length) {
  const auto bytes = file.range(offset, length);
  NpyHeader header = parse_npy(bytes, "the array at byte " + std::to_string(offset) + " of a shard");
  const auto data = bytes.subspan(static_cast<std::size_t>(header.header_bytes));
  return {.header = std::move(header), .data = data};
}

}  // namespace tilewright::shard
