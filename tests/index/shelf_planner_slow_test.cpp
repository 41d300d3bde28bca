// SPDX-License-Identifier: Apache-2.0
// The yield of shelf packing on more draws than the normal tests have time for.
#include <gtest/gtest.h>

#include "tests/index/planner_yield.h"

namespace tilewright::index {
namespace {

TEST(ShelfPlannerSlow, ReachesTheOptimumOnSmallComponents) { EXPECT_GE(share_of_optimum(2000, 600), 0.95); }

class HotSpots : public ::testing::TestWithParam<unsigned> {};
TEST_P(HotSpots, YieldMoreThanTupleGrowing) { expect_hot_spot_yield(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Draws, HotSpots, ::testing::Range(0U, 3U));

}  // namespace
}  // namespace tilewright::index
