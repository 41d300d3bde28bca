// SPDX-License-Identifier: Apache-2.0
// Ranks and weights.
#include "pipeline/stages/curate_ranks.h"

#include <algorithm>

#include "pipeline/scores/score.h"

namespace tilewright::pipeline {
bool smaller_is_better(const std::string& metric) {
  const auto* row = find_score(metric);
  return row && row->smaller_is_better;
}

std::map<std::string, double> fractional_ranks(const MetricValues& values, bool smaller_is_better) {
  std::vector<std::pair<double, std::string>> order;
  for (const auto& [id, value] : values) order.emplace_back(smaller_is_better ? -value : value, id);
  std::sort(order.begin(), order.end());
  std::map<std::string, double> out;
  const auto n = order.size();
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin;
    while (end < n && order[end].first == order[begin].first) ++end;
    const double mean_rank = static_cast<double>(begin + 1 + end) / 2;
    for (std::size_t i = begin; i < end; ++i) out[order[i].second] = n == 1 ? 1 : (mean_rank - 1) / static_cast<double>(n - 1);
    begin = end;
  }
  return out;
}

std::map<std::string, double> combined_ranks(const std::map<std::string, MetricValues>& metrics, const std::map<std::string, double>& weights) {
  std::map<std::string, std::pair<double, double>> sums;
  for (const auto& [metric, values] : metrics) {
    const auto weight = weights.find(metric);
    if (weight == weights.end() || weight->second <= 0) continue;
    for (const auto& [id, rank] : fractional_ranks(values, smaller_is_better(metric))) {
      sums[id].first += weight->second * rank;
      sums[id].second += weight->second;
    }
  }
  std::map<std::string, double> out;
  for (const auto& [id, sum] : sums) out[id] = sum.first / sum.second;
  return out;
}

std::map<std::string, double> weights_of(const CurateConfig& config) {
  if (config.weights.empty()) return {{"model_iou", 1}, {"edge_agreement", 0.5}};
  return {config.weights.begin(), config.weights.end()};
}

}  // namespace tilewright::pipeline
