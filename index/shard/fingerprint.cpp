// SPDX-License-Identifier: Apache-2.0
// Fingerprints by libcrypto's GMAC.
#include "index/shard/fingerprint.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>

#include "geometry/error.h"

namespace tilewright::shard {
namespace {

struct MacCloser {
  void operator()(EVP_MAC* mac) const noexcept { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};
using MacHandle = std::unique_ptr<EVP_MAC, MacCloser>;

constexpr std::size_t kBytes = 16;

void check(bool ok) {
  if (!ok) throw Error::failed("GMAC of libcrypto failed: is this build of OpenSSL restricted?");
}

/// Fetched once a thread: fetching takes longer than a small fingerprint.
EVP_MAC* gmac() {
  thread_local const MacHandle mac(EVP_MAC_fetch(nullptr, "GMAC", nullptr));
  check(mac != nullptr);
  return mac.get();
}

}  // namespace

struct Fingerprint::State {
  std::unique_ptr<EVP_MAC_CTX, MacCloser> context{EVP_MAC_CTX_new(gmac())};
};

Fingerprint::Fingerprint() : state_(std::make_unique<State>()) {
  char cipher[] = "AES-128-GCM";
  std::array<unsigned char, kBytes> key{'t', 'i', 'l', 'e', 'w', 'r', 'i', 'g', 'h', 't'};
  std::array<unsigned char, 12> nonce{};
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
                                   OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, nonce.data(), nonce.size()), OSSL_PARAM_construct_end()};
  check(state_->context != nullptr);
  check(EVP_MAC_init(state_->context.get(), key.data(), key.size(), parameters) == 1);
}
Fingerprint::Fingerprint(Fingerprint&&) noexcept = default;
Fingerprint::~Fingerprint() = default;

void Fingerprint::update(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  check(EVP_MAC_update(state_->context.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1);
}

std::string Fingerprint::finish() {
  std::array<unsigned char, kBytes> digest{};
  std::size_t length = 0;
  check(EVP_MAC_final(state_->context.get(), digest.data(), &length, digest.size()) == 1 && length == kBytes);
  constexpr const char* digits = "0123456789abcdef";
  std::string out;
  for (const auto byte : digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace tilewright::shard
