// SPDX-License-Identifier: Apache-2.0
// Joins what the members of an experiment have written.
#include "pipeline/stages/experiment_table.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "index/shard/commit.h"
#include "learn/config/dataset_file.h"
#include "pipeline/stages/split_table.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kDraws = 1000;
constexpr double kNearlyDone = 0.95;

/// What a member's score is made of: counts by block, or one number.
struct Evidence {
  std::string target_kind;
  std::map<std::string, ClassCounts> blocks;
  std::optional<double> number;

  [[nodiscard]] std::optional<double> score(const std::map<std::string, int>& times) const {
    if (number) return number;
    ClassCounts sum;
    for (const auto& [block, count] : times)
      if (const auto found = blocks.find(block); found != blocks.end()) sum.add(found->second, count);
    return score_of(target_kind, sum);
  }
  [[nodiscard]] std::optional<double> score() const {
    if (number) return number;
    ClassCounts sum;
    for (const auto& [block, counts] : blocks) sum.add(counts);
    return score_of(target_kind, sum);
  }
};

/// A member's evidence, or that of two whose scores are subtracted.
using Pair = std::pair<const Evidence*, const Evidence*>;

std::optional<double> difference(const Pair& pair, const std::map<std::string, int>* times) {
  const auto of = [&](const Evidence& one) { return times ? one.score(*times) : one.score(); };
  const auto first = of(*pair.first);
  if (!pair.second || !first) return first;
  const auto second = of(*pair.second);
  return second ? std::optional(*first - *second) : std::nullopt;
}

Interval points(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) { return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))]; };
  return {at(0.025), at(0.975)};
}

/// Of the mean over `pairs`.
Interval interval_of(const std::vector<Pair>& pairs, double mean) {
  std::set<std::string> names;
  for (const auto& [first, second] : pairs) {
    for (const auto& [block, counts] : first->blocks) names.insert(block);
    if (second)
      for (const auto& [block, counts] : second->blocks) names.insert(block);
  }
  const std::vector<std::string> blocks(names.begin(), names.end());
  std::mt19937_64 random(1);  // equal results, equal intervals
  std::vector<double> means;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::map<std::string, int> times;
    for (std::size_t i = 0; i < blocks.size(); ++i) ++times[blocks[random() % blocks.size()]];
    double sum = 0;
    int count = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i)
      if (const auto value = difference(pairs[random() % pairs.size()], &times)) {
        sum += *value;
        ++count;
      }
    if (count > 0) means.push_back(sum / count);
  }
  return means.empty() ? Interval{mean, mean} : points(std::move(means));
}

std::vector<Json> metric_rows(const std::filesystem::path& file) {
  std::vector<Json> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (auto row = Json::parse(line, nullptr, false); row.is_object()) rows.push_back(std::move(row));
  return rows;
}

std::optional<double> number_at(const Json& row, const char* key) { return row.contains(key) && row[key].is_number() ? std::optional(row[key].get<double>()) : std::nullopt; }

/// Key of metrics.jsonl of the score that the best weights are chosen by.
const char* metric_key(const std::string& score) { return score == "accuracy" ? "overall_accuracy" : score == "F1 micro" ? "f1_micro" : score == "loss" ? "loss" : "iou_macro"; }

/// Fills in what the log of training says.
void read_log(const std::filesystem::path& folder, const std::string& score, MemberRow& row) {
  std::vector<std::pair<double, double>> val;  // epochs done, score
  for (const auto& line : metric_rows(folder / "metrics.jsonl")) {
    row.steps = std::max(row.steps, line.value("step", std::int64_t{0}));
    const auto value = number_at(line, metric_key(score));
    if (line.value("part", "") == "val" && value) val.emplace_back(line.value("epoch", 0) + 1, *value);
  }
  if (val.empty()) return;
  row.val_last = val.back().second;
  row.val_best = val.front().second;
  for (const auto& [epoch, value] : val) row.val_best = score == "loss" ? std::min(*row.val_best, value) : std::max(*row.val_best, value);
  if (score == "loss") return;
  for (const auto& [epoch, value] : val)
    if (!row.epochs_to_95 && value >= kNearlyDone * *row.val_last) row.epochs_to_95 = epoch;
}

/// Of edges within 2 pixels, mean of classes.
std::optional<double> boundary_f1(const std::filesystem::path& evaluation, const std::string& part) {
  std::ifstream in(evaluation);
  const auto document = Json::parse(in, nullptr, false);
  if (!document.is_object()) return std::nullopt;
  const auto number = document.value(Json::json_pointer("/parts/" + part + "/boundary/f1_macro"), Json());
  return number.is_number() ? std::optional(number.get<double>()) : std::nullopt;
}

const learn::RunConfig& run_named(const Job& job, const std::string& name) {
  return std::find_if(job.runs.begin(), job.runs.end(), [&](const auto& entry) { return entry.first == name; })->second;
}

