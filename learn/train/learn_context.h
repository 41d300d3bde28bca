// SPDX-License-Identifier: Apache-2.0
// What a verb is given besides its request: the stop token and two listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

namespace tilewright::learn {

struct LearnContext {
  std::stop_token stop;
  std::function<void(std::int64_t done, std::int64_t total, const std::string& unit)> on_progress =
      [](std::int64_t, std::int64_t, const std::string&) {};
  std::function<void(const std::string&)> say = [](const std::string&) {};  ///< one line for people
};

}  // namespace tilewright::learn
