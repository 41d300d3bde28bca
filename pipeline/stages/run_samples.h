// SPDX-License-Identifier: Apache-2.0
// What `evaluate` wrote of each sample, as counts by class that can be added up again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tilewright::pipeline {

/// Pixels (or images) by class: of the class in both, in truth, in prediction.
struct ClassCounts {
  std::vector<std::int64_t> hits, truth, predicted;
  void add(const ClassCounts& other, std::int64_t times = 1);
};

/// What a run of a kind of target is told by: macro IoU of masks, accuracy of one class an image,
/// micro F1 of several. nullopt if nothing is counted.
std::optional<double> score_of(const std::string& target_kind, const ClassCounts& counts);
/// "IoU macro", "accuracy" or "F1 micro".
std::string score_name(const std::string& target_kind);

struct RunSample {
  std::string sample, location, part, block;
  double loss = 0;
  std::optional<double> score;   ///< of this sample alone
  std::string truth, prediction;  ///< names of classes; of images only
  ClassCounts counts;
};
struct RunSamples {
  std::string target_kind;
  std::vector<std::string> classes;
  std::vector<RunSample> rows;   ///< in the order of samples.csv
};

/// samples.csv of a run on the dataset; nullopt where there is none, or one without counts (of an
/// earlier version).
std::optional<RunSamples> read_run_samples(const std::filesystem::path& workspace, const std::string& run, const std::string& dataset);

/// Counts of one part by block of neighbouring locations.
std::map<std::string, ClassCounts> counts_by_block(const RunSamples& samples, const std::string& part);

}  // namespace tilewright::pipeline
