// SPDX-License-Identifier: Apache-2.0
// Writes tar shards with their side-car index: every member has its place before the first pixel.
#include "index/shard/shard_writer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <set>

#include "geometry/error.h"
#include "index/shard/failpoint.h"
#include "index/shard/posix_io.h"
#include "index/shard/sha256.h"
#include "index/shard/shard_reader.h"
#include "index/shard/ustar.h"

namespace tilewright::shard {

namespace {

/// Names that tar readers, WebDataset and the text index all take as they are.
void check_names(const MemberSpec& member) {
  if (member.name.empty() || member.name.size() > kLongestMemberName)
    throw Error::failed("member name '" + member.name + "' has " + std::to_string(member.name.size()) +
                        " bytes; a shard takes 1 to 100: use shorter names for sources and layers");
  const bool is_plain = std::all_of(member.name.begin(), member.name.end(), [](unsigned char c) {
    return c > 32 && c != 127 && c != '/' && c != '\\';
  });
  if (!is_plain) throw Error::failed("member name '" + member.name + "' holds blanks, control characters or slashes");
  if (member.key.empty() || member.key.find('.') != std::string::npos || !member.name.starts_with(member.key + "."))
    throw Error::failed("member name '" + member.name + "' does not begin with its key '" + member.key +
                        "' and a dot; a key holds no dot, because WebDataset cuts names at the first one");
}

std::int64_t array_bytes(const MemberSpec& member) {
  std::int64_t bytes = static_cast<std::int64_t>(byte_size(*member.dtype));
  for (const std::int64_t axis : member.shape) {
    if (axis < 0 || (axis > 0 && bytes > kLargestMember / axis))
      throw Error::failed("member " + member.name + " would be larger than the 8 GiB that a tar member can have");
    bytes *= axis;
  }
  return bytes;
}

std::int64_t member_bytes(const MemberSpec& member) {
  const auto bytes = member.dtype ? kNpyHeaderBytes + array_bytes(member) : static_cast<std::int64_t>(member.text.size());
  if (bytes > kLargestMember)
    throw Error::failed("member " + member.name + " of " + std::to_string(bytes) + " bytes is larger than a tar member can be");
  return bytes;
}

std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

ShardLayout layout_shard(std::span<const MemberSpec> members) {
  ShardLayout layout;
  std::set<std::string_view> names;
  for (const MemberSpec& member : members) {
    check_names(member);
    if (!names.insert(member.name).second) throw Error::failed("member " + member.name + " stands twice in one shard");
    const std::int64_t length = member_bytes(member);
    layout.members.push_back({.offset = layout.bytes + kTarBlock, .length = length});
    layout.bytes += kTarBlock + padded(length);
  }
  layout.bytes += kTarEndBytes;
  return layout;
}

std::vector<std::pair<std::size_t, std::size_t>> cut_into_shards(std::span<const MemberSpec> members,
                                                                 std::int64_t shard_bytes) {
  std::vector<std::pair<std::size_t, std::size_t>> ranges;
  std::int64_t in_shard = kTarEndBytes;
  for (std::size_t begin = 0; begin < members.size();) {
    std::size_t end = begin;
    std::int64_t bytes = 0;
    for (; end < members.size() && members[end].key == members[begin].key; ++end)
      bytes += kTarBlock + padded(member_bytes(members[end]));
    if (ranges.empty() || in_shard + bytes > shard_bytes) {
      ranges.emplace_back(begin, end);
      in_shard = kTarEndBytes;
    } else {
      ranges.back().second = end;
    }
    in_shard += bytes;
    begin = end;
  }
  return ranges;
}

/// A member takes some 150 bytes while its shard is open: millions are open at once.
struct ShardWriter::State {
  struct Form {
    std::optional<DType> dtype;
    std::vector<std::int64_t> shape;
    bool operator==(const Form&) const = default;
  };
  struct Member {
    std::string name;
    std::uint32_t key_length = 0, form = 0;
  };
  std::filesystem::path file;
  std::vector<Form> forms;
  std::vector<Member> members;
  ShardLayout layout;
  PendingFile tar;
  std::vector<Digest> digests;
  std::vector<std::atomic<bool>> is_there;

  State(const std::filesystem::path& target, std::span<const MemberSpec> specs)
      : file(target), layout(layout_shard(specs)), tar(target), digests(specs.size()), is_there(specs.size()) {
    members.reserve(specs.size());
    for (const auto& spec : specs) members.push_back({spec.name, static_cast<std::uint32_t>(spec.key.size()), form_of({spec.dtype, spec.shape})});
  }

