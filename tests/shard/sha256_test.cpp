// SPDX-License-Identifier: Apache-2.0
// SHA-256 against the vectors of FIPS 180-4.
#include "index/shard/sha256.h"

#include <gtest/gtest.h>

#include "geometry/error.h"
#include "tests/shard/scratch_folder.h"

namespace tilewright::shard {
namespace {

constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillionA = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256, MatchesThePublishedVectors) {
  EXPECT_EQ(sha256_hex(std::string_view("")), kEmpty);
  EXPECT_EQ(sha256_hex(std::string_view("abc")), kAbc);
}

TEST(Sha256, PiecesHashLikeTheWhole) {
  Sha256 hash;
  for (int i = 0; i < 1000; ++i) hash.update(std::string(1000, 'a'));
  EXPECT_EQ(hex(hash.finish()), kMillionA);
}

TEST(Sha256, FilesHashLikeTheirBytes) {
  const tests::ScratchFolder folder;
  tests::write_text(folder / "empty", "");
  tests::write_text(folder / "a", std::string(1000000, 'a'));
  tests::write_text(folder / "block", std::string(1 << 20, 'b'));
  EXPECT_EQ(sha256_file(folder / "empty"), kEmpty);
  EXPECT_EQ(sha256_file(folder / "a"), kMillionA);
  EXPECT_EQ(sha256_file(folder / "block"), sha256_hex(std::string_view(std::string(1 << 20, 'b'))));
}

TEST(Sha256, MissingFileIsNamed) {
  try {
    (void)sha256_file("/nowhere/at/all");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/at/all"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewright::shard
