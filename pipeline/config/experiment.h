// SPDX-License-Identifier: Apache-2.0
// Runs with a grid: what their members are called, and which value each has on each axis.
#pragma once

#include <string>
#include <vector>

#include "pipeline/config/yaml_tree.h"

namespace tilewright::pipeline {

/// Axes that draw the same arm again instead of making another: means are taken over them.
bool is_repetition(const std::string& axis);

struct ExperimentMember {
  std::string run;                  ///< <experiment>_<k>, k from 1; the first axis changes slowest
  std::vector<std::string> values;  ///< one an axis, as written
};

/// A run of the job file that had `grid:`.
struct Experiment {
  std::string name;
  std::vector<std::string> axes;    ///< key paths of a run such as seed or model.mask_ratio, or names of arms
  std::vector<std::size_t> arms;    ///< places of the axes whose values are names of overrides
  std::vector<ExperimentMember> members;
};

inline constexpr const char* kGridHelp =
    "makes the run an experiment of members NAME_1, NAME_2, ...: each key is a key of the run with a list of values, or a name such as arms with a "
    "mapping of names to keys that differ; the first changes slowest";

/// Replaces each entry of `runs` that has a grid by its members, which are ordinary runs from then
/// on. A member that starts from a run with a grid starts from the member of that grid with the
/// same values. Wrong grids become problems with their place, and are left out.
std::vector<Experiment> expand_grids(YamlNode& root, std::vector<Problem>& problems);

/// Problems of members as those of the run that was written, each once.
void join_member_problems(const std::vector<Experiment>& experiments, std::vector<Problem>& problems);

}  // namespace tilewright::pipeline
