// SPDX-License-Identifier: Apache-2.0
// Progress on stderr: a bar on a terminal, else a line now and then.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

#include "pipeline/context.h"

namespace tilewright::pipeline {

struct ProgressStyle {
  bool is_terminal = false;  ///< redraw one line
  bool has_color = false;
  std::chrono::milliseconds line_every{10'000};  ///< without a terminal
};
/// Style of stderr, by isatty, NO_COLOR and TERM.
ProgressStyle stderr_style(bool no_color);

/// One listener; called by one thread at a time. Shows done, total, rate and time left.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;
  ProgressBar(std::ostream& out, ProgressStyle style) : out_(out), style_(style) {}

  void show(const Progress& progress, Clock::time_point now = Clock::now());
  void clear();  ///< takes the bar away before other text is written

 private:
  void begin(const Progress& progress, Clock::time_point now);

  std::ostream& out_;
  ProgressStyle style_;
  std::string stage_, unit_;
  std::int64_t first_ = 0;
  Clock::time_point started_{}, shown_{};
  bool is_drawn_ = false;
};

/// "scan   120/400 files  30 %  12.0 files/s  23 s left"
std::string progress_text(const Progress& progress, std::int64_t first, double seconds);

}  // namespace tilewright::pipeline
