// SPDX-License-Identifier: Apache-2.0
// Ways far from every location cost a row, not their geometry.
#include <gtest/gtest.h>

#include "tests/pipeline/osm_memory.h"

namespace tilewright::pipeline {
namespace {

TEST(OsmMemory, GrowsByLessThanTwoKibibytesAWay) {
  const long few = memory_of_osm_mb(20'000), many = memory_of_osm_mb(100'000);
  EXPECT_LT(many - few, 156) << "MiB for 80,000 ways";
}

}  // namespace
}  // namespace tilewright::pipeline
