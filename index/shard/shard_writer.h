// SPDX-License-Identifier: Apache-2.0
// Writes tar shards with their side-car index: the layout is known before the first pixel.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "index/shard/commit.h"
#include "index/shard/npy.h"

namespace tilewright::shard {

/// A member to be: either an array (npy) or text (json).
struct MemberSpec {
  std::string key;     ///< WebDataset key: the part before the first dot
  std::string name;    ///< full member name, at most 100 bytes, else refused
  std::optional<DType> dtype;           ///< nullopt: text
  std::vector<std::int64_t> shape;      ///< of arrays
  std::string text;                     ///< content of text members
};

struct MemberLayout {
  std::int64_t offset = 0;  ///< first byte of the member file, after its tar header
  std::int64_t length = 0;  ///< without padding
};
/// Offsets of all members of one tar in order, and the tar's size with its two end blocks.
struct ShardLayout {
  std::vector<MemberLayout> members;
  std::int64_t bytes = 0;
};
ShardLayout layout_shard(std::span<const MemberSpec> members);

/// Cuts whole keys (adjacent members of equal key) into shards of at most `shard_bytes` (at least
/// one key each): index ranges [begin, end) into `members`.
std::vector<std::pair<std::size_t, std::size_t>> cut_into_shards(std::span<const MemberSpec> members,
                                                                 std::int64_t shard_bytes);

struct WrittenMember {
  std::string name;
  std::int64_t offset = 0, length = 0;
  std::string sha256;
};
struct WrittenShard {
  std::filesystem::path file;
  Published tar;
  std::vector<WrittenMember> members;  ///< in order of the specs
};

/// One tar, members put in any order and from several threads; text members are written at once.
/// Deterministic ustar headers: mode 0644, mtime 0, uid and gid 0, no names. Failpoints shard.*.
class ShardWriter {
 public:
  /// `file` is the target `<series>-NNNNNN.tar`.
  ShardWriter(const std::filesystem::path& file, std::vector<MemberSpec> members);
  ~ShardWriter();
  /// `pixels` are shape x itemsize bytes in C order; each array member exactly once.
  void put(std::size_t member, std::span<const std::byte> pixels);
  /// Publishes tar, then .idx; throws if a member is missing.
  WrittenShard publish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// "<series>-000012.tar"
std::string shard_file_name(const std::string& series, int number);

}  // namespace tilewright::shard
