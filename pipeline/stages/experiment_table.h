// SPDX-License-Identifier: Apache-2.0
// An experiment's results: a row a member, means of arms with intervals, paired differences.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/stages/run_samples.h"

namespace tilewright::pipeline {

/// 2.5 % and 97.5 % points of 1000 draws of members (other seeds) and of blocks of locations, both
/// with return, the blocks alike for all members.
using Interval = std::array<double, 2>;

struct MemberRow {
  ExperimentMember member;
  bool is_finished = false;                        ///< weights are there
  std::int64_t steps = 0;
  std::optional<double> val_best, val_last, test;  ///< of the best weights on val, the last step on val, the best weights on test
  std::optional<double> epochs_to_95;              ///< first epoch with 95 % of the last validation's score
};

/// Members that differ in repetitions (seeds) only.
struct ArmRow {
  std::string score;
  std::vector<std::string> values;                 ///< one for each of ExperimentTable::axes
  int runs = 0;
  double mean = 0;
  std::optional<double> sd;                        ///< over the members; of two or more
  Interval interval{};
};

/// Pairs of members that differ in `axis` only: `value` minus `against`.
struct DifferenceRow {
  std::string score, axis, value, against;
  std::vector<std::string> others;                 ///< one for each of the table's axes, "" at `axis`
  int pairs = 0;
  double mean = 0;
  Interval interval{};
  /// "above", "below", or "not resolved" where the interval holds 0.
  [[nodiscard]] std::string verdict() const;
};

struct ExperimentTable {
  std::string name, score, part;                   ///< score: that of the members: "IoU macro", ..., or "loss" of val
  std::vector<std::string> axes;                   ///< without repetitions
  std::vector<MemberRow> members;
  std::vector<ArmRow> arms;
  std::vector<DifferenceRow> differences;
};

/// Of what the members have written so far. Differences are along the axes of named arms, else along
/// the first axis; against the first value. Of masks there is a second score, boundary F1, whose intervals
/// draw members only. Scores are those of test, or of val where there is none.
ExperimentTable experiment_table(const Job& job, const std::filesystem::path& workspace, const Experiment& experiment);

/// Writes experiments/<name>.csv, <name>_arms.csv and <name>_differences.csv.
void write_experiment_tables(const Job& job, const std::filesystem::path& workspace);

}  // namespace tilewright::pipeline
