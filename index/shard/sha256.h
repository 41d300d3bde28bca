// SPDX-License-Identifier: Apache-2.0
// SHA-256 by libcrypto: every input, member, shard, prediction and checkpoint has one.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tilewright::shard {

using Digest = std::array<std::byte, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string hex(const Digest& digest);
std::string sha256_hex(std::string_view text);
std::string sha256_hex(std::span<const std::byte> bytes);
/// Streams the file; throws Error::failed with path and cause.
std::string sha256_file(const std::filesystem::path& file);

}  // namespace tilewright::shard
