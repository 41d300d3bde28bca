// SPDX-License-Identifier: Apache-2.0
// Scores of a run by a column of the manifest: where it is good, and where it is not.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/run_samples.h"

namespace tilewright::pipeline {

/// Samples of one part that have the same value, or a value in the same of four ranges.
struct GroupRow {
  std::string by, value, part;
  std::int64_t samples = 0;
  std::optional<double> score;  ///< of their counts together
  double loss = 0;              ///< mean of samples
};

/// Names that `evaluate.by` may have without looking at data: columns, targets and scores of the
/// job; further `share_<class>`, the share of a class in the truth of each sample.
std::vector<std::string> group_columns(const Job& job);

/// Throws Error::config for a column that no sample has a value of.
std::vector<GroupRow> run_groups(const Job& job, const index::Manifest& manifest, const std::filesystem::path& workspace,
                                 const learn::RunConfig& run, const RunSamples& samples);

/// Writes runs/<name>/groups.csv of every supervised run, if the job groups by something.
void write_run_groups(const Job& job, const index::Manifest& manifest, const std::filesystem::path& workspace);

}  // namespace tilewright::pipeline
