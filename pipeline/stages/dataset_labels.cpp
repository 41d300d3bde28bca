// SPDX-License-Identifier: Apache-2.0
// Joins labels to views by place and date.
#include "pipeline/stages/dataset_labels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "geometry/error.h"

namespace tilewright::pipeline {
namespace {

using index::Reason;
using Json = nlohmann::json;

/// The view's date lies in the label's period: what a dated label means where the job says nothing.
constexpr const char* kHolds = "holds";

const TargetConfig* target_named(const Job& job, const std::string& name) {
  for (const auto& [key, target] : job.targets)
    if (key == name) return &target;
  return nullptr;
}

bool is_layer(const Job& job, const std::string& name) {
  const auto own = repaired_from(job, name).value_or(name);
  return std::ranges::any_of(job.layers, [&](const auto& layer) { return layer.first == own; });
}

std::string days_text(double days) { return std::isfinite(days) ? std::to_string(static_cast<std::int64_t>(std::ceil(days))) + " days" : "unknown"; }

}  // namespace

DatasetLabels::DatasetLabels(const Job& job, const index::Manifest& manifest, const DatasetConfig& config) : config_(config) {
  if (!config.target) return;
  const auto* target = target_named(job, *config.target);
  if (is_layer(job, *config.target)) take_masks(manifest);
  else if (target) take_values(manifest, *target);
  else throw Error::config("datasets: target " + *config.target + " is neither a layer nor a target of this job; add it under layers: or targets:");
  const bool is_dated = std::ranges::any_of(candidates_, [](const auto& entry) {
    return std::ranges::any_of(entry.second, [](const auto& candidate) { return candidate.period.is_dated(); });
  });
  mode_ = config.match.value_or(is_dated ? kHolds : "any");
  if (mode_ == "mean" && kind_ != "scalar" && kind_ != "vector")
    throw Error::config("datasets: match: mean needs numbers, but target " + *config.target + " holds " + (kind_.empty() ? "masks" : kind_) + "; use nearest_date or same_year");
}

void DatasetLabels::take_masks(const index::Manifest& manifest) {
  masks_ = index::masks(manifest, *config_.target);
  std::erase_if(masks_, [](const auto& mask) { return !mask.place; });
  if (masks_.empty()) throw Error::config("datasets: the layer " + *config_.target + " has no masks in the workspace; run: tilewright label JOB");
  for (const auto& mask : masks_) candidates_[mask.location_id].push_back({{mask.valid_from, mask.valid_to}, {&mask, "-"}, {}});
}

void DatasetLabels::take_values(const index::Manifest& manifest, const TargetConfig& target) {
  const auto rows = index::targets(manifest, *config_.target);
  if (rows.empty()) throw Error::config("datasets: the target " + *config_.target + " has no values in the workspace; run: tilewright label JOB");
  kind_ = rows.front().kind;
  const bool has_names = !target.layer && (kind_ == "class" || kind_ == "classes");
  if (has_names) {
    std::set<std::string> found;
    for (const auto& row : rows) {
      if (kind_ == "class") found.insert(row.value);
      else for (const auto& name : Json::parse(row.value)) found.insert(name.get<std::string>());
    }
    class_names_.assign(found.begin(), found.end());
    if (!target.classes.empty()) class_names_ = target.classes;
  }
  for (const auto& row : rows) {
    Candidate candidate{{row.valid_from, row.valid_to}, {nullptr, has_names ? ids_of(row.value) : row.value}, {}};
    if (kind_ == "scalar") candidate.numbers = {Json::parse(row.value).get<double>()};
    if (kind_ == "vector") candidate.numbers = Json::parse(row.value).get<std::vector<double>>();
    candidates_[row.location_id].push_back(std::move(candidate));
  }
}

std::string DatasetLabels::ids_of(const std::string& value) const {
  const auto id = [&](const std::string& name) { return std::ranges::find(class_names_, name) - class_names_.begin(); };
  if (kind_ == "class") return std::to_string(id(value));
  std::vector<std::int64_t> ids;
  for (const auto& name : Json::parse(value)) ids.push_back(id(name.get<std::string>()));
  std::ranges::sort(ids);
  return Json(ids).dump();
}

LabelChoice DatasetLabels::of(const std::string& location_id, const index::Timestamp& time) const {
  const auto found = candidates_.find(location_id);
  if (found == candidates_.end()) return {std::nullopt, Reason::no_partner, (kind_.empty() ? "no mask of " : "no value of ") + *config_.target};
  auto choice = mode_ == "mean" ? mean(found->second, time) : mode_ == "any" ? LabelChoice{found->second.front().label, {}, {}} : nearest(found->second, time);
  if (choice.label && choice.label->mask && choice.label->mask->ignore_frac >= 1) return {std::nullopt, Reason::all_ignore, "mask of " + *config_.target};
  return choice;
}

LabelChoice DatasetLabels::nearest(const std::vector<Candidate>& candidates, const index::Timestamp& time) const {
  if (!time) return {std::nullopt, Reason::no_partner, "the view has no date, and " + *config_.target + " is matched by date"};
  const double limit = mode_ == kHolds ? 0 : mode_ == "nearest_date" && config_.match_days ? *config_.match_days : std::numeric_limits<double>::infinity();
  const Candidate* best = nullptr;
  double best_days = std::numeric_limits<double>::infinity();
  for (const auto& candidate : candidates) {
    if (mode_ == "same_year" && !shares_year(candidate.period, time)) continue;
    const double days = days_from(candidate.period, time);
    if (!(days < best_days)) continue;
    best = &candidate;
    best_days = days;
  }
  if (!best) return {std::nullopt, Reason::no_partner, *config_.target + " has no label of the year " + time->substr(0, 4)};
  if (best_days > limit)
    return {std::nullopt, Reason::no_partner, "the nearest label of " + *config_.target + " lies " + days_text(best_days) + " from " + time->substr(0, 10)};
  return {best->label, {}, {}};
}

LabelChoice DatasetLabels::mean(const std::vector<Candidate>& candidates, const index::Timestamp& time) const {
  std::vector<double> sum;
  double count = 0;
  for (const auto& candidate : candidates) {
    if (config_.match_days && !(days_from(candidate.period, time) <= *config_.match_days)) continue;
    sum.resize(candidate.numbers.size());
    for (std::size_t n = 0; n < sum.size(); ++n) sum[n] += candidate.numbers[n];
    ++count;
  }
  if (count == 0)
    return {std::nullopt, Reason::no_partner, "no value of " + *config_.target + " lies within " + std::to_string(*config_.match_days) + " days of " + (time ? time->substr(0, 10) : "a view without a date")};
  for (auto& value : sum) value /= count;
  return {SampleLabel{nullptr, kind_ == "scalar" ? Json(sum.front()).dump() : Json(sum).dump()}, {}, {}};
}

}  // namespace tilewright::pipeline
