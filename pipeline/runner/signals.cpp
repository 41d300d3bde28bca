// SPDX-License-Identifier: Apache-2.0
// Waits for SIGINT and SIGTERM in a thread.
#include "pipeline/runner/signals.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

constexpr timespec kPoll{0, 100'000'000};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

void say(const char* text, std::size_t length) {
  if (::write(STDERR_FILENO, text, length) < 0) errno = 0;  // nobody reads stderr: the request counts all the same
}

void wait_for_signals(const std::stop_token& finished, std::stop_source source) {
  constexpr char kFirst[] = "\nstopping after the item in hand; once more to stop at once\n";
  constexpr char kSecond[] = "\nstopped at once; the same command goes on from here\n";
  const auto set = stop_signals();
  while (!finished.stop_requested()) {
    if (::sigtimedwait(&set, nullptr, &kPoll) < 0) continue;
    if (finished.stop_requested()) return;
    if (source.stop_requested()) {
      say(kSecond, sizeof kSecond - 1);
      ::_exit(static_cast<int>(ErrorKind::stopped));
    }
    say(kFirst, sizeof kFirst - 1);
    source.request_stop();
  }
}

}  // namespace

StopOnSignal::StopOnSignal() {
  const auto set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  waiting_ = std::jthread([source = source_](const std::stop_token& finished) { wait_for_signals(finished, source); });
}

StopOnSignal::~StopOnSignal() {
  waiting_.request_stop();
  ::pthread_kill(waiting_.native_handle(), SIGTERM);  // wakes the thread, which sees that all is over
  waiting_.join();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace tilewright::pipeline
