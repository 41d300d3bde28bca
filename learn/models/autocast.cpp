// SPDX-License-Identifier: Apache-2.0
// The thread's autocast state, set and put back.
#include "learn/models/autocast.h"

#include <ATen/autocast_mode.h>

namespace tilewright::learn {

Autocast::Autocast(bool is_on, torch::Device device)
    : type_(device.type()),
      was_on_(at::autocast::is_autocast_enabled(type_)),
      was_type_(at::autocast::get_autocast_dtype(type_)) {
  at::autocast::set_autocast_enabled(type_, is_on);
  if (is_on) at::autocast::set_autocast_dtype(type_, torch::kBFloat16);
}

Autocast::~Autocast() {
  at::autocast::clear_cache();  // a cast made without gradient must not serve where one is needed
  at::autocast::set_autocast_enabled(type_, was_on_);
  at::autocast::set_autocast_dtype(type_, was_type_);
}

bool Autocast::is_on(torch::Device device) {
  return at::autocast::is_autocast_enabled(device.type());
}

}  // namespace tilewright::learn
