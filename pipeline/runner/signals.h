// SPDX-License-Identifier: Apache-2.0
// SIGINT and SIGTERM become a stop request; a second one ends the program at once.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace tilewright::pipeline {

/// Make it before any other thread: both signals are blocked then, and a thread of its own takes
/// them from the kernel, so that nothing runs in a signal handler. The second signal leaves with
/// exit code 4 at once: what is committed stays, the rest is swept by the next run.
class StopOnSignal {
 public:
  StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  ~StopOnSignal();
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  sigset_t before_{};
  std::jthread waiting_;
};

}  // namespace tilewright::pipeline
