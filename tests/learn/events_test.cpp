// SPDX-License-Identifier: Apache-2.0
// TensorBoard records, read back by a reader of this test's own.
#include "learn/train/events.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <fstream>

#include "geometry/error.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;

/// Bit by bit, without a table.
std::uint32_t slow_crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool differs = ((crc ^ (static_cast<unsigned char>(byte) >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (differs ? 0x82F63B78U : 0U);
    }
  return ~crc;
}

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::uint32_t mask(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8U; }

std::vector<std::string> payloads(const std::string& bytes) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto length = number_at<std::uint64_t>(bytes, at);
    EXPECT_EQ(number_at<std::uint32_t>(bytes, at + 8), mask(slow_crc32c(bytes.substr(at, 8))));
    out.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(number_at<std::uint32_t>(bytes, at + 12 + length), mask(slow_crc32c(out.back())));
    at += 16 + length;
  }
  return out;
}

TEST(Crc32c, HasThePublishedValue) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  for (const std::string text : {"a", "tilewright", "\x01\x80\xff"})
    EXPECT_EQ(crc32c(text), slow_crc32c(text));
}

TEST(Events, AreFramedRecords) {
  const ScratchFolder scratch;
  {
    EventWriter events(scratch.path(), 1700000000.5);
    events.add_scalar("val/miou", 0.25, 300, 1700000001.0);
    events.flush();
    events.add_scalar("loss", 2, 301, 1700000002.0);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(scratch.path()))
    files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents.1700000000."));
  std::ifstream in(files[0], std::ios::binary);
  const auto events = payloads({std::istreambuf_iterator<char>(in), {}});
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(number_at<double>(events[0], 1), 1700000000.5);
  EXPECT_NE(events[0].find("brain.Event:2"), std::string::npos);
  // 09 <double> 10 <varint 300> 2a <length> 0a <length> 0a 08 "val/miou" 15 <float>
  const std::string& scalar = events[1];
  EXPECT_EQ(scalar[0], '\x09');
  EXPECT_EQ(number_at<double>(scalar, 1), 1700000001.0);
  EXPECT_EQ(scalar.substr(9, 4), "\x10\xac\x02\x2a");
  EXPECT_EQ(static_cast<std::size_t>(scalar[13]), scalar.size() - 14);
  EXPECT_EQ(scalar.substr(16, 10), "\x0a\x08val/miou");
  EXPECT_EQ(scalar[26], '\x15');
  EXPECT_EQ(number_at<float>(scalar, 27), 0.25F);
}

TEST(AppendFile, GrowsAndIsCut) {
  const ScratchFolder scratch;
  const auto file = scratch.path() / "metrics.jsonl";
  AppendFile(file).append("one\n");
  AppendFile(file).append("two\n");
  EXPECT_EQ(std::filesystem::file_size(file), 8U);
  truncate_log(file, 4);
  EXPECT_EQ(std::filesystem::file_size(file), 4U);
  EXPECT_THROW(AppendFile(scratch.path() / "no" / "folder"), Error);
}

}  // namespace
}  // namespace tilewright::learn
