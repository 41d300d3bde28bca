// SPDX-License-Identifier: Apache-2.0
// npy headers: written as numpy writes them, parsed without trusting a byte.
#include "index/shard/npy.h"

#include <gtest/gtest.h>

#include <random>

#include "geometry/error.h"

namespace tilewright::shard {
namespace {

NpyHeader parse(const std::string& file) { return parse_npy(std::as_bytes(std::span(file)), "test"); }

std::string with_header(const std::string& dict, std::size_t data_bytes, char version = 1) {
  std::string file = "\x93NUMPY";
  file += {version, '\0', static_cast<char>(dict.size() & 255U), static_cast<char>(dict.size() >> 8)};
  if (version > 1) file += std::string(2, '\0');
  return file + dict + std::string(data_bytes, 'x');
}

TEST(Npy, HeaderIs128BytesAndEndsWithANewline) {
  const std::int64_t shape[] = {4, 64, 64};
  const std::string header = npy_header(DType::u16, shape);
  ASSERT_EQ(header.size(), 128U);
  // The format of numpy.lib.format: magic, version 1.0, little-endian length, dict, blanks, newline.
  EXPECT_EQ(header.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_TRUE(header.substr(10).starts_with("{'descr': '<u2', 'fortran_order': False, 'shape': (4, 64, 64), }  "));
  EXPECT_EQ(header.back(), '\n');
}

TEST(Npy, EveryTypeAndShapeComesBack) {
  for (const DType type : {DType::u8, DType::i8, DType::u16, DType::i16, DType::u32, DType::i32, DType::f32, DType::f64})
    for (const std::vector<std::int64_t>& shape :
         {std::vector<std::int64_t>{}, {5}, {0}, {3, 4}, {4, 64, 64}, {2, 0, 3}, {1, 2, 3, 4}}) {
      std::int64_t elements = 1;
      for (const auto axis : shape) elements *= axis;
      const std::string file =
          npy_header(type, shape) + std::string(static_cast<std::size_t>(elements) * byte_size(type), 'x');
      const NpyHeader header = parse(file);
      EXPECT_EQ(header.dtype, type);
      EXPECT_EQ(header.shape, shape);
      EXPECT_EQ(header.elements(), elements);
      EXPECT_EQ(header.header_bytes, 128);
      EXPECT_EQ(dtype_from_descr(descr(type)), type);
      EXPECT_EQ(dtype_from_name(name(type)), type);
    }
}

TEST(Npy, HeadersOfOtherWritersAreRead) {
  EXPECT_EQ(parse(with_header("{\"shape\":(2,3),\"descr\":\"<f4\",\"fortran_order\":False}\n", 24)).shape,
            (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(parse(with_header("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n", 12, 2)).header_bytes, 12 + 60);
}

TEST(Npy, WrongHeadersAreErrors) {
  const std::string good = "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 3), }\n";
  ASSERT_NO_THROW(parse(with_header(good, 12)));
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return with_header(text.replace(text.find(from), from.size(), to), 12);
  };
  for (const std::string& file :
       {std::string(), std::string("\x93NUMPY"), with_header(good, 11), with_header(good, 13),
        with_header(good, 12, 4), replaced("False", "True"), replaced("<u2", ">u2"), replaced("<u2", "|O"),
        replaced("<u2", "=u2"), replaced("'<u2'", "[('a', '<u2')]"), replaced("(2, 3)", "(-2, -3)"),
        replaced("(2, 3)", "(4294967296, 4294967296)"), replaced("(2, 3)", "(9223372036854775807,9)"),
        replaced("(2, 3)", "(99999999999999999999,)"), replaced("(2, 3)", "2, 3"), replaced("}", "} x"),
        replaced("'shape': (2, 3), ", ""), replaced("'descr'", "'shape': (6,), 'descr'"),
        replaced("'descr'", "'evil': 1, 'descr'"), replaced("}", ""), with_header(std::string(10001, ' '), 12),
        std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)})
    EXPECT_THROW(parse(file), Error) << file;
}

TEST(Npy, AHeaderThatLeaves128BytesIsRefused) {
  EXPECT_THROW(npy_header(DType::u8, std::vector<std::int64_t>(8, 1000000000000)), Error);
  EXPECT_THROW(npy_header(DType::u8, std::vector<std::int64_t>{-1}), Error);
}

TEST(Npy, TwentyThousandMutantsNeverCrash) {
  std::mt19937 random(7);
  const std::int64_t shape[] = {2, 3, 4};
  const std::string good = npy_header(DType::f32, shape) + std::string(96, 'x');
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string file = good;
    for (unsigned k = random() % 4 + 1; k > 0; --k) file[random() % 80] = static_cast<char>(random());
    if (random() % 8 == 0) file.resize(random() % file.size());
    const std::vector<char> tight(file.begin(), file.end());  // no bytes beyond the end to read by accident
    try {
      const NpyHeader header = parse_npy(std::as_bytes(std::span(tight)), "mutant");
      EXPECT_EQ(header.header_bytes + header.elements() * static_cast<std::int64_t>(byte_size(header.dtype)),
                static_cast<std::int64_t>(file.size()));
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace tilewright::shard
