// SPDX-License-Identifier: Apache-2.0
// How the values of targets are distributed over locations and parts.
#include <algorithm>
#include <map>
#include <set>

#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostClasses = 40;
constexpr int kBins = 20;

using PartOf = std::map<std::string, std::string>;  ///< by location_id
using Series = std::map<std::string, std::vector<std::int64_t>>;  ///< by part

ReportJson chart(const std::string& title, const std::string& x, const ReportJson& labels, const Series& by_part) {
  ReportJson series = ReportJson::array();
  for (const auto& [part, data] : by_part) series.push_back({{"label", part}, {"data", data}});
  return {{"kind", "bar"}, {"title", title}, {"x", x}, {"y", "locations"}, {"labels", labels}, {"series", series}};
}

std::vector<std::string> classes_of(const index::TargetRow& row) {
  if (row.kind == "class") return {row.value};
  std::vector<std::string> classes;
  for (const auto& value : ReportJson::parse(row.value)) classes.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  return classes;
}

ReportJson class_chart(const std::string& name, const std::vector<index::TargetRow>& rows, const PartOf& part_of) {
  std::map<std::string, std::int64_t> totals;
  for (const auto& row : rows)
    for (const auto& value : classes_of(row)) ++totals[value];
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [value, total] : totals) order.emplace_back(-total, value);
  std::ranges::sort(order);
  if (order.size() > kMostClasses) order.resize(kMostClasses);
  std::map<std::string, std::size_t> place;
  ReportJson labels = ReportJson::array();
  for (const auto& [total, value] : order) {
    place[value] = place.size();
    labels.push_back(value);
  }
  Series by_part;
  for (const auto& row : rows)
    for (const auto& value : classes_of(row)) {
      const auto at = place.find(value);
      if (at == place.end()) continue;
      auto& data = by_part[part_of.at(row.location_id)];
      data.resize(order.size());
      ++data[at->second];
    }
  return chart(name + (totals.size() > order.size() ? ", the " + std::to_string(order.size()) + " most frequent of " + std::to_string(totals.size()) : ""), "class", labels, by_part);
}

/// A histogram a component.
ReportJson number_charts(const std::string& name, const std::vector<index::TargetRow>& rows, const PartOf& part_of) {
  std::vector<std::vector<std::pair<double, std::string>>> components;
  for (const auto& row : rows) {
    const auto value = ReportJson::parse(row.value);
    const auto numbers = value.is_array() ? value.get<std::vector<double>>() : std::vector<double>{value.get<double>()};
    components.resize(std::max(components.size(), numbers.size()));
    for (std::size_t n = 0; n < numbers.size(); ++n) components[n].emplace_back(numbers[n], part_of.at(row.location_id));
  }
  ReportJson charts = ReportJson::array();
  for (std::size_t n = 0; n < components.size(); ++n) {
    const auto [low, high] = std::ranges::minmax_element(components[n]);
    const double least = low->first, span = high->first > least ? high->first - least : 1;
    ReportJson labels = ReportJson::array();
    for (int bin = 0; bin < kBins; ++bin) labels.push_back(fixed(least + span * (bin + 0.5) / kBins, 3));
    Series by_part;
    for (const auto& [value, part] : components[n]) {
      auto& data = by_part[part];
      data.resize(kBins);
      ++data[static_cast<std::size_t>(std::min(kBins - 1, static_cast<int>((value - least) / span * kBins)))];
    }
    charts.push_back(chart(name + (components.size() > 1 ? " " + std::to_string(n + 1) : ""), rows.front().unit.value_or("value"), labels, by_part));
  }
  return charts;
}

}  // namespace

ReportJson target_section(const ReportInput& input) {
  PartOf part_of;
  for (const auto& location : index::locations(input.manifest)) part_of[location.location_id] = location.split.value_or("no part");
  ReportJson targets = ReportJson::array();
  for (const auto& [name, config] : input.job.targets) {
    auto rows = index::targets(input.manifest, name);
    std::erase_if(rows, [&](const auto& row) { return !part_of.contains(row.location_id); });
    if (rows.empty()) continue;
    std::set<std::string> with_value;
    for (const auto& row : rows) with_value.insert(row.location_id);
    const auto& kind = rows.front().kind;
    const bool has_classes = kind == "class" || kind == "classes";
    targets.push_back({{"name", name}, {"kind", kind}, {"source", rows.front().source.value_or("")},
                       {"with_value", grouped(static_cast<std::int64_t>(with_value.size()))}, {"locations", grouped(static_cast<std::int64_t>(part_of.size()))},
                       {"charts", has_classes ? ReportJson::array({class_chart(name, rows, part_of)}) : number_charts(name, rows, part_of)}});
  }
  if (targets.empty()) return nullptr;
  return {{"targets", targets}};
}

}  // namespace tilewright::pipeline
