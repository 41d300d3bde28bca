// SPDX-License-Identifier: Apache-2.0
// Keys of scores in meta, beside the scores themselves.
#include "pipeline/stages/curate_memory.h"

#include <cstdio>
#include <sstream>

namespace tilewright::pipeline {

CurateMemory::CurateMemory(const index::Manifest& manifest, std::string layer) : prefix_("local/curate/" + layer + "/"), known_(index::facts(manifest, prefix_)) {
  for (const auto& score : index::scores(manifest, layer))
    if (!score.tile_id && !score.object_id) old_[score.metric][score.location_id] = score.value;
}

std::map<std::string, double> CurateMemory::old_values(const std::string& location_id, const std::vector<const ScoreRow*>& scores) const {
  std::map<std::string, double> out;
  for (const auto* row : scores) {
    const auto metric = old_.find(std::string(row->name));
    if (metric == old_.end()) continue;
    if (const auto value = metric->second.find(location_id); value != metric->second.end()) out[metric->first] = value->second;
  }
  return out;
}

std::optional<std::map<std::string, double>> CurateMemory::values(const std::string& location_id, const std::vector<const ScoreRow*>& scores, const std::string& key) const {
  const auto known = known_.find(location_id);
  if (known == known_.end()) return std::nullopt;
  auto values = old_values(location_id, scores);
  if (known->second != key + " " + std::to_string(values.size())) return std::nullopt;
  return values;
}

std::optional<Metrics> CurateMemory::model_scores(const std::vector<const ScoreRow*>& scores, const std::string& key) const {
  const auto known = known_.find("models");
  if (known == known_.end()) return std::nullopt;
  Metrics out;
  std::size_t count = 0;
  for (const auto* row : scores) {
    const auto metric = old_.find(std::string(row->name));
    if (metric == old_.end()) continue;
    count += metric->second.size();
    out.insert(*metric);
  }
  if (known->second != key + " " + std::to_string(count)) return std::nullopt;
  return out;
}

std::vector<std::string> CurateMemory::warnings() const {
  std::vector<std::string> out;
  const auto known = known_.find("warnings");
  if (known == known_.end()) return out;
  std::istringstream text(known->second);
  for (std::string line; std::getline(text, line);) out.push_back(line);
  return out;
}

void CurateMemory::remember_warnings(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  fresh_["warnings"] = text;
}

std::optional<std::vector<double>> CurateMemory::percentiles(const std::string& location_id, const std::string& key) const {
  const auto known = known_.find("edges/" + location_id);
  if (known == known_.end()) return std::nullopt;
  std::istringstream text(known->second);
  std::string made_under;
  if (!(text >> made_under) || made_under != key) return std::nullopt;
  std::vector<double> values;
  for (double value = 0; text >> value;) values.push_back(value);
  return values;
}

void CurateMemory::remember_percentiles(const std::string& location_id, const std::string& key, const std::vector<double>& values) {
  std::string text = key;
  for (const double value : values) {
    char number[40];
    std::snprintf(number, sizeof number, " %.17g", value);
    text += number;
  }
  fresh_["edges/" + location_id] = text;
}

void CurateMemory::write(index::Manifest& manifest) const {
  for (const auto& [key, value] : fresh_)
    if (const auto known = known_.find(key); known == known_.end() || known->second != value) index::set_meta(manifest, prefix_ + key, value);
}

}  // namespace tilewright::pipeline
