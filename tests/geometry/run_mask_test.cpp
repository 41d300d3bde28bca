// SPDX-License-Identifier: Apache-2.0
// Masks as runs, against bits; their bytes, also damaged ones.
#include "geometry/run_mask.h"

#include <gtest/gtest.h>

#include <random>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

Bitmask random_mask(std::mt19937& random) {
  const auto side = [&] { return static_cast<std::int64_t>(random() % 3 == 0 ? 63 + random() % 4 : random() % 200); };
  Bitmask mask(side(), side());
  for (std::int64_t row = 0; row < mask.height(); ++row) {
    if (row > 0 && random() % 2 == 0) {
      for (std::int64_t col = 0; col < mask.width(); ++col) mask.set(col, row, mask.get(col, row - 1));
      continue;
    }
    for (int runs = static_cast<int>(random() % 5); runs > 0 && mask.width() > 0; --runs) {
      const auto begin = static_cast<std::int64_t>(random() % static_cast<unsigned>(mask.width()));
      mask.set_run(begin, begin + static_cast<std::int64_t>(random() % static_cast<unsigned>(mask.width() - begin + 1)), row, true);
    }
  }
  return mask;
}

TEST(RunMask, HoldsWhatTheBitsHold) {
  std::mt19937 random(1);
  for (int k = 0; k < 300; ++k) {
    const auto bits = random_mask(random);
    const auto runs = RunMask::from(bits);
    ASSERT_EQ(runs.bits(), bits) << k;
    ASSERT_EQ(runs.count(), bits.count());
    const auto decoded = RunMask::decoded(runs.encoded(), bits.width(), bits.height());
    ASSERT_TRUE(decoded) << k;
    ASSERT_EQ(*decoded, runs);
  }
}

TEST(RunMask, GivesRowsAlsoBeyondItsEdges) {
  const auto mask = RunMask::from(bitmask_from_ascii(R"(
      #.##
      .##.)"));
  EXPECT_EQ(mask.bits(-1, 1), bitmask_from_ascii(R"(
      ....
      #.##)"));
  EXPECT_EQ(mask.bits(1, 3), bitmask_from_ascii(R"(
      .##.
      ....)"));
}

TEST(RunMask, KeepsEqualRowsOnce) {
  const auto mask = RunMask::from(Bitmask(5000, 5000, true));
  EXPECT_LT(mask.memory_bytes(), 200'000U);
  EXPECT_LT(mask.encoded().size(), 16U);
  EXPECT_EQ(mask.count(), 25'000'000);
}

TEST(RunMask, RefusesBytesThatNoMaskHas) {
  std::mt19937 random(2);
  int refused = 0;
  for (int k = 0; k < 300; ++k) {
    const auto mask = RunMask::from(random_mask(random));
    const auto whole = mask.encoded();
    const auto read = [&](const std::vector<std::byte>& bytes) { return RunMask::decoded(bytes, mask.width(), mask.height()); };
    auto cut = whole, longer = whole, changed = whole;
    cut.resize(random() % whole.size());
    EXPECT_FALSE(read(cut)) << k;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(read(longer)) << k;
    EXPECT_FALSE(RunMask::decoded(whole, mask.width() + 1, mask.height()));
    changed[random() % changed.size()] ^= static_cast<std::byte>(1U << (random() % 8));
    const auto other = read(changed);  // another mask of these sides, or none
    if (!other) ++refused;
    else EXPECT_EQ(read(other->encoded()), other) << k;
  }
  EXPECT_GT(refused, 20);
}

TEST(RunMask, RefusesHugeSides) { EXPECT_THROW(RunMask(std::int64_t{1} << 31), Error); }

}  // namespace
}  // namespace tilewright::geometry
