// SPDX-License-Identifier: Apache-2.0
// Counts classes and measures numbers of value targets.
#include "pipeline/stages/dataset_values.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::json;

/// The value of each sample: that of its first row.
template <class Use>
void each_value(const SampleSet& set, const Use& use) {
  for (const auto& sample : set.samples) use(sample.part, Json::parse(sample.rows.front().target));
}

/// Exact, percentiles between order statistics as numpy's default does.
learn::BandStatistics statistics_of(std::vector<double> values) {
  learn::BandStatistics out;
  if (values.empty()) return out;
  std::ranges::sort(values);
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  for (const double v : values) out.std += (v - out.mean) * (v - out.mean) / n;
  out.std = std::sqrt(out.std);
  const auto at = [&](double share) {
    const double place = share * (n - 1);
    const auto below = static_cast<std::size_t>(place);
    return values[below] + (values[std::min(below + 1, values.size() - 1)] - values[below]) * (place - static_cast<double>(below));
  };
  out.min = values.front(), out.max = values.back(), out.count = static_cast<std::int64_t>(values.size());
  out.p1 = at(0.01), out.p2 = at(0.02), out.p50 = at(0.5), out.p98 = at(0.98), out.p99 = at(0.99);
  return out;
}

std::vector<learn::ClassInfo> classes_of(const SampleSet& set, const std::string& part, std::vector<learn::ClassInfo> known) {
  std::map<int, learn::ClassInfo> classes;
  for (auto& info : known) classes[info.id] = std::move(info);
  for (std::size_t id = 0; id < set.class_names.size(); ++id) classes[static_cast<int>(id)] = {.id = static_cast<int>(id), .name = set.class_names[id], .color = ""};
  each_value(set, [&](const std::string& in_part, const Json& value) {
    for (const auto& id : value.is_array() ? value : Json{value}) {
      auto& info = classes[id.get<int>()];
      info.id = id.get<int>();
      if (info.name.empty()) info.name = "class_" + std::to_string(info.id);
      info.samples += part.empty() || in_part == part ? 1 : 0;
    }
  });
  std::vector<learn::ClassInfo> out;
  for (auto& [id, info] : classes) out.push_back(std::move(info));
  return out;
}

}  // namespace

learn::TargetInfo value_target(const std::string& name, const TargetConfig& config, const SampleSet& set, const std::string& part,
                               std::vector<learn::ClassInfo> known) {
  learn::TargetInfo target;
  target.kind = set.target_kind;
  target.name = name;
  target.unit = config.unit;
  if (set.target_kind == "class" || set.target_kind == "classes") {
    target.classes = classes_of(set, part, std::move(known));
    return target;
  }
  std::vector<std::vector<double>> components;
  each_value(set, [&](const std::string& in_part, const Json& value) {
    const auto numbers = value.is_array() ? value.get<std::vector<double>>() : std::vector<double>{value.get<double>()};
    components.resize(std::max(components.size(), numbers.size()));
    if (!part.empty() && in_part != part) return;
    for (std::size_t n = 0; n < numbers.size(); ++n) components[n].push_back(numbers[n]);
  });
  for (auto& component : components) target.statistics.push_back(statistics_of(std::move(component)));
  return target;
}

}  // namespace tilewright::pipeline
