// SPDX-License-Identifier: Apache-2.0
// What earlier runs of curate found, so that only what changed is scored again.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/stages/curate_metrics.h"

namespace tilewright::pipeline {

/// Scores in the manifest with the keys they were made under (`local/curate/...` in meta). Read once, before the stage
/// clears its rows; what is remembered anew is written in the same transaction as the scores.
class CurateMemory {
 public:
  CurateMemory(const index::Manifest& manifest, std::string layer);

  /// Values of the location in these metrics if they were made under `key`; a metric that said nothing is left out.
  [[nodiscard]] std::optional<std::map<std::string, double>> values(const std::string& location_id, const std::vector<const ScoreRow*>& scores, const std::string& key) const;
  void remember(const std::string& location_id, const std::string& key, std::size_t value_count) { fresh_[location_id] = key + " " + std::to_string(value_count); }

  /// Scores of the models, if all were made under `key`.
  [[nodiscard]] std::optional<Metrics> model_scores(const std::vector<const ScoreRow*>& scores, const std::string& key) const;
  void remember_models(const std::string& key, std::size_t value_count) { fresh_["models"] = key + " " + std::to_string(value_count); }

  /// Warnings of the models whose scores are known: they hold as long as these do.
  [[nodiscard]] std::vector<std::string> warnings() const;
  void remember_warnings(const std::vector<std::string>& lines);

  /// Percentiles of the views with this key (edge_percentiles).
  [[nodiscard]] std::optional<std::vector<double>> percentiles(const std::string& location_id, const std::string& key) const;
  void remember_percentiles(const std::string& location_id, const std::string& key, const std::vector<double>& values);

  /// Inside the caller's transaction.
  void write(index::Manifest& manifest) const;

 private:
  [[nodiscard]] std::map<std::string, double> old_values(const std::string& location_id, const std::vector<const ScoreRow*>& scores) const;
  std::string prefix_;
  std::map<std::string, std::string> known_, fresh_;
  Metrics old_;
};

}  // namespace tilewright::pipeline
