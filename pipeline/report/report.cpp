// SPDX-License-Identifier: Apache-2.0
// Puts the sections into the page: one HTML file that needs no network.
#include "pipeline/report/report.h"

#include <kainjow/mustache.hpp>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/shard/commit.h"
#include "pipeline/report/embedded.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {
namespace {

namespace mustache = kainjow::mustache;

/// A section: its id in the template, its name in the page's menu, and the function that fills it.
struct SectionRow {
  const char* id;
  const char* name;
  ReportJson (*make)(const ReportInput&);
};
constexpr SectionRow kSections[] = {
    {"counts", "Counts", count_section},     {"samples", "Samples", sample_section},       {"labels", "Labels", label_section},     {"map", "Map", map_section},
    {"noise", "Label noise", noise_section}, {"scores", "Scores", score_section},          {"targets", "Targets", target_section},   {"datasets", "Datasets", dataset_section},
    {"experiments", "Experiments", experiment_section}, {"runs", "Runs", run_section},           {"predictions", "Maps", prediction_section}, {"rejections", "Left out", rejection_section},
};

/// Moves every chart of `json` into `charts` and leaves its number, so that the page's script finds it.
void collect_charts(ReportJson& json, ReportJson& charts) {
  if (json.is_object() && json.contains("kind") && json.contains("series")) {
    charts.push_back(json);
    json = {{"index", charts.size() - 1}};
    return;
  }
  if (json.is_structured())
    for (auto& child : json) collect_charts(child, charts);
}

mustache::data mustache_of(const ReportJson& json) {
  if (json.is_object()) {
    mustache::data out(mustache::data::type::object);
    for (const auto& [key, value] : json.items()) out.set(key, mustache_of(value));
    return out;
  }
  if (json.is_array()) {
    mustache::data out(mustache::data::type::list);
    for (const auto& value : json) out << mustache_of(value);
    return out;
  }
  if (json.is_null()) return mustache::data(false);
  if (json.is_boolean()) return mustache::data(json.get<bool>());
  return mustache::data(json.is_string() ? json.get<std::string>() : json.dump());
}

/// JSON that may stand in a script element: no `<` can end it.
std::string in_script(const ReportJson& json) {
  std::string out;
  for (const char c : json.dump(-1, ' ', false, ReportJson::error_handler_t::replace)) {
    if (c == '<') out += "\\u003c";
    else out += c;
  }
  return out;
}

std::string stages_text(const index::Manifest& manifest) {
  std::string text;
  for (const char* stage : {"scan", "graph", "views", "extract", "label", "split", "curate", "dataset", "train", "evaluate", "predict"})
    if (index::stage_run(manifest, stage)) text += (text.empty() ? "" : " · ") + std::string(stage);
  return text.empty() ? "no stage has run" : text;
}

/// The job file's name; its folder's where the file is just called job.
std::string title_of(const Job& job) {
  const auto stem = job.file.stem().string();
  return stem == "job" ? job.folder().filename().string() : stem;
}

/// Numbers without pictures: what tests and other programs read from the page.
ReportJson numbers_of(const ReportJson& page) {
  ReportJson out = {{"counts", page["counts"]}};
  if (page.contains("rejections") && page["rejections"].is_object()) out["reasons"] = page["rejections"]["reasons"];
  out["labels"] = ReportJson::array();
  if (page.contains("labels") && page["labels"].is_object())
    for (auto layer : page["labels"]["layers"]) {
      layer.erase("chips");
      layer.erase("charts");
      out["labels"].push_back(layer);
    }
  out["targets"] = ReportJson::array();
  if (page.contains("targets") && page["targets"].is_object())
    for (const auto& target : page["targets"]["targets"]) out["targets"].push_back(target);
  out["experiments"] = ReportJson::array();
  if (page.contains("experiments") && page["experiments"].is_object())
    for (auto experiment : page["experiments"]["experiments"]) {
      experiment.erase("charts");
      out["experiments"].push_back(experiment);
    }
  out["noise"] = ReportJson::array();
  if (page.contains("noise") && page["noise"].is_object())
    for (auto layer : page["noise"]["layers"]) {
      layer.erase("worst");
      layer.erase("charts");
      out["noise"].push_back(layer);
    }
  return out;
}

}  // namespace

std::filesystem::path write_report(const Job& job, const std::filesystem::path& workspace) {
  const auto manifest = index::Manifest::open(workspace / "manifest.gpkg", index::Manifest::Mode::read_only);
  const ReportInput input{job, manifest, workspace};
  ReportJson page = {{"title", title_of(job)}, {"version", kVersion}, {"stages", stages_text(manifest)}};
  ReportJson links = ReportJson::array(), charts = ReportJson::array();
  for (const auto& section : kSections) {
    page[section.id] = section.make(input);
    if (!page[section.id].is_null()) links.push_back({{"id", section.id}, {"name", section.name}});
  }
  page["links"] = links;
  auto data = numbers_of(page);
  collect_charts(page, charts);
  data["charts"] = charts;
  auto values = mustache_of(page);
  values.set("data", in_script(data));
  values.set("chart_script", std::string(chart_script()));
  mustache::mustache renderer{std::string(report_template())};
  if (!renderer.is_valid()) throw Error::failed("report: the page's template is damaged: " + renderer.error_message());
  const auto file = workspace / "report.html";
  shard::publish_file(file, renderer.render(values));
  return file;
}

}  // namespace tilewright::pipeline
