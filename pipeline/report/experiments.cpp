// SPDX-License-Identifier: Apache-2.0
// Experiments: means of arms with intervals as a plot and a table, paired differences, members.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "pipeline/report/section.h"
#include "pipeline/stages/experiment_table.h"

namespace tilewright::pipeline {
namespace {

/// Three decimals; what would have no digit left, such as the loss of a raw histogram, by its power of ten.
std::string shown(double value) {
  if (value == 0 || std::abs(value) >= 0.01) return fixed(value, 3);
  char text[32];
  std::snprintf(text, sizeof text, "%.2e", value);
  return text;
}

std::string shown(const std::optional<double>& value) { return value ? shown(*value) : "-"; }

/// A place on an axis in words.
std::string place_of(const std::string& axis, const std::string& value) { return axis == "n_labels" && value == "0" ? "all" : value; }

ReportJson texts(const std::vector<std::string>& values) {
  ReportJson out = ReportJson::array();
  for (const auto& value : values) out.push_back({{"text", value}});
  return out;
}

ReportJson places(const std::vector<std::string>& axes, const std::vector<std::string>& values) {
  ReportJson out = ReportJson::array();
  for (std::size_t i = 0; i < values.size(); ++i) out.push_back({{"text", place_of(axes[i], values[i])}});
  return out;
}

/// Both sides at the axis that they differ in.
ReportJson places_of(const ExperimentTable& table, const DifferenceRow& row) {
  auto out = places(table.axes, row.others);
  for (std::size_t i = 0; i < table.axes.size(); ++i)
    if (table.axes[i] == row.axis) out[i]["text"] = place_of(row.axis, row.value) + " \xE2\x88\x92 " + place_of(row.axis, row.against);
  return out;
}

std::string joined(const std::vector<std::string>& values, std::size_t but) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (i != but) text += (text.empty() ? "" : ", ") + values[i];
  return text;
}

/// The axis along the plot: the last that is no set of named arms, else the last.
std::size_t plotted_axis(const ExperimentTable& table, const Experiment& experiment) {
  std::size_t found = table.axes.size() - 1;
  for (std::size_t i = 0; i < table.axes.size(); ++i) {
    const bool is_arms = std::any_of(experiment.arms.begin(), experiment.arms.end(), [&](std::size_t place) { return experiment.axes[place] == table.axes[i]; });
    if (!is_arms) found = i;
  }
  return found;
}

std::vector<std::string> along(const std::string& axis, std::vector<std::string> labels) {
  for (auto& label : labels) label = place_of(axis, label);
  return labels;
}

/// A line of means and a bar of the interval for each arm, over the values of one axis.
ReportJson plot(const ExperimentTable& table, const Experiment& experiment) {
  const auto axis = plotted_axis(table, experiment);
  std::vector<std::string> labels, names;
  for (const auto& arm : table.arms) {
    if (arm.score != table.score) continue;
    if (std::find(labels.begin(), labels.end(), arm.values[axis]) == labels.end()) labels.push_back(arm.values[axis]);
    if (const auto name = joined(arm.values, axis); std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  ReportJson series = ReportJson::array();
  for (std::size_t color = 0; color < names.size(); ++color) {
    ReportJson means = ReportJson::array(), intervals = ReportJson::array();
    for (const auto& label : labels) {
      const auto arm = std::find_if(table.arms.begin(), table.arms.end(), [&](const auto& one) { return one.score == table.score && one.values[axis] == label && joined(one.values, axis) == names[color]; });
      means.push_back(arm == table.arms.end() ? ReportJson(nullptr) : ReportJson(arm->mean));
      intervals.push_back(arm == table.arms.end() ? ReportJson(nullptr) : ReportJson{arm->interval[0], arm->interval[1]});
    }
    const auto name = names[color].empty() ? table.score : names[color];
    series.push_back({{"label", name}, {"data", means}, {"type", "line"}, {"color", color}});
    series.push_back({{"label", name + ", 95 %"}, {"data", intervals}, {"type", "bar"}, {"color", color}});
  }
  return {{"kind", "bar"}, {"title", table.name + ": " + table.score + " on " + table.part}, {"x", table.axes[axis]}, {"y", table.score}, {"labels", along(table.axes[axis], labels)}, {"series", series}};
}

ReportJson json_of(const ExperimentTable& table, const Experiment& experiment) {
  ReportJson arms = ReportJson::array(), differences = ReportJson::array(), members = ReportJson::array(), charts = ReportJson::array();
  std::int64_t finished = 0;
  for (const auto& arm : table.arms)
    arms.push_back({{"score", arm.score}, {"values", places(table.axes, arm.values)}, {"runs", arm.runs}, {"mean", shown(arm.mean)}, {"sd", shown(arm.sd)}, {"low", shown(arm.interval[0])}, {"high", shown(arm.interval[1])}});
  for (const auto& row : table.differences)
    differences.push_back({{"score", row.score}, {"values", places_of(table, row)}, {"pairs", row.pairs}, {"mean", shown(row.mean)}, {"low", shown(row.interval[0])}, {"high", shown(row.interval[1])}, {"verdict", row.verdict()}});
  for (const auto& row : table.members) {
    finished += row.is_finished ? 1 : 0;
    members.push_back({{"run", row.member.run}, {"values", places(experiment.axes, row.member.values)}, {"state", row.is_finished ? "finished" : row.steps > 0 ? "begun" : "to do"}, {"steps", row.steps}, {"val_best", shown(row.val_best)}, {"val_last", shown(row.val_last)}, {"test", shown(row.test)}, {"epochs_to_95", row.epochs_to_95 ? fixed(*row.epochs_to_95, 0) : "-"}});
  }
  if (!table.arms.empty() && !table.axes.empty()) charts.push_back(plot(table, experiment));
  return {{"name", table.name}, {"score", table.score}, {"part", table.part}, {"finished", finished}, {"total", table.members.size()}, {"axes", texts(table.axes)}, {"all_axes", texts(experiment.axes)},
          {"arms", arms}, {"has_differences", !differences.empty()}, {"differences", differences}, {"members", members}, {"charts", charts}};
}

}  // namespace

ReportJson experiment_section(const ReportInput& input) {
  ReportJson out = ReportJson::array();
  for (const auto& experiment : input.job.experiments) out.push_back(json_of(experiment_table(input.job, input.workspace, experiment), experiment));
  if (out.empty()) return nullptr;
  return {{"experiments", out}};
}

}  // namespace tilewright::pipeline
