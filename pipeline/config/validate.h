// SPDX-License-Identifier: Apache-2.0
// What a job must hold beyond types: names that exist, sums that add up, patterns that compile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {

/// Collects violations by key path; places are found in the tree afterwards.
class Findings {
 public:
  void add(const std::string& path, const std::string& text) { problems_.push_back({{}, path, text}); }
  /// Adds unless `name` is one of `known`; the text names the nearest.
  void need_known(const std::string& path, const std::string& what, const std::string& name, const std::vector<std::string>& known);
  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// Every violation of a job whose types are right. Reads no file but the job's tables of names.
void validate(const Job& job, Findings& findings);
void validate_extract(const Job& job, Findings& findings);
void validate_sources(const Job& job, Findings& findings);   ///< part of validate
void validate_labels(const Job& job, Findings& findings);    ///< part of validate
void validate_learning(const Job& job, Findings& findings);  ///< part of validate: curate to predict

/// A path as files are named in a job: not empty, not absolute, its root known.
void validate_path(const Job& job, const std::string& path, const std::string& value, Findings& findings);
/// A regular expression with a capture.
void validate_pattern(const std::string& path, const std::string& pattern, Findings& findings);

/// Root of "root:relative"; nullopt if the path has none (root `job`).
std::optional<std::string> root_of(const std::string& path);

template <class T>
std::vector<std::string> names_of(const NamedList<T>& list) {
  std::vector<std::string> names;
  for (const auto& entry : list) names.push_back(entry.first);
  return names;
}
std::string listed(const std::vector<std::string>& names);  ///< "a, b, c", or "none"

}  // namespace tilewright::pipeline
