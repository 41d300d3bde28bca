// SPDX-License-Identifier: Apache-2.0
// A CSV of values: its rows by what they name, a file or a location.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/config/valid_period.h"

namespace tilewright::pipeline {

struct TargetTableRow {
  std::string key;
  std::vector<std::string> cells;   ///< one a column of `value`
  std::optional<ValidPeriod> period;  ///< nullopt: `from` or `to` cannot be read
  std::string dates;                ///< their texts, for messages
};
struct TargetTable {
  std::vector<TargetTableRow> rows;
  std::multimap<std::string, std::size_t> by_key;
};

/// Throws Error::config for a file that cannot be read or lacks a column, naming `target`.
TargetTable read_target_table(const Job& job, const std::string& target, const TargetConfig& config);

}  // namespace tilewright::pipeline