/// Of the dataset of the first member; "" for runs without classes.
std::string target_kind_of(const Job& job, const std::filesystem::path& workspace, const Experiment& experiment) {
  const auto& run = run_named(job, experiment.members.front().run);
  const auto file = workspace / "datasets" / run.dataset / "dataset.json";
  const bool is_supervised = run.recipe == "segment" || run.recipe == "classify";
  return is_supervised && std::filesystem::exists(file) ? learn::read_dataset(file).target.kind : "";
}

/// Gathers members, then rows of arms and differences.
class TableMaker {
 public:
  TableMaker(const Job& job, const std::filesystem::path& workspace, const Experiment& experiment) : job_(job), workspace_(workspace), experiment_(experiment) {
    table_.name = experiment.name;
    for (std::size_t i = 0; i < experiment.axes.size(); ++i)
      if (!is_repetition(experiment.axes[i])) places_.push_back(i), table_.axes.push_back(experiment.axes[i]);
  }

  ExperimentTable make() {
    const auto kind = target_kind_of(job_, workspace_, experiment_);
    table_.score = kind.empty() ? "loss" : score_name(kind);
    for (const auto& member : experiment_.members) add_member(member, kind);
    add_rows(table_.score, evidence_);
    if (kind == "mask") add_rows("boundary F1", edges_);
    return std::move(table_);
  }

 private:
  void add_member(const ExperimentMember& member, const std::string& kind) {
    const auto folder = workspace_ / "runs" / member.run;
    MemberRow row;
    row.member = member;
    row.is_finished = std::filesystem::exists(folder / "weights.safetensors");
    read_log(folder, table_.score, row);
    auto& evidence = evidence_.emplace_back();
    auto& edge = edges_.emplace_back();
    evidence.target_kind = kind;
    if (kind.empty()) {
      if (row.is_finished) evidence.number = row.val_last;
      table_.part = "val";
    } else if (const auto samples = read_run_samples(workspace_, member.run, run_named(job_, member.run).dataset); samples && row.is_finished) {
      const bool has_test = std::any_of(samples->rows.begin(), samples->rows.end(), [](const auto& one) { return one.part == "test"; });
      if (table_.part.empty()) table_.part = has_test ? "test" : "val";
      evidence.blocks = counts_by_block(*samples, table_.part);
      edge.number = boundary_f1(folder / "evaluation.json", table_.part);
      if (has_test) row.test = Evidence{kind, counts_by_block(*samples, "test"), {}}.score();
    }
    table_.members.push_back(std::move(row));
  }

  [[nodiscard]] std::vector<std::string> arm_of(const MemberRow& row) const {
    std::vector<std::string> values;
    for (const auto place : places_) values.push_back(row.member.values[place]);
    return values;
  }

  void add_rows(const std::string& score, const std::vector<Evidence>& evidence) {
    add_arms(score, evidence);
    add_differences(score, evidence);
  }

  void add_arms(const std::string& score, const std::vector<Evidence>& evidence) {
    std::vector<std::pair<std::vector<std::string>, std::vector<Pair>>> arms;
    for (std::size_t i = 0; i < table_.members.size(); ++i) {
      if (!evidence[i].score()) continue;
      const auto arm = arm_of(table_.members[i]);
      auto found = std::find_if(arms.begin(), arms.end(), [&](const auto& one) { return one.first == arm; });
      if (found == arms.end()) found = arms.insert(arms.end(), {arm, {}});
      found->second.emplace_back(&evidence[i], nullptr);
    }
    for (const auto& [values, pairs] : arms) {
      ArmRow row{score, values, static_cast<int>(pairs.size()), mean_of(pairs), {}, {}};
      row.sd = deviation(pairs, row.mean);
      row.interval = interval_of(pairs, row.mean);
      table_.arms.push_back(std::move(row));
    }
  }

  static double mean_of(const std::vector<Pair>& pairs) {
    double sum = 0;
    for (const auto& pair : pairs) sum += difference(pair, nullptr).value_or(0);
    return sum / static_cast<double>(pairs.size());
  }
  static std::optional<double> deviation(const std::vector<Pair>& pairs, double mean) {
    if (pairs.size() < 2) return std::nullopt;
    double sum = 0;
    for (const auto& pair : pairs) sum += std::pow(difference(pair, nullptr).value_or(mean) - mean, 2);
    return std::sqrt(sum / static_cast<double>(pairs.size() - 1));
  }

  /// Axes along which values are compared.
  [[nodiscard]] std::vector<std::size_t> compared_axes() const {
    if (!experiment_.arms.empty()) return experiment_.arms;
    return places_.empty() ? std::vector<std::size_t>{} : std::vector<std::size_t>{places_.front()};
  }

