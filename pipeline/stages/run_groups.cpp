// SPDX-License-Identifier: Apache-2.0
// Groups the samples of a run.
#include "pipeline/stages/run_groups.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <set>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "index/tile_id.h"
#include "learn/config/dataset_file.h"
#include "pipeline/config/load.h"
#include "pipeline/scores/score.h"
#include "pipeline/stages/split_table.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kRanges = 4;
constexpr const char* kShare = "share_";
const std::vector<std::string> kColumns{"zone", "year", "month", "tile", "component", "view_count", "cloud_frac", "positive_frac", "ignore_frac", "object_count"};

/// A text, and the number that it stands for where the column is one of numbers.
struct Value {
  std::string text;
  std::optional<double> number;
};
using Values = std::map<std::string, Value>;  ///< by sample

Value numeric(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", number);
  return {text, number};
}

Value read_value(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() ? numeric(number) : Value{text, {}};
}

/// What the manifest knows of the samples of a run, column by column.
class Columns {
 public:
  Columns(const Job& job, const index::Manifest& manifest, const std::filesystem::path& workspace, const learn::RunConfig& run, const RunSamples& samples)
      : manifest_(manifest), samples_(samples) {
    for (const auto& [name, dataset] : job.datasets)
      if (name == run.dataset) target_ = dataset.target.value_or("");
    const auto folder = workspace / "datasets" / run.dataset;
    for (const auto& [name, part] : learn::read_dataset(folder / "dataset.json").parts)
      if (name != "train")
        for (auto& row : learn::read_part(folder / part.file)) rows_.emplace(row.sample, row);  // the first row of each sample
  }

  [[nodiscard]] Values of(const std::string& by) const {
    if (by.starts_with(kShare)) return shares(by.substr(std::string(kShare).size()));
    if (by == "year" || by == "month" || by == "tile" || by == "component" || by == "cloud_frac") return of_views(by);
    return of_locations(by == "zone" || by == "view_count" ? location_values(by) : label_values(by));
  }

 private:
  using ByLocation = std::map<std::string, Value>;

  [[nodiscard]] Values of_locations(const ByLocation& values) const {
    Values out;
    for (const auto& sample : samples_.rows)
      if (const auto found = values.find(sample.location); found != values.end()) out[sample.sample] = found->second;
    return out;
  }

  [[nodiscard]] ByLocation location_values(const std::string& by) const {
    ByLocation out;
    for (const auto& location : index::locations(manifest_))
      out[location.location_id] = by == "zone" ? Value{std::to_string(location.epsg), {}} : numeric(location.view_count);
    return out;
  }

  /// Of the mask, of a target, or a score.
  [[nodiscard]] ByLocation label_values(const std::string& by) const {
    ByLocation out;
    for (const auto& mask : index::masks(manifest_, target_)) {
      if (by == "positive_frac") out[mask.location_id] = numeric(mask.positive_frac);
      if (by == "ignore_frac") out[mask.location_id] = numeric(mask.ignore_frac);
      if (by == "object_count") out[mask.location_id] = numeric(static_cast<double>(mask.object_count));
    }
    for (const auto& target : index::targets(manifest_, by)) out[target.location_id] = read_value(target.value);
    for (const auto& score : index::scores(manifest_))
      if (score.metric == by && !score.object_id && (!out.contains(score.location_id) || score.layer == target_)) out[score.location_id] = numeric(score.value);
    return out;
  }

  [[nodiscard]] Values of_views(const std::string& by) const {
    std::map<std::string, index::TileRow> tiles;  // by the name of a view
    for (auto& tile : index::tiles(manifest_)) tiles.emplace(index::view_of_tile(tile.tile_id), tile);
    std::map<std::string, double> clouds;
    if (by == "cloud_frac")
      for (const auto& view : index::views(manifest_))
        if (view.cloud_frac) clouds[view.location_id + "." + index::view_of_tile(view.tile_id)] = *view.cloud_frac;
    Values out;
    for (const auto& [sample, row] : rows_) {
      const auto tile = tiles.find(row.view);
      if (by == "year" && row.acquired.size() >= 7) out[sample] = {row.acquired.substr(0, 4), {}};
      if (by == "month" && row.acquired.size() >= 7) out[sample] = {row.acquired.substr(5, 2), {}};
      if (by == "tile" && tile != tiles.end()) out[sample] = {tile->second.tile_id, {}};
      if (by == "component" && tile != tiles.end() && tile->second.component_id) out[sample] = {std::to_string(*tile->second.component_id), {}};
      if (const auto cloud = clouds.find(row.location + "." + row.view); cloud != clouds.end()) out[sample] = numeric(cloud->second);
    }
    return out;
  }

