// SPDX-License-Identifier: Apache-2.0
// Ranks, weights and rules.
#include "pipeline/stages/curate_ranks.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "geometry/error.h"
#include "index/where.h"

namespace tilewright::pipeline {
namespace {

using Names = std::set<std::string>;

std::string rule_text(const SubsetConfig& subset) {
  if (subset.where) return *subset.where;
  return "top " + std::to_string(subset.top.value_or(0)) + " by " + subset.by.value_or("combined");
}

std::vector<std::string> matches(const index::Manifest& manifest, const std::string& layer, const SubsetConfig& subset) {
  if (subset.where) return index::select_where(manifest, layer, *subset.where);
  return index::select_top(manifest, layer, subset.by.value_or("combined"), subset.top.value_or(0));
}

/// "combined: 338 locations, best 0.982 ..." of the layer's metrics, for the error of an empty subset.
std::string values_found(const index::Manifest& manifest, const std::string& layer) {
  std::map<std::string, std::vector<double>> by_metric;
  for (const auto& score : index::scores(manifest, layer)) by_metric[score.metric].push_back(score.value);
  if (by_metric.empty()) return "no location of layer " + layer + " has a score";
  std::string text;
  for (const auto& [metric, values] : by_metric) {
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    char line[160];
    std::snprintf(line, sizeof line, "%s%s of %zu locations, best %.4g, worst %.4g", text.empty() ? "" : "; ", metric.c_str(), values.size(),
                  smaller_is_better(metric) ? *low : *high, smaller_is_better(metric) ? *high : *low);
    text += line;
  }
  return text;
}

/// Those that match in every curated layer; verdicts win over the rule inside the selection.
Names members_of(const index::Manifest& manifest, const CurateConfig& config, const SubsetConfig& subset) {
  std::optional<Names> members;
  for (const auto& layer : config.layers) {
    const auto found = matches(manifest, layer, subset);
    Names here(found.begin(), found.end());
    if (members) std::erase_if(here, [&](const auto& id) { return !members->contains(id); });
    members = std::move(here);
  }
  return members.value_or(Names{});
}

}  // namespace

bool smaller_is_better(const std::string& metric) { return metric == "clipped_frac"; }

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

void write_subsets(index::Manifest& manifest, const CurateConfig& config, StageReport& report) {
  for (const auto& [name, subset] : config.subsets) {
    const auto members = members_of(manifest, config, subset);
    if (members.empty())
      throw Error::failed("curate: no location is in subset " + name + " (rule: " + rule_text(subset) + "); found " +
                          values_found(manifest, config.layers.front()) + "; loosen the rule");
    index::write_subset(manifest, name, rule_text(subset), {members.begin(), members.end()});
    report.counts.emplace_back("subset." + name, static_cast<std::int64_t>(members.size()));
  }
}

}  // namespace tilewright::pipeline