  std::uint32_t form_of(Form form) {
    const auto found = std::ranges::find(forms, form);
    if (found != forms.end()) return static_cast<std::uint32_t>(found - forms.begin());
    forms.push_back(std::move(form));
    return static_cast<std::uint32_t>(forms.size() - 1);
  }

  void put(std::size_t index, std::span<const std::byte> head, std::span<const std::byte> body) {
    const Member& member = members[index];
    const MemberLayout place = layout.members[index];
    if (is_there[index].exchange(true)) throw Error::failed("member " + member.name + " was put twice into " + file.string());
    if (TW_FAILPOINT("shard.put")) throw Error::failed(io_failure("write", file, errno, place.length));
    const TarBlock header = ustar_header(member.name, place.length);
    tar.write_at(place.offset - kTarBlock, header);
    if (!head.empty()) tar.write_at(place.offset, head);
    if (!body.empty()) tar.write_at(place.offset + static_cast<std::int64_t>(head.size()), body);
    Sha256 hash;
    hash.update(head);
    hash.update(body);
    digests[index] = hash.finish();
  }

  [[nodiscard]] std::vector<WrittenMember> written() const {
    std::vector<WrittenMember> out;
    for (std::size_t i = 0; i < members.size(); ++i)
      out.push_back({.name = members[i].name, .offset = layout.members[i].offset, .length = layout.members[i].length, .sha256 = hex(digests[i])});
    return out;
  }

  [[nodiscard]] std::string index(std::span<const WrittenMember> written) const {
    std::vector<IndexEntry> entries;
    for (std::size_t i = 0; i < members.size(); ++i)
      entries.push_back({.key = members[i].name.substr(0, members[i].key_length), .member = members[i].name, .offset = written[i].offset,
                         .length = written[i].length, .dtype = forms[members[i].form].dtype, .shape = forms[members[i].form].shape,
                         .sha256 = written[i].sha256});
    return index_text(entries);
  }
};

ShardWriter::ShardWriter(const std::filesystem::path& file, std::vector<MemberSpec> members)
    : state_(std::make_unique<State>(file, members)) {
  const std::int64_t needed = state_->layout.bytes;
  const std::int64_t left = free_bytes(file.parent_path());
  if (TW_FAILPOINT("shard.open") || (left >= 0 && left < needed))
    throw Error::failed(io_failure("write", file, ENOSPC, needed));
  // The end blocks give the file its size; what no member covers (padding) reads as zeros.
  const std::array<std::byte, kTarEndBytes> end{};
  state_->tar.write_at(needed - kTarEndBytes, end);
  for (std::size_t i = 0; i < members.size(); ++i)
    if (!members[i].dtype) state_->put(i, {}, as_bytes(members[i].text));
}

ShardWriter::~ShardWriter() = default;

void ShardWriter::put(std::size_t member, std::span<const std::byte> pixels) {
  if (member >= state_->members.size())
    throw Error::failed("no member " + std::to_string(member) + " in " + state_->file.string());
  const auto& [name, key_length, form] = state_->members[member];
  const auto& [dtype, shape] = state_->forms[form];
  if (!dtype) throw Error::failed("member " + name + " is text, not an array");
  const auto bytes = state_->layout.members[member].length - kNpyHeaderBytes;
  if (static_cast<std::int64_t>(pixels.size()) != bytes)
    throw Error::failed("member " + name + " got " + std::to_string(pixels.size()) + " bytes, its shape needs " +
                        std::to_string(bytes));
  state_->put(member, as_bytes(npy_header(*dtype, shape)), pixels);
}

WrittenShard ShardWriter::publish() {
  for (std::size_t i = 0; i < state_->members.size(); ++i)
    if (!state_->is_there[i])
      throw Error::failed("cannot publish " + state_->file.string() + ": member " + state_->members[i].name + " is missing");
  if (TW_FAILPOINT("shard.before_publish")) throw Error::failed(io_failure("publish", state_->file, errno));
  WrittenShard result{.file = state_->file, .tar = state_->tar.publish(), .members = state_->written()};
  if (TW_FAILPOINT("shard.after_tar")) throw Error::failed(io_failure("publish", state_->file, errno));
  publish_file(index_file(state_->file), state_->index(result.members));
  if (TW_FAILPOINT("shard.after_index")) throw Error::failed(io_failure("publish", state_->file, errno));
  return result;
}

std::string shard_file_name(const std::string& series, int number) {
  char text[16];
  std::snprintf(text, sizeof text, "-%06d.tar", number);
  return series + text;
}

}  // namespace tilewright::shard
