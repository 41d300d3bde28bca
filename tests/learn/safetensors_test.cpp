// SPDX-License-Identifier: Apache-2.0
// Weights on disk: round trips, and files that somebody built to hurt.
#include "learn/train/safetensors.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <fstream>
#include <random>

#include "geometry/error.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

using testing::ScratchFolder;

std::string bytes_of_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string with_length(const std::string& header, std::uint64_t length) {
  std::string out;
  for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(length >> (8 * i)));
  return out + header;
}

std::string hostile(const std::string& header, std::size_t data_bytes) {
  return with_length(header, header.size()) + std::string(data_bytes, '\1');
}

NamedTensors some_tensors() {
  return {{"b.weight", torch::randn({3, 2, 5})},
          {"a.flag", torch::tensor({true, false, true})},
          {"c.scalar", torch::tensor(7, torch::kInt64)},
          {"d.half", torch::randn({5}).to(torch::kFloat16)},
          {"e.brain", torch::randn({3}).to(torch::kBFloat16)},
          {"f.double", torch::randn({2, 2}, torch::kFloat64)},
          {"g.bytes", torch::arange(7, torch::kUInt8)},
          {"h.empty", torch::zeros({0, 4})}};
}

TEST(Safetensors, ComeBackAsTheyWere) {
  const ScratchFolder scratch;
  const auto file = scratch.path() / "w.safetensors";
  const auto tensors = some_tensors();
  const Metadata metadata = {{"bands", "[\"red\"]"}, {"note", "line\nbreak \"quoted\""}};
  const auto published = write_safetensors(file, tensors, metadata);
  const auto back = read_safetensors(file);
  EXPECT_EQ(published.bytes, static_cast<std::int64_t>(std::filesystem::file_size(file)));
  EXPECT_EQ(back.metadata, metadata);
  EXPECT_EQ(read_safetensors_metadata(file), metadata);
  ASSERT_EQ(back.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(back.tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(back.tensors.at(name), tensor)) << name;
  }
}

TEST(Safetensors, HaveTheSameBytesForTheSameContent) {
  const ScratchFolder scratch;
  torch::manual_seed(1);
  auto tensors = some_tensors();
  write_safetensors(scratch.path() / "1", tensors, {});
  std::reverse(tensors.begin(), tensors.end());
  tensors[0].second = tensors[0].second.t().contiguous().t();
  write_safetensors(scratch.path() / "2", tensors, {});
  EXPECT_EQ(bytes_of_file(scratch.path() / "1"), bytes_of_file(scratch.path() / "2"));
}

TEST(Safetensors, PlaceEveryTensorOnItsOwnAlignment) {
  const ScratchFolder scratch;
  write_safetensors(scratch.path() / "w", some_tensors(), {{"k", "v"}});
  const auto bytes = bytes_of_file(scratch.path() / "w");
  const auto length =
      static_cast<unsigned char>(bytes[0]) + 256U * static_cast<unsigned char>(bytes[1]);
  EXPECT_EQ(length % 8, 0U);
  // The largest elements come first, so every tensor starts at a multiple of its element size.
  const auto header = bytes.substr(8, length);
  EXPECT_LT(header.find("c.scalar"), header.find("b.weight"));
  EXPECT_LT(header.find("b.weight"), header.find("d.half"));
  EXPECT_LT(header.find("d.half"), header.find("a.flag"));
}

TEST(Safetensors, ReadForeignHeaders) {
  const auto file = parse_safetensors(
      hostile(R"({"x":{"shape":[2],"data_offsets":[0,8],"dtype":"F32"}}   )", 8), "foreign");
  EXPECT_EQ(file.tensors.at("x").sizes(), (std::vector<std::int64_t>{2}));
  EXPECT_TRUE(parse_safetensors(hostile("{}", 0), "empty").tensors.empty());
}

TEST(Safetensors, RefuseHostileFiles) {
  const std::string one = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"short", "1234567"},
      {"length past the end", with_length("{}", 100)},
      {"length of 2^64 - 1", with_length("{}", ~0ULL)},
      {"header above the limit", with_length(std::string(9 << 20, ' '), 9 << 20)},
      {"no JSON", hostile("{\"a\":", 0)},
      {"not an object", hostile("[1]", 0)},
      {"nesting", hostile("{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}", 0)},
      {"duplicate name", hostile("{" + one + "," + one + "}", 8)},
      {"duplicate key",
       hostile(R"({"a":{"dtype":"F32","dtype":"F64","shape":[2],"data_offsets":[0,8]}})", 8)},
      {"overlap",
       hostile("{" + one + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12)},
      {"hole",
       hostile("{" + one + R"(,"b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]}})", 20)},
      {"hole at the start",
       hostile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12)},
      {"bytes left", hostile("{" + one + "}", 9)},
      {"bytes missing", hostile("{" + one + "}", 7)},
      {"end before begin", hostile(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[8,0]}})", 8)},
      {"shape disagrees", hostile(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8)},
      {"overflow to small",
       hostile(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0)},
      {"overflow of sizes",
       hostile(R"({"a":{"dtype":"F64","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8)},
      {"zero times overflow",
       hostile(
           R"({"a":{"dtype":"F64","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}})",
           0)},
      {"negative size", hostile(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8)},
      {"fraction", hostile(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8)},
      {"unknown type", hostile(R"({"a":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}})", 8)},
      {"extra key", hostile(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8)},
      {"metadata of numbers", hostile(R"({"__metadata__":{"a":1}})", 0)},
      {"metadata is a list", hostile(R"({"__metadata__":[]})", 0)},
  };
  for (const auto& [what, bytes] : cases)
    EXPECT_THROW(parse_safetensors(bytes, what), Error) << what;
}

TEST(Safetensors, SurviveRandomDamage) {
  const ScratchFolder scratch;
  write_safetensors(scratch.path() / "w", some_tensors(), {{"k", "v"}});
  const auto whole = bytes_of_file(scratch.path() / "w");
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    auto bytes = whole;
    for (int hits = 1 + static_cast<int>(random() % 3); hits > 0; --hits)
      bytes[random() % 700] = static_cast<char>(random());
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    try {
      std::size_t read = 0;
      for (const auto& [name, tensor] : parse_safetensors(bytes, "damaged").tensors) read += tensor.nbytes();
      EXPECT_LT(read, bytes.size());  // what is taken lies inside the file
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GE(refused, 1000);  // every file that was cut, at least
}

TEST(Safetensors, NameTheFileThatIsMissing) {
  try {
    read_safetensors("/nowhere/x.safetensors");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/nowhere/x.safetensors"), std::string::npos);
  }
}

}  // namespace
}  // namespace tilewright::learn
