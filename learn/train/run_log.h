// SPDX-License-Identifier: Apache-2.0
// metrics.jsonl and TensorBoard events of a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "learn/train/append_file.h"
#include "learn/train/events.h"

namespace tilewright::learn {

using NamedValues = std::vector<std::pair<std::string, double>>;

/// One row a call: {step, epoch, part, wall_s, samples_per_s, lr, loss, ...metrics}; wall_s counts
/// from the start of this process's part of the run.
class RunLog {
 public:
  /// Cuts metrics.jsonl back to whole rows with step <= `step` (0: a new run), then appends.
  RunLog(const std::filesystem::path& run_folder, std::int64_t step);
  /// Values that are not finite are written as null.
  void row(std::int64_t step, std::int64_t epoch, const std::string& part,
           const NamedValues& values);
  void flush();
  [[nodiscard]] double seconds() const;

 private:
  std::chrono::steady_clock::time_point start_;
  AppendFile rows_;
  EventWriter events_;
};

/// Bytes of the leading whole rows of `text` whose step is at most `step`.
std::int64_t kept_bytes(const std::string& text, std::int64_t step);

}  // namespace tilewright::learn
