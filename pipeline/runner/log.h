// SPDX-License-Identifier: Apache-2.0
// log.jsonl of a workspace: one JSON object a line, what was done and what failed.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::pipeline {

/// Appends; a torn last line after a kill is legal. A log that cannot be written never stops a run.
class Log {
 public:
  explicit Log(const std::filesystem::path& file);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  /// {"time", "level", "event", then `fields` in order}. level: info | warning | error.
  void write(const std::string& level, const std::string& event, const std::vector<std::pair<std::string, std::string>>& fields) const;

 private:
  int descriptor_ = -1;
};

/// Now, as `YYYY-MM-DDThh:mm:ss.mmmZ`.
std::string now_utc();

}  // namespace tilewright::pipeline