  void add_differences(const std::string& score, const std::vector<Evidence>& evidence) {
    for (const auto axis : compared_axes()) {
      const auto& against = experiment_.members.front().values[axis];
      std::vector<std::pair<DifferenceRow, std::vector<Pair>>> rows;
      for (std::size_t i = 0; i < table_.members.size(); ++i) {
        const auto partner = partner_of(i, axis, against);
        if (!partner || *partner == i || !evidence[i].score() || !evidence[*partner].score()) continue;
        DifferenceRow row{score, experiment_.axes[axis], table_.members[i].member.values[axis], against, arm_of(table_.members[i]), 0, 0, {}};
        row.others[static_cast<std::size_t>(std::find(places_.begin(), places_.end(), axis) - places_.begin())] = "";
        auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& one) { return one.first.value == row.value && one.first.others == row.others; });
        if (found == rows.end()) found = rows.insert(rows.end(), {row, {}});
        found->second.emplace_back(&evidence[i], &evidence[*partner]);
      }
      for (auto& [row, pairs] : rows) {
        row.pairs = static_cast<int>(pairs.size());
        row.mean = mean_of(pairs);
        row.interval = interval_of(pairs, row.mean);
        table_.differences.push_back(std::move(row));
      }
    }
  }

  /// The member with `value` at `axis` and all else equal.
  [[nodiscard]] std::optional<std::size_t> partner_of(std::size_t member, std::size_t axis, const std::string& value) const {
    auto wanted = table_.members[member].member.values;
    wanted[axis] = value;
    for (std::size_t i = 0; i < table_.members.size(); ++i)
      if (table_.members[i].member.values == wanted) return i;
    return std::nullopt;
  }

  const Job& job_;
  const std::filesystem::path& workspace_;
  const Experiment& experiment_;
  std::vector<std::size_t> places_;  ///< of the table's axes among the experiment's
  ExperimentTable table_;
  std::vector<Evidence> evidence_, edges_;  ///< one a member: of the score, and of boundary F1
};

std::string csv(const std::string& text) { return csv_cell(text); }
std::string csv(double value) { return Json(value).dump(); }
std::string csv(const std::optional<double>& value) { return value ? csv(*value) : ""; }
std::string csv(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) text += csv(value) + ",";
  return text;
}

std::string member_csv(const ExperimentTable& table, const Experiment& experiment) {
  std::string text = "run," + csv(experiment.axes) + "finished,steps,score,val_best,val_last,test,epochs_to_95\n";
  for (const auto& row : table.members)
    text += row.member.run + "," + csv(row.member.values) + (row.is_finished ? "yes," : "no,") + std::to_string(row.steps) + "," + table.score + "," + csv(row.val_best) + "," + csv(row.val_last) + "," + csv(row.test) + "," + csv(row.epochs_to_95) + "\n";
  return text;
}

std::string arm_csv(const ExperimentTable& table) {
  std::string text = csv(table.axes) + "score,part,runs,mean,sd,low,high\n";
  for (const auto& row : table.arms)
    text += csv(row.values) + row.score + "," + table.part + "," + std::to_string(row.runs) + "," + csv(row.mean) + "," + csv(row.sd) + "," + csv(row.interval[0]) + "," + csv(row.interval[1]) + "\n";
  return text;
}

std::string difference_csv(const ExperimentTable& table) {
  std::string text = "axis,value,against," + csv(table.axes) + "score,part,pairs,mean,low,high,is\n";
  for (const auto& row : table.differences)
    text += csv(row.axis) + "," + csv(row.value) + "," + csv(row.against) + "," + csv(row.others) + row.score + "," + table.part + "," + std::to_string(row.pairs) + "," + csv(row.mean) + "," + csv(row.interval[0]) + "," + csv(row.interval[1]) + "," + row.verdict() + "\n";
  return text;
}

}  // namespace

std::string DifferenceRow::verdict() const { return interval[0] > 0 ? "above" : interval[1] < 0 ? "below" : "not resolved"; }

ExperimentTable experiment_table(const Job& job, const std::filesystem::path& workspace, const Experiment& experiment) { return TableMaker(job, workspace, experiment).make(); }

void write_experiment_tables(const Job& job, const std::filesystem::path& workspace) {
  if (job.experiments.empty()) return;
  const auto folder = workspace / "experiments";
  shard::make_folders(folder);
  for (const auto& experiment : job.experiments) {
    const auto table = experiment_table(job, workspace, experiment);
    shard::publish_file(folder / (experiment.name + ".csv"), member_csv(table, experiment));
    shard::publish_file(folder / (experiment.name + "_arms.csv"), arm_csv(table));
    shard::publish_file(folder / (experiment.name + "_differences.csv"), difference_csv(table));
  }
}

}  // namespace tilewright::pipeline
