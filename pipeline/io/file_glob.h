// SPDX-License-Identifier: Apache-2.0
// Files that a pattern of the job names, as "<root>:<relative path>".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// "data:a/b.tif" as root and relative path; the root of a text without one is "job".
struct RootedPath {
  std::string root, relative;
  [[nodiscard]] std::string text() const { return root + ":" + relative; }
};
RootedPath split_root(const std::string& path);

struct FoundFile {
  std::string path;                ///< "<root>:<relative>"
  std::filesystem::path absolute;
};

/// Files that match `* ? [] **` (case-sensitive; `*` does not cross folders nor match a leading
/// dot), sorted bytewise. Empty if nothing matches. Throws Error::config for a missing root, a
/// pattern that leaves its root, and a match that is a link out of it.
std::vector<FoundFile> glob_files(const Job& job, const std::string& pattern);

/// Does one path component match one component of a pattern?
bool matches(std::string_view pattern, std::string_view name);

}  // namespace tilewright::pipeline
