// SPDX-License-Identifier: Apache-2.0
// From YAML text to a Job: every error at once, each with its place and a remedy.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// A flag that has a job key: `-j 4` is limits.threads.
struct JobFlag {
  std::string flag, path, value;                              ///< value as YAML
};

struct JobOptions {
  std::vector<std::string> sets;                              ///< "key.path=VALUE" of --set
  std::vector<std::pair<std::string, std::string>> roots;     ///< --root name=DIR
  std::vector<JobFlag> flags;                                 ///< win over --set
};

/// default < file < environment (TILEWRIGHT_KEY_PATH) < --set < flag. Throws Error::config whose text
/// holds every violation, one a line: `file:line:column: key.path: what is wrong; what is right`.
Job load_job(const std::filesystem::path& file, const JobOptions& options = {});
/// Replaces groups of bands by sources `<source>_<group>`, and adds one for each entry of extract.derived.
void expand_sources(Job& job);

/// Values that are valid but not built yet, as one error text each; the runner ends in exit 2.
std::vector<std::string> not_in_this_version(const Job& job);

std::string dump_job(const Job& job);  ///< resolved YAML
std::string job_schema();              ///< JSON Schema of jobs
/// Compact JSON of one section, as it enters a stage's key: "sources", "views", "extract.resampling";
/// "null" if the section is not there.
std::string section_json(const Job& job, const std::string& section);

std::size_t parse_bytes(const std::string& text);  ///< "512M", "4G"; throws Error::config
/// Known name nearest to `name`, empty if none is near.
std::string nearest_name(const std::string& name, const std::vector<std::string>& known);

}  // namespace tilewright::pipeline