  [[nodiscard]] Values shares(const std::string& name) const {
    const auto found = std::find(samples_.classes.begin(), samples_.classes.end(), name);
    if (found == samples_.classes.end()) return {};
    Values out;
    for (const auto& sample : samples_.rows) {
      std::int64_t all = 0;
      for (const auto count : sample.counts.truth) all += count;
      if (all > 0) out[sample.sample] = numeric(static_cast<double>(sample.counts.truth[static_cast<std::size_t>(found - samples_.classes.begin())]) / static_cast<double>(all));
    }
    return out;
  }

  const index::Manifest& manifest_;
  const RunSamples& samples_;
  std::string target_;
  std::map<std::string, learn::SampleRow> rows_;
};

/// Numbers with more than four values as "low to high" of four ranges of equally many samples; equal numbers stay together.
void into_ranges(Values& values) {
  std::vector<std::pair<double, Value*>> order;
  std::set<double> distinct;
  for (auto& [sample, value] : values) {
    if (!value.number) return;
    order.emplace_back(*value.number, &value);
    distinct.insert(*value.number);
  }
  if (distinct.size() <= kRanges) return;
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t begin = 0, range = 0; begin < order.size(); ++range) {
    auto end = std::max(begin + 1, order.size() * (range + 1) / kRanges);
    while (end < order.size() && order[end].first == order[end - 1].first) ++end;
    const auto name = numeric(order[begin].first).text + " to " + numeric(order[end - 1].first).text;
    for (auto i = begin; i < end; ++i) order[i].second->text = name;
    begin = end;
  }
}

std::string known_columns(const Job& job) {
  std::string text;
  for (const auto& name : group_columns(job)) text += name + ", ";
  return text + "share_CLASS";
}

/// In order of value, numbers by size.
void add_groups(const std::string& by, const Values& values, const RunSamples& samples, std::vector<GroupRow>& out) {
  for (const std::string part : {"val", "test"}) {
    std::map<std::pair<double, std::string>, std::pair<GroupRow, ClassCounts>> groups;
    std::map<std::string, double> least;  // number of each text
    for (const auto& [sample, value] : values) {
      const auto found = least.try_emplace(value.text, value.number.value_or(0)).first;
      found->second = std::min(found->second, value.number.value_or(0));
    }
    for (const auto& sample : samples.rows) {
      const auto value = values.find(sample.sample);
      if (sample.part != part || value == values.end()) continue;
      auto& [row, counts] = groups[{least[value->second.text], value->second.text}];
      row.by = by, row.value = value->second.text, row.part = part;
      ++row.samples;
      row.loss += sample.loss;
      counts.add(sample.counts);
    }
    for (auto& [key, group] : groups) {
      group.first.loss /= static_cast<double>(group.first.samples);
      group.first.score = score_of(samples.target_kind, group.second);
      out.push_back(std::move(group.first));
    }
  }
}

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace

std::vector<std::string> group_columns(const Job& job) {
  auto out = kColumns;
  for (const auto& [name, target] : job.targets) out.push_back(name);
  if (!job.curate) return out;
  out.emplace_back("combined");
  for (const auto& name : score_names()) out.push_back(name);
  return out;
}

std::vector<GroupRow> run_groups(const Job& job, const index::Manifest& manifest, const std::filesystem::path& workspace, const learn::RunConfig& run, const RunSamples& samples) {
  std::vector<GroupRow> out;
  const Columns columns(job, manifest, workspace, run, samples);
  for (const auto& by : job.evaluate.value_or(EvaluateConfig{}).by) {
    auto values = columns.of(by);
    if (values.empty())
      throw Error::config("evaluate.by: no sample of dataset " + run.dataset + " has a value of '" + by + "'; there are " + known_columns(job));
    into_ranges(values);
    add_groups(by, values, samples, out);
  }
  return out;
}

void write_run_groups(const Job& job, const index::Manifest& manifest, const std::filesystem::path& workspace) {
  if (!job.evaluate || job.evaluate->by.empty()) return;
  for (const auto& [name, run] : job.runs) {
    const auto samples = read_run_samples(workspace, name, run.dataset);
    if (!samples) continue;
    std::string text = "by,value,part,samples," + std::string(samples->target_kind == "class" ? "accuracy" : samples->target_kind == "classes" ? "f1_micro" : "iou_macro") + ",loss\n";
    for (const auto& row : run_groups(job, manifest, workspace, run, *samples))
      text += csv_cell(row.by) + "," + csv_cell(row.value) + "," + row.part + "," + std::to_string(row.samples) + "," + (row.score ? shown(*row.score) : "") + "," + shown(row.loss) + "\n";
    shard::publish_file(workspace / "runs" / name / "groups.csv", text);
  }
}

}  // namespace tilewright::pipeline
