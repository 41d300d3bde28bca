// SPDX-License-Identifier: Apache-2.0
// From metrics to one rank: `combined`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "index/manifest.h"
#include "pipeline/config/job.h"
#include "pipeline/context.h"

namespace tilewright::pipeline {

/// Values of one metric by location, of one layer.
using MetricValues = std::map<std::string, double>;

/// True for metrics of which smaller values are better.
bool smaller_is_better(const std::string& metric);

/// (mean rank - 1) / (n - 1) of each location: 1 = best, ties share their mean rank; 1 if n is 1.
std::map<std::string, double> fractional_ranks(const MetricValues& values, bool smaller_is_better);

/// Weighted mean of the fractional ranks over the metrics that a location has; metrics of weight 0 do not count.
/// Empty if no metric has a weight.
std::map<std::string, double> combined_ranks(const std::map<std::string, MetricValues>& metrics,
                                             const std::map<std::string, double>& weights);

/// Weights of `combined`: those of the job, or model_iou 1 and edge_agreement 0.5.
std::map<std::string, double> weights_of(const CurateConfig& config);

}  // namespace tilewright::pipeline
