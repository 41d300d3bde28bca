// SPDX-License-Identifier: Apache-2.0
// A copy of the smallest synthetic region for a test, without the scene that is broken on purpose.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/program.h"

namespace tilewright::tests {

/// A folder with rasters, labels, a job for all stages and its workspace `work`.
class TinyRegion {
 public:
  TinyRegion() = default;
  TinyRegion(const TinyRegion& other) { std::filesystem::copy(other.path(), path(), std::filesystem::copy_options::recursive); }
  TinyRegion& operator=(const TinyRegion&) = delete;
  ~TinyRegion() = default;

  [[nodiscard]] std::filesystem::path path() const { return folder_ / "region"; }
  [[nodiscard]] std::filesystem::path work() const { return path() / "work"; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path() / name; }

  void generate() const {
    const auto answer = run_tilewright({"synth", "region", path().string(), "--tiny"});
    ASSERT_EQ(answer.code, 0) << answer;
    ASSERT_TRUE(std::filesystem::remove(*this / "optical/optical_e_20230821.tif"));
  }
  void start_anew() const { std::filesystem::remove_all(work()); }

  /// The job up to its section `split`, with `from` replaced by `to`, as another file of the region.
  std::string write_job(const std::string& name, const std::string& from = "", const std::string& to = "", const std::string& more = "") const {
    const auto whole = read_text(*this / "job.yaml");
    auto text = whole.substr(0, whole.find("curate:"));
    const auto at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error("the job has no '" + from + "'");
    write_text(*this / name, text.replace(at, from.size(), to) + more);
    return (*this / name).string();
  }

  /// `tilewright run JOB --to split`, quietly, with further arguments.
  [[nodiscard]] Answer run(const std::vector<std::string>& more = {}, const std::string& job = "job.yaml", const Surroundings& around = {}) const {
    std::vector<std::string> arguments{"run", (*this / job).string(), "--to", "split", "-q"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_tilewright(arguments, around);
  }

 private:
  ScratchFolder folder_;
};

/// Field tree_hash of `tilewright verify`; "" and a failure if the workspace is not sound.
inline std::string verified_tree_hash(const std::filesystem::path& workspace) {
  const auto answer = run_tilewright({"verify", workspace.string(), "--json"});
  EXPECT_EQ(answer.code, 0) << answer;
  const auto json = nlohmann::json::parse(answer.out, nullptr, false);
  return json.is_object() && json.value("sound", false) ? json.value("tree_hash", "") : "";
}

}  // namespace tilewright::tests
