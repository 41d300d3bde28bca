// SPDX-License-Identifier: Apache-2.0
// Datasets and runs: class balance, training curves, metrics and confusion matrices.
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "geometry/error.h"
#include "learn/config/dataset_file.h"
#include "pipeline/report/run_examples.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

constexpr std::size_t kMostPoints = 400;

/// Rows of metrics.jsonl; a last line that a killed run left unfinished is skipped.
std::vector<ReportJson> read_metrics(const std::filesystem::path& file) {
  std::vector<ReportJson> rows;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto row = ReportJson::parse(line, nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  return rows;
}

/// One line a part over steps; `key` is a number in the rows.
ReportJson curve(const std::vector<ReportJson>& rows, const std::string& key) {
  std::map<std::string, std::vector<ReportJson>> by_part;
  for (const auto& row : rows)
    if (row.contains(key) && row[key].is_number() && row.contains("step"))
      by_part[row.value("part", "train")].push_back({{"x", row["step"]}, {"y", row[key]}});
  ReportJson series = ReportJson::array();
  for (const auto& [part, points] : by_part) {
    ReportJson data = ReportJson::array();
    const std::size_t step = std::max<std::size_t>(1, points.size() / kMostPoints);
    for (std::size_t i = 0; i < points.size(); i += step) data.push_back(points[i]);
    series.push_back({{"label", part}, {"data", data}});
  }
  return {{"kind", "line"}, {"title", key}, {"x", "step"}, {"y", key}, {"labels", ReportJson::array()}, {"series", series}};
}

ReportJson curves(const std::filesystem::path& file) {
  const auto rows = read_metrics(file);
  ReportJson out = ReportJson::array();
  for (const char* key : {"loss", "iou_macro", "feature_spread", "lr"}) {
    auto chart = curve(rows, key);
    if (!chart["series"].empty()) out.push_back(std::move(chart));
  }
  return out;
}

std::string number(const ReportJson& json, const char* key) {
  return json.contains(key) && json[key].is_number() ? fixed(json[key].get<double>(), 3) : "-";
}

/// Confusion matrix with rows = truth, each cell with its share of the row for the shade.
ReportJson confusion_of(const ReportJson& part) {
  ReportJson rows = ReportJson::array(), names = ReportJson::array();
  for (const auto& info : part["classes"]) names.push_back({{"name", info.value("name", "?")}});
  for (std::size_t k = 0; k < part["confusion"].size(); ++k) {
    std::int64_t total = 0;
    for (const auto& cell : part["confusion"][k]) total += cell.get<std::int64_t>();
    ReportJson cells = ReportJson::array();
    for (const auto& cell : part["confusion"][k]) {
      const double share = total > 0 ? cell.get<double>() / static_cast<double>(total) : 0;
      cells.push_back({{"pixels", grouped(cell.get<std::int64_t>())}, {"percent", fixed(100 * share, 1)}, {"shade", fixed(0.08 + 0.6 * share, 2)}});
    }
    rows.push_back({{"name", names.at(k)["name"]}, {"cells", cells}, {"iou", number(part["classes"][k], "iou")}, {"f1", number(part["classes"][k], "f1")}});
  }
  return {{"names", names}, {"rows", rows}};
}

bool is_first_member(const Job& job, const std::string& name) {
  return std::any_of(job.experiments.begin(), job.experiments.end(), [&](const auto& experiment) { return experiment.members.front().run == name; });
}

ReportJson evaluation_of(const ReportInput& input, const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  const auto document = ReportJson::parse(text.str(), nullptr, false);
  ReportJson out = ReportJson::array();
  if (!document.is_object() || !document.contains("parts")) return out;
  for (const auto& [name, part] : document["parts"].items()) {
    ReportJson row = {{"part", name}, {"iou_macro", number(part, "iou_macro")}, {"iou_micro", number(part, "iou_micro")},
                      {"accuracy", number(part, "overall_accuracy")}, {"f1_macro", number(part, "f1_macro")}};
    if (part.contains("confusion") && part.contains("classes")) {
      row["confusion"] = confusion_of(part);
      if (auto pairs = confusion_pairs(input, part); !pairs.empty()) row["confused"] = {{"pairs", std::move(pairs)}};
    }
    out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

ReportJson dataset_section(const ReportInput& input) {
  ReportJson out = ReportJson::array();
  for (const auto& [name, config] : input.job.datasets) {
    const auto file = input.workspace / "datasets" / name / "dataset.json";
    if (!std::filesystem::exists(file)) continue;
    const auto dataset = learn::read_dataset(file);
    ReportJson parts = ReportJson::array(), labels = ReportJson::array(), pixels = ReportJson::array(), charts = ReportJson::array();
    for (const auto& [part, info] : dataset.parts) parts.push_back({{"part", part}, {"samples", grouped(info.samples)}});
    const bool is_mask = dataset.target.kind == "mask";
    const std::string what = is_mask ? "pixels" : "samples";
    for (const auto& info : dataset.target.classes) {
      labels.push_back(info.name);
      pixels.push_back(is_mask ? info.pixels : info.samples);
    }
    if (!labels.empty())
      charts.push_back({{"kind", "bar"}, {"title", what + " of train by class"}, {"x", "class"}, {"logarithmic", is_mask}, {"labels", labels}, {"series", {{{"label", what}, {"data", pixels}}}}});
    std::string inputs;
    for (const auto& info : dataset.inputs) inputs += (inputs.empty() ? "" : ", ") + info.series + " (" + std::to_string(info.bands.size()) + " bands, " + info.dtype + ", " + info.normalize + ")";
    out.push_back({{"name", name}, {"inputs", inputs}, {"target", config.target.value_or("none")}, {"subset", config.subset.value_or("all")}, {"parts", parts}, {"charts", charts}});
  }
  if (out.empty()) return nullptr;
  return {{"datasets", out}};
}

ReportJson run_section(const ReportInput& input) {
  ReportJson out = ReportJson::array();
  for (const auto& [name, config] : input.job.runs) {
    const auto folder = input.workspace / "runs" / name;
    if (!std::filesystem::exists(folder / "metrics.jsonl")) continue;
    if (is_member(input.job, name) && !is_first_member(input.job, name)) continue;  // one stands for all, experiments show the numbers
    ReportJson entry = {{"name", name}, {"recipe", config.recipe}, {"model", config.model.name}, {"dataset", config.dataset},
                        {"charts", curves(folder / "metrics.jsonl")}, {"evaluation", evaluation_of(input, folder / "evaluation.json")}};
    add_examples(input, name, config, entry);
    out.push_back(std::move(entry));
  }
  if (out.empty()) return nullptr;
  return {{"runs", out}};
}

}  // namespace tilewright::pipeline
