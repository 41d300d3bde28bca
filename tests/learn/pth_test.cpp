// SPDX-License-Identifier: Apache-2.0
// Weights of torch.save: read as data, refused where they are more than that.
#include "learn/train/pth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <fstream>

#include "geometry/error.h"
#include "learn/train/pickle.h"
#include "tests/learn/tiny_dataset.h"

namespace tilewright::learn {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Pth : public ::testing::Test {
 protected:
  fs::path make(const std::string& kind) {
    const auto file = scratch_.path() / (kind + ".pth");
    const auto command = "cd '" + scratch_.path().string() + "' && python3 " +
                         std::string(TILEWRIGHT_SOURCE_DIR) + "/tests/learn/make_pth.py '" +
                         file.string() + "' " + kind;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return file;
  }
  static std::string error_of(const fs::path& file) {
    try {
      read_pth(file);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  testing::ScratchFolder scratch_;
};

TEST_F(Pth, GivesTensorsWithTheirNamesShapesAndStrides) {
  for (const std::string kind : {"plain", "wrapped"}) {
    const auto tensors = read_pth(make(kind));
    ASSERT_EQ(tensors.size(), 2U) << kind;
    const auto& weight = tensors.at("weight");
    EXPECT_EQ(weight.sizes(), (std::vector<std::int64_t>{4, 3}));
    EXPECT_TRUE(weight.is_contiguous());
    for (int r = 0; r < 4; ++r)
      for (int c = 0; c < 3; ++c) EXPECT_EQ(weight[r][c].item<float>(), (r + 4 * c) / 8.F);
    EXPECT_EQ(tensors.at("steps").item<std::int64_t>(), 7);
  }
}

TEST_F(Pth, RefusesCodeByNameAndRunsNothing) {
  const auto text = error_of(make("code"));
  EXPECT_THAT(text, HasSubstr("system'"));
  EXPECT_THAT(text, HasSubstr("nothing of it was run"));
  EXPECT_FALSE(fs::exists(scratch_.path() / "executed"));
  EXPECT_FALSE(fs::exists("executed"));
}

TEST_F(Pth, RefusesTensorsBeyondTheirStorage) {
  EXPECT_THAT(error_of(make("reach")), HasSubstr("reaches element 15 of a storage of 12"));
}

TEST_F(Pth, RefusesOtherByteOrdersAndOtherFiles) {
  EXPECT_THAT(error_of(make("big_endian")), HasSubstr("big-endian"));
  EXPECT_THAT(error_of(make("deep")), HasSubstr("no named tensors"));
  std::ofstream(scratch_.path() / "old.pth") << "\x80\x02}q\x01.";
  EXPECT_THAT(error_of(scratch_.path() / "old.pth"), HasSubstr("no zip container"));
}

TEST_F(Pth, SurvivesDepthAndCircles) {
  std::string deep = "\x80\x02N";
  deep.append(1'000'000, '\x85');  // a tuple in a tuple in a tuple
  EXPECT_EQ(parse_pickle(deep + ".", "x").root->items.size(), 1U);
  const std::string circle =
      "\x80\x02]q\x01h\x01"
      "a.";  // a list that holds itself
  const auto pickle = parse_pickle(circle, "x");
  EXPECT_EQ(pickle.root->items[0], pickle.root);
}

TEST_F(Pth, SurvivesEveryCutAndManyDamages) {
  const auto file = make("wrapped");
  std::ifstream in(file, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  const auto start = whole.find("\x80\x02"), end = whole.find("PK\x03\x04", start);
  const auto pickle = whole.substr(start, end - start);
  EXPECT_EQ(parse_pickle(pickle, "x").root->kind, PickleValue::Kind::dict);
  for (std::size_t length = 0; length < pickle.size(); ++length)
    EXPECT_THROW(parse_pickle(pickle.substr(0, length), "x"), Error) << length;
  int refused = 0;
  for (std::size_t place = 0; place < pickle.size(); ++place)
    for (const int flip : {1, 0x40, 0xff}) {
      auto damaged = pickle;
      damaged[place] = static_cast<char>(damaged[place] ^ flip);
      try {
        parse_pickle(damaged, "x");
      } catch (const Error&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 100);
  for (std::size_t length = 0; length < whole.size(); length += 37) {
    std::ofstream(scratch_.path() / "cut.pth", std::ios::binary) << whole.substr(0, length);
    EXPECT_THROW(read_pth(scratch_.path() / "cut.pth"), Error) << length;
  }
}

}  // namespace
}  // namespace tilewright::learn
