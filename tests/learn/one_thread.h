// SPDX-License-Identifier: Apache-2.0
// Tests compute on one thread: tiny tensors gain nothing from two, and lose much on a busy machine.
#pragma once

#include <ATen/Parallel.h>

namespace tilewright::learn::testing {

inline const bool kIsOneThread = [] {
  at::set_num_threads(1);
  return true;
}();

}  // namespace tilewright::learn::testing
