// SPDX-License-Identifier: Apache-2.0
// Reads tar shards in place: mapped files, members by index or by offset.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/shard/npy.h"

namespace tilewright::shard {

/// A file mapped read-only; the spans stay valid as long as a copy of this object lives. Published
/// files never change; who shortens one behind our back ends the process by SIGBUS.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& file);
  [[nodiscard]] std::span<const std::byte> bytes() const;
  /// Throws Error::failed if the range leaves the file.
  [[nodiscard]] std::span<const std::byte> range(std::int64_t offset, std::int64_t length) const;

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

struct IndexEntry {
  std::string key, member;
  std::int64_t offset = 0, length = 0;
  std::optional<DType> dtype;
  std::vector<std::int64_t> shape;
  std::string sha256;
};
/// "<series>-000012.idx" beside the tar.
std::filesystem::path index_file(const std::filesystem::path& tar_file);
/// The text of an .idx file: one line a member, tab separated: key, member, offset, length, dtype,
/// shape, hash; `-` where it does not apply.
std::string index_text(std::span<const IndexEntry> entries);
/// Reads <shard>.idx (throws Error::failed with file and line on damage).
std::vector<IndexEntry> read_index(const std::filesystem::path& idx_file);
std::vector<IndexEntry> parse_index(std::string_view text, const std::string& what);
/// Walks the tar itself (ustar; refuses GNU and PAX extensions and sizes that leave the file) and
/// hashes every member: index_text of the result is the .idx file.
std::vector<IndexEntry> scan_tar(const std::filesystem::path& tar_file);
std::vector<IndexEntry> scan_tar(std::span<const std::byte> tar, const std::string& what);

/// What of `tar_file` is not as ShardWriter writes it, though every member may be well: headers,
/// padding, end blocks. "" if nothing: then each byte is covered by a rule or a member's hash.
std::string deviation_from_layout(const std::filesystem::path& tar_file, std::span<const IndexEntry> entries);

/// An array in place.
struct ArrayView {
  NpyHeader header;
  std::span<const std::byte> data;
};
ArrayView array_at(const MappedFile& file, std::int64_t offset, std::int64_t length);

}  // namespace tilewright::shard
