// SPDX-License-Identifier: Apache-2.0
// Independent pieces of work on a number of threads; each writes only its own result.
#pragma once

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

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

}  // namespace tilewright::index
