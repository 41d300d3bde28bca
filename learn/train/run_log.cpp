// SPDX-License-Identifier: Apache-2.0
// Rows of metrics.jsonl, the same numbers for TensorBoard.
#include "learn/train/run_log.h"

#include <fstream>

#include "learn/config/json.h"

namespace tilewright::learn {
namespace {

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The path, after the file was cut back to `step`.
std::filesystem::path cut_back(const std::filesystem::path& file, std::int64_t step) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return file;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  truncate_log(file, kept_bytes(text, step));
  return file;
}

}  // namespace

std::int64_t kept_bytes(const std::string& text, std::int64_t step) {
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    const auto row =
        Json::parse(text.substr(begin, end - begin), nullptr, /*allow_exceptions=*/false);
    if (!row.is_object() || !row.contains("step") || row["step"].get<std::int64_t>() > step) break;
    begin = end + 1;
  }
  return step == 0 ? 0 : static_cast<std::int64_t>(begin);
}

RunLog::RunLog(const std::filesystem::path& run_folder, std::int64_t step)
    : start_(std::chrono::steady_clock::now()),
      rows_(cut_back(run_folder / "metrics.jsonl", step)),
      events_(run_folder, unix_seconds()) {}

double RunLog::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void RunLog::row(std::int64_t step, std::int64_t epoch, const std::string& part,
                 const NamedValues& values) {
  Json row = {{"step", step}, {"epoch", epoch}, {"part", part}, {"wall_s", seconds()}};
  const double now = unix_seconds();
  for (const auto& [name, value] : values) {
    row[name] = value;
    events_.add_scalar(part + "/" + name, value, step, now);
  }
  rows_.append(row.dump() + "\n");
}

void RunLog::flush() {
  rows_.sync();
  events_.flush();
}

}  // namespace tilewright::learn
