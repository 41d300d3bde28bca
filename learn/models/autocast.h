// SPDX-License-Identifier: Apache-2.0
// Forward passes in bfloat16 where that is safe: LibTorch decides operator by operator.
#pragma once

#include <torch/torch.h>

namespace tilewright::learn {

/// Autocast to bfloat16 on `device` within a scope, if `is_on`; weights stay float32. At its end
/// the casts are forgotten and what was set before holds again.
class Autocast {
 public:
  Autocast(bool is_on, torch::Device device);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;
  /// True inside such a scope of this thread.
  static bool is_on(torch::Device device);

 private:
  c10::DeviceType type_;
  bool was_on_;
  c10::ScalarType was_type_;
};

}  // namespace tilewright::learn
