// SPDX-License-Identifier: Apache-2.0
// Draws progress.
#include "pipeline/runner/progress.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tilewright::pipeline {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr int kBarWidth = 24;

std::string duration_text(double seconds) {
  std::array<char, 32> buffer{};
  if (seconds < 120) std::snprintf(buffer.data(), buffer.size(), "%.0f s", seconds);
  else if (seconds < 5400) std::snprintf(buffer.data(), buffer.size(), "%.0f min", seconds / 60);
  else std::snprintf(buffer.data(), buffer.size(), "%.1f h", seconds / 3600);
  return buffer.data();
}

std::string bar(const Progress& progress) {
  const auto filled = static_cast<std::size_t>(progress.done * kBarWidth / progress.total);
  return "[" + std::string(filled, '#') + std::string(kBarWidth - filled, '.') + "] ";
}

}  // namespace

ProgressStyle stderr_style(bool no_color) {
  const char* wish = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  ProgressStyle style;
  style.is_terminal = ::isatty(STDERR_FILENO) != 0 && !(terminal && std::strcmp(terminal, "dumb") == 0);
  style.has_color = style.is_terminal && !no_color && !(wish && *wish);
  return style;
}

std::string progress_text(const Progress& progress, std::int64_t first, double seconds) {
  std::string text = progress.stage + "  " + std::to_string(progress.done);
  if (progress.total > 0) text += "/" + std::to_string(progress.total);
  text += " " + progress.unit;
  if (progress.total > 0) text += "  " + std::to_string(progress.done * 100 / progress.total) + " %";
  const double rate = seconds > 0 ? static_cast<double>(progress.done - first) / seconds : 0;
  if (rate <= 0) return text;
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "  %.*f %s/s", rate < 10 ? 1 : 0, rate, progress.unit.c_str());
  text += buffer.data();
  if (progress.total > progress.done) text += "  " + duration_text(static_cast<double>(progress.total - progress.done) / rate) + " left";
  return text;
}

void ProgressBar::begin(const Progress& progress, Clock::time_point now) {
  stage_ = progress.stage;
  unit_ = progress.unit;
  first_ = progress.done;
  started_ = now;
  shown_ = style_.is_terminal ? Clock::time_point{} : now;
}

void ProgressBar::show(const Progress& progress, Clock::time_point now) {
  if (progress.stage != stage_ || progress.unit != unit_ || progress.done < first_) begin(progress, now);
  const bool is_last = progress.total > 0 && progress.done >= progress.total;
  if (now - shown_ < (style_.is_terminal ? kRedraw : style_.line_every) && !(is_last && style_.is_terminal)) return;
  shown_ = now;
  const auto text = progress_text(progress, first_, std::chrono::duration<double>(now - started_).count());
  if (!style_.is_terminal) {
    out_ << text << std::endl;
    return;
  }
  out_ << "\r\x1b[K" << (style_.has_color ? "\x1b[36m" : "") << (progress.total > 0 ? bar(progress) : "") << (style_.has_color ? "\x1b[0m" : "") << text
       << std::flush;
  is_drawn_ = true;
}

void ProgressBar::clear() {
  if (is_drawn_) out_ << "\r\x1b[K" << std::flush;
  is_drawn_ = false;
}

}  // namespace tilewright::pipeline
