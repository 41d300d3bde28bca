// SPDX-License-Identifier: Apache-2.0
// Appends lines to log.jsonl, each with one write.
#include "pipeline/runner/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

namespace tilewright::pipeline {

Log::Log(const std::filesystem::path& file) : descriptor_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {}

Log::~Log() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Log::write(const std::string& level, const std::string& event, const std::vector<std::pair<std::string, std::string>>& fields) const {
  if (descriptor_ < 0) return;
  nlohmann::ordered_json line{{"time", now_utc()}, {"level", level}, {"event", event}};
  for (const auto& [name, value] : fields) line[name] = value;
  const auto text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // Short or failed writes leave a torn line, which readers of the log must expect anyway.
  [[maybe_unused]] const auto written = ::write(descriptor_, text.data(), text.size());
}

std::string now_utc() {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto seconds = system_clock::to_time_t(now);
  const auto millis = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<int>(millis));
  return buffer.data();
}

}  // namespace tilewright::pipeline
