// SPDX-License-Identifier: Apache-2.0
// Job files for tests: written to a scratch folder, loaded, their problems as text.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "geometry/error.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {

/// A folder that goes with its scope.
class JobFolder {
 public:
  JobFolder() {
    auto name = (std::filesystem::temp_directory_path() / "tilewright-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  JobFolder(const JobFolder&) = delete;
  JobFolder& operator=(const JobFolder&) = delete;
  ~JobFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline Job load_text(const std::string& yaml, const JobOptions& options = {}) {
  const JobFolder folder;
  return load_job(folder.write("job.yaml", yaml), options);
}

/// Error text without the folder: "job.yaml:3:5: ..."; "" if the job loads.
inline std::string problems_of(const std::string& yaml, const JobOptions& options = {}) {
  const JobFolder folder;
  try {
    load_job(folder.write("job.yaml", yaml), options);
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    std::string text = error.what();
    const auto prefix = folder.path().string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) text.erase(at, prefix.size());
    return text;
  }
}

inline const std::string kSmallJob = "workspace: work\nsources:\n  naip: {files: '*.tif'}\n";

}  // namespace tilewright::pipeline
