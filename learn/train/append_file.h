// SPDX-License-Identifier: Apache-2.0
// Logs that only grow (metrics.jsonl, TensorBoard events): the one exception to the commit
// function.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tilewright::learn {

/// Opened with O_APPEND, made if missing. A torn last record after a kill is legal for these files.
class AppendFile {
 public:
  explicit AppendFile(std::filesystem::path file);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();
  /// Whole or Error::failed; short writes are continued.
  void append(std::string_view bytes);
  /// fsync; Error::failed if the disk refuses.
  void sync();

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
};

/// Cuts the file to `bytes` (resume cuts a log back to the checkpoint's step).
void truncate_log(const std::filesystem::path& file, std::int64_t bytes);

}  // namespace tilewright::learn
