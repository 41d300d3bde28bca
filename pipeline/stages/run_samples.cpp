// SPDX-License-Identifier: Apache-2.0
// Reads samples.csv.
#include "pipeline/stages/run_samples.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "learn/config/dataset_file.h"
#include "pipeline/stages/split_table.h"

namespace tilewright::pipeline {
namespace {

double number_in(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::int64_t count_in(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class Table {
 public:
  explicit Table(const std::vector<std::string>& header) {
    for (std::size_t i = 0; i < header.size(); ++i) places_.emplace(header[i], i);
  }
  [[nodiscard]] bool has(const std::string& column) const { return places_.contains(column); }
  [[nodiscard]] std::string at(const std::vector<std::string>& fields, const std::string& column) const {
    const auto found = places_.find(column);
    return found == places_.end() || found->second >= fields.size() ? "" : fields[found->second];
  }

 private:
  std::map<std::string, std::size_t> places_;
};

/// Classes named in "a;b".
void count_names(const std::string& text, const std::vector<std::string>& classes, std::vector<std::int64_t>& counts) {
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(';', begin), text.size());
    const auto found = std::find(classes.begin(), classes.end(), text.substr(begin, end - begin));
    if (found != classes.end()) ++counts[static_cast<std::size_t>(found - classes.begin())];
    begin = end + 1;
  }
}

ClassCounts counts_of(const Table& table, const std::vector<std::string>& fields, const RunSamples& run, const RunSample& row) {
  const auto classes = run.classes.size();
  ClassCounts out{std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes)};
  if (run.target_kind == "mask") {
    for (std::size_t k = 0; k < classes; ++k) {
      out.hits[k] = count_in(table.at(fields, "hits_" + run.classes[k]));
      out.truth[k] = count_in(table.at(fields, "truth_" + run.classes[k]));
      out.predicted[k] = count_in(table.at(fields, "predicted_" + run.classes[k]));
    }
    return out;
  }
  count_names(row.truth, run.classes, out.truth);
  count_names(row.prediction, run.classes, out.predicted);
  for (std::size_t k = 0; k < classes; ++k) out.hits[k] = std::min(out.truth[k], out.predicted[k]);
  return out;
}

std::optional<double> share(std::int64_t part, std::int64_t whole) { return whole > 0 ? std::optional(static_cast<double>(part) / static_cast<double>(whole)) : std::nullopt; }

std::int64_t sum(const std::vector<std::int64_t>& values) {
  std::int64_t total = 0;
  for (const auto value : values) total += value;
  return total;
}

}  // namespace

void ClassCounts::add(const ClassCounts& other, std::int64_t times) {
  hits.resize(other.hits.size()), truth.resize(other.truth.size()), predicted.resize(other.predicted.size());
  for (std::size_t k = 0; k < hits.size(); ++k) {
    hits[k] += times * other.hits[k];
    truth[k] += times * other.truth[k];
    predicted[k] += times * other.predicted[k];
  }
}

std::optional<double> score_of(const std::string& target_kind, const ClassCounts& counts) {
  if (target_kind == "class") return share(sum(counts.hits), sum(counts.truth));
  if (target_kind == "classes") return share(2 * sum(counts.hits), sum(counts.truth) + sum(counts.predicted));
  double total = 0;
  int present = 0;
  for (std::size_t k = 0; k < counts.hits.size(); ++k)
    if (const auto iou = share(counts.hits[k], counts.truth[k] + counts.predicted[k] - counts.hits[k])) {
      total += *iou;
      ++present;
    }
  return present > 0 ? std::optional(total / present) : std::nullopt;
}

std::string score_name(const std::string& target_kind) { return target_kind == "class" ? "accuracy" : target_kind == "classes" ? "F1 micro" : "IoU macro"; }

std::optional<RunSamples> read_run_samples(const std::filesystem::path& workspace, const std::string& run, const std::string& dataset) {
  const auto description = workspace / "datasets" / dataset / "dataset.json";
  std::ifstream in(workspace / "runs" / run / "samples.csv");
  std::string line;
  if (!std::filesystem::exists(description) || !std::getline(in, line)) return std::nullopt;
  const Table table(csv_fields(line));
  if (!table.has("block")) return std::nullopt;
  RunSamples out;
  const auto target = learn::read_dataset(description).target;
  out.target_kind = target.kind;
  for (const auto& info : target.classes) out.classes.push_back(info.name);
  while (std::getline(in, line)) {
    const auto fields = csv_fields(line);
    RunSample row{table.at(fields, "sample"), table.at(fields, "location"), table.at(fields, "part"), table.at(fields, "block"), number_in(table.at(fields, "loss")), {}, table.at(fields, "truth"), table.at(fields, "prediction"), {}};
    row.counts = counts_of(table, fields, out, row);
    row.score = score_of(out.target_kind, row.counts);
    out.rows.push_back(std::move(row));
  }
  return out;
}

std::map<std::string, ClassCounts> counts_by_block(const RunSamples& samples, const std::string& part) {
  std::map<std::string, ClassCounts> out;
  for (const auto& row : samples.rows)
    if (row.part == part) out[row.block].add(row.counts);
  return out;
}

}  // namespace tilewright::pipeline
