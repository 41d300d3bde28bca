// SPDX-License-Identifier: Apache-2.0
// The log of a run after a stop.
#include "learn/train/run_log.h"

#include <gtest/gtest.h>

namespace tilewright::learn {
namespace {

TEST(RunLog, CutsBackToWholeRowsOfTheStep) {
  const std::string text = "{\"step\":1}\n{\"step\":3}\n{\"step\":5}\n{\"st";
  EXPECT_EQ(kept_bytes(text, 3), 22);
  EXPECT_EQ(kept_bytes(text, 9), 33);
  EXPECT_EQ(kept_bytes(text, 0), 0);
}

}  // namespace
}  // namespace tilewright::learn
