// SPDX-License-Identifier: Apache-2.0
// Boxes found in cells against all boxes, and what wide boxes cost.
#include "pipeline/stages/box_cells.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <random>

namespace tilewright::pipeline {
namespace {

using geometry::Box;

std::vector<std::uint32_t> by_force(const std::vector<Box>& boxes, const Box& one) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t k = 0; k < boxes.size(); ++k) {
    const Box& b = boxes[k];
    if (!b.empty() && b.min_x <= one.max_x && one.min_x <= b.max_x && b.min_y <= one.max_y && one.min_y <= b.max_y) found.push_back(k);
  }
  return found;
}

TEST(BoxCells, FindsWhatAllBoxesSay) {
  std::mt19937 random(3);
  for (const double widest : {0.0, 0.5, 20.0, 400.0}) {
    std::vector<Box> boxes;
    std::uniform_real_distribution<double> place(0, 100), size(0, widest);
    for (int k = 0; k < 400; ++k) {
      const double x = place(random), y = place(random);
      boxes.push_back(k % 50 == 7 ? Box{} : Box{x, y, x + size(random), y + size(random)});
    }
    const BoxCells cells(boxes);
    for (int k = 0; k < 300; ++k) {
      const double x = place(random) * 1.4 - 20, y = place(random) * 1.4 - 20;
      const Box one{x, y, x + size(random), y + size(random)};
      ASSERT_EQ(cells.touching(one), by_force(boxes, one)) << widest;
    }
  }
  EXPECT_TRUE(BoxCells({}).touching({0, 0, 1, 1}).empty());
  EXPECT_EQ(BoxCells({Box{2, 2, 2, 2}}).touching({0, 0, 3, 3}).size(), 1U) << "all in one point";
}

/// 40,000 boxes that all lie over each other: listed in cells of their spacing they would take 6 GB.
TEST(BoxCells, WideBoxesTakeMemoryByTheirNumber) {
  std::vector<Box> boxes;
  for (int k = 0; k < 40000; ++k) boxes.push_back({8.0 * (k % 200) - 1000, 8.0 * (k / 200) - 1000, 8.0 * (k % 200) + 1000, 8.0 * (k / 200) + 1000});
  EXPECT_EQ(BoxCells(boxes).touching({-1000, -1000, -1000, -1000}).size(), 1U);
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  EXPECT_LT(used.ru_maxrss, 300 * 1024) << "KiB";
}

}  // namespace
}  // namespace tilewright::pipeline
