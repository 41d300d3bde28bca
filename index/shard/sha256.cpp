// SPDX-License-Identifier: Apache-2.0
// SHA-256 by libcrypto.
#include "index/shard/sha256.h"

#include <openssl/evp.h>

#include <vector>

#include "geometry/error.h"
#include "index/shard/posix_io.h"

namespace tilewright::shard {

namespace {
struct ContextCloser {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
void check(int ok) {
  if (ok != 1) throw Error::failed("SHA-256 of libcrypto failed: is this build of OpenSSL restricted?");
}
}  // namespace

struct Sha256::State {
  std::unique_ptr<EVP_MD_CTX, ContextCloser> context{EVP_MD_CTX_new()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  check(state_->context != nullptr ? 1 : 0);
  check(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr));
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  check(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()));
}
void Sha256::update(std::string_view text) { update(std::as_bytes(std::span(text))); }

Digest Sha256::finish() {
  Digest digest{};
  check(EVP_DigestFinal_ex(state_->context.get(),
                           reinterpret_cast<unsigned char*>(digest.data()), nullptr));
  return digest;
}

std::string hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const std::byte value : digest) {
    text += kDigits[std::to_integer<unsigned>(value) >> 4];
    text += kDigits[std::to_integer<unsigned>(value) & 15U];
  }
  return text;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hex(hash.finish());
}
std::string sha256_hex(std::string_view text) { return sha256_hex(std::as_bytes(std::span(text))); }

std::string sha256_file(const std::filesystem::path& file) {
  const Descriptor descriptor = open_to_read(file);
  std::vector<std::byte> buffer(std::size_t{1} << 20);
  Sha256 hash;
  for (std::int64_t offset = 0;;) {
    const std::size_t got = read_fully(descriptor.get(), offset, buffer, file);
    hash.update(std::span(buffer).first(got));
    if (got < buffer.size()) break;
    offset += static_cast<std::int64_t>(got);
  }
  return hex(hash.finish());
}

}  // namespace tilewright::shard
