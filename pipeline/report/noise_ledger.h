// SPDX-License-Identifier: Apache-2.0
// Where the truth is known: does the ranking find the label noise?
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/report/section.h"

namespace tilewright::pipeline {

struct JudgedLocation {
  std::string location_id;
  double combined = 0, true_iou = 1;
  std::string damage;                  ///< of the ledger; "" = none
  std::vector<std::uint8_t> truth;     ///< mask of the true objects
};

/// Locations with a `combined` score, worst first, each with the IoU of its label with the truth. Empty unless the
/// job's folder holds truth/<layer>.gpkg and truth/ledger.csv.
std::vector<JudgedLocation> judge_locations(const ReportInput& input, const std::string& layer);

/// How the ranking separates labels with a true IoU below 0.8 from the others.
struct NoiseFound {
  std::int64_t locations = 0, noisy = 0;
  std::int64_t found = 0;              ///< noisy ones among the `noisy` worst-ranked
  double auroc = 0.5, kendall_tau = 0;
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> by_damage;  ///< noisy, found
};
NoiseFound noise_found(const std::vector<JudgedLocation>& worst_first);

}  // namespace tilewright::pipeline
