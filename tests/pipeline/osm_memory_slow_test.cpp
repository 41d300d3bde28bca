// SPDX-License-Identifier: Apache-2.0
// A million ways of OpenStreetMap in bounded memory.
#include <gtest/gtest.h>

#include "tests/pipeline/osm_memory.h"

namespace tilewright::pipeline {
namespace {

TEST(OsmMemory, AMillionWaysTakeLessThanTwoGibibytes) { EXPECT_LE(memory_of_osm_mb(1'000'000), 2048); }

}  // namespace
}  // namespace tilewright::pipeline
