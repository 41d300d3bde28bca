// SPDX-License-Identifier: Apache-2.0
// The table of places against std::map.
#include "geometry/place_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tilewright::geometry {
namespace {

TEST(PlaceTable, HoldsWhatAMapHoldsAlsoAfterItWasCleared) {
  std::mt19937 random(61);
  PlaceTable<int> table;
  for (const int side : {1, 3, 40, 300}) {
    std::map<std::pair<std::int64_t, std::int64_t>, int> expected;
    EXPECT_FALSE(table.find({0, 0}));
    for (int k = 0; k < 20000; ++k) {
      const std::int64_t col = static_cast<std::int64_t>(random() % static_cast<unsigned>(side)) - side / 2, row = (static_cast<std::int64_t>(random() % static_cast<unsigned>(side)) - side / 2) * 1000003;
      const auto [at, is_new] = expected.try_emplace({col, row}, k);
      const int* found = table.find({col, row});
      ASSERT_EQ(found == nullptr, is_new) << col << " " << row;
      if (is_new) EXPECT_EQ(table.add({col, row}, k), k);
      else ASSERT_EQ(*found, at->second);
    }
    ASSERT_EQ(table.size(), expected.size());
    for (const auto& [key, value] : expected) ASSERT_EQ(*table.find({key.first, key.second}), value);
    table.clear();
    EXPECT_EQ(table.size(), 0U);
  }
}

}  // namespace
}  // namespace tilewright::geometry
