// SPDX-License-Identifier: Apache-2.0
// Independent pieces of work on a number of threads; each writes only its own result.
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <cstddef>

namespace tilewright::index {

/// Calls `work(n)` for 0..count-1 on at most `threads` threads, in any order.
template <class F>
void in_parallel(int threads, std::size_t count, const F& work) {
  if (threads <= 1 || count <= 1) {
    for (std::size_t n = 0; n < count; ++n) work(n);
    return;
  }
  tbb::task_arena arena(threads);
  arena.execute([&] { tbb::parallel_for(std::size_t{0}, count, work); });
}

/// Pieces of `in_order` whose results are in memory at once, on so many threads.
inline std::size_t slots_in_order(int threads) { return threads <= 1 ? 1 : 2 * static_cast<std::size_t>(std::clamp(4 * threads, 16, 64)); }

/// Calls `work(n, slot)` for 0..count-1 as in_parallel does, and `use(slot)` in the order of n on this thread, while others
/// work on what follows. `slot`, below slots_in_order(threads), is where a piece keeps its result until it was used.
template <class Work, class Use>
void in_order(int threads, std::size_t count, const Work& work, const Use& use) {
  const std::size_t slots = slots_in_order(threads), wave = std::max<std::size_t>(slots / 2, 1);
  if (threads <= 1 || count <= 1) {
    for (std::size_t n = 0; n < count; ++n) work(n, std::size_t{0}), use(std::size_t{0});
    return;
  }
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::task_group others;
    const auto start = [&](std::size_t first) {
      others.run([&, first] { tbb::parallel_for(first, std::min(first + wave, count), [&](std::size_t n) { work(n, n % slots); }); });
    };
    start(0);
    for (std::size_t first = 0; first < count; first += wave) {
      others.wait();
      if (first + wave < count) start(first + wave);
      for (std::size_t n = first; n < std::min(first + wave, count); ++n) use(n % slots);
    }
  });
}

}  // namespace tilewright::index
