// SPDX-License-Identifier: Apache-2.0
// What a stage is given besides data and config, and what it gives back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::pipeline {

/// Progress is data; the bar on a terminal and the JSON events are listeners.
struct Progress {
  std::string stage;
  std::string unit;  ///< "files", "tiles", "locations"
  std::int64_t done = 0, total = 0;
};

struct RunContext {
  std::stop_token stop;
  std::function<void(const Progress&)> on_progress = [](const Progress&) {};
  int threads = 1;
  std::size_t memory_bytes = std::size_t{4} << 30;
  std::int64_t limit = 0;                 ///< --limit N: at most so many items; 0 = all
  bool force_overwrite = false;           ///< --overwrite
  bool is_forced = false;                 ///< --force of this stage
  bool replan = false;                    ///< --replan: the plan of the views starts from scratch
  /// Call once an item: throws Error::stopped when a stop was asked for.
  void check_stop() const;
};

struct StageReport {
  std::vector<std::pair<std::string, std::int64_t>> counts;  ///< what the stage did, in order
  std::vector<std::string> notes;                            ///< told to the user, kept in stage_run
};

}  // namespace tilewright::pipeline
