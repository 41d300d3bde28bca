// SPDX-License-Identifier: Apache-2.0
// Pieces of work whose results are used in order, for any number of threads.
#include "index/in_parallel.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace tilewright::index {
namespace {

TEST(InOrder, EveryResultIsUsedOnceInOrderOnThisThread) {
  const auto here = std::this_thread::get_id();
  for (const int threads : {1, 2, 3, 9})
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{17}, std::size_t{200}}) {
      std::vector<std::size_t> results(slots_in_order(threads)), used;
      in_order(
          threads, count, [&](std::size_t n, std::size_t slot) { results[slot] = n + 1; },
          [&](std::size_t slot) {
            EXPECT_EQ(std::this_thread::get_id(), here);
            used.push_back(results[slot]);
            if (slot % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));  // the others overtake
          });
      ASSERT_EQ(used.size(), count);
      for (std::size_t n = 0; n < count; ++n) ASSERT_EQ(used[n], n + 1) << threads << " threads, " << count << " pieces";
    }
}

TEST(InOrder, AnErrorOfEitherSideComesOutAfterAllOthersHaveEnded) {
  for (const bool in_work : {true, false}) {
    std::vector<int> results(slots_in_order(2));
    EXPECT_THROW(in_order(
                     2, std::size_t{200}, [&](std::size_t n, std::size_t slot) { in_work && n == 90 ? throw std::runtime_error("work") : results[slot] = 1; },
                     [&](std::size_t slot) { if (!in_work && slot == 5) throw std::runtime_error("use"); }),
                 std::runtime_error);
  }
}

}  // namespace
}  // namespace tilewright::index
