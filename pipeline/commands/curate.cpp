// SPDX-License-Identifier: Apache-2.0
// `tilewright curate JOB`: the stage; with --evaluate: how well it finds noise that is put into clean labels.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/progress.h"
#include "pipeline/runner/runner.h"
#include "pipeline/runner/signals.h"
#include "pipeline/runner/workspace.h"
#include "pipeline/stages/curate_evaluate.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const DrawStatistic& statistic) {
  if (statistic.values.empty()) return nullptr;
  return {{"mean", statistic.mean()}, {"half_width_95", statistic.half_width()}, {"draws", statistic.values}};
}

Json json_of(const ScoreQuality& quality) {
  Json kinds = Json::object();
  for (const auto& [kind, value] : quality.auroc_by_kind) kinds[kind] = json_of(value);
  return {{"auroc", json_of(quality.auroc)}, {"average_precision", json_of(quality.average_precision)}, {"kendall_tau", json_of(quality.tau)},
          {"precision_at_bad", json_of(quality.precision_at_bad)}, {"precision_at_5_percent", json_of(quality.precision_at_5_percent)}, {"auroc_by_kind", kinds}};
}

Json json_of(const std::vector<std::pair<std::string, ArmQuality>>& arms) {
  Json out = Json::object();
  for (const auto& [name, quality] : arms) {
    out[name] = {{"iou", json_of(quality.iou)}};
    if (!quality.rival.empty()) out[name].update({{"against", quality.rival}, {"gain", json_of(quality.gain)}});
  }
  return out;
}

Json json_of(const LayerEvaluation& layer) {
  Json scores = Json::object(), repairs = Json::object(), network = Json::object();
  for (const auto& [name, quality] : layer.scores) scores[name] = json_of(quality);
  for (const auto& [kind, ious] : layer.repair_by_kind) repairs[kind] = {{"iou_noisy", json_of(ious.first)}, {"iou_repaired", json_of(ious.second)}};
  for (const auto& [budget, arms] : layer.network) network[budget] = json_of(arms);
  return {{"layer", layer.layer}, {"locations", layer.locations}, {"bad_frac", json_of(layer.bad_frac)}, {"iou_noisy", json_of(layer.iou_noisy)},
          {"iou_repaired", json_of(layer.iou_repaired)}, {"shift_residual_px", json_of(layer.shift_residual_px)}, {"repairs", repairs},
          {"auroc_gain_of_model_free", json_of(layer.auroc_gain)}, {"tau_gain_of_model_free", json_of(layer.tau_gain)}, {"warnings", layer.warnings}, {"scores", scores}, {"network", network}};
}

std::string number(const DrawStatistic& statistic) {
  if (statistic.values.empty()) return "-";
  char text[40];
  std::snprintf(text, sizeof text, "%.3f", statistic.mean());
  std::string out = text;
  if (statistic.values.size() > 1) {
    std::snprintf(text, sizeof text, " +-%.3f", statistic.half_width());
    out += text;
  }
  return out;
}

/// A line an arm: IoU and gain at equal steps, then at equal epochs.
std::string network_text(const LayerEvaluation& layer) {
  if (layer.network.empty()) return "";
  std::string out = "a network on these labels of train: IoU with the clean labels of test, and what it gains on another\n";
  char line[256];
  std::snprintf(line, sizeof line, "%-16s %-16s %-16s %-16s %-16s %s\n", "labels", "equal steps", "gain", "equal epochs", "gain", "on");
  out += line;
  const auto& steps = layer.network.at("steps");
  const auto& epochs = layer.network.at("epochs");
  for (std::size_t n = 0; n < steps.size(); ++n) {
    std::snprintf(line, sizeof line, "%-16s %-16s %-16s %-16s %-16s %s\n", steps[n].first.c_str(), number(steps[n].second.iou).c_str(), number(steps[n].second.gain).c_str(),
                  number(epochs[n].second.iou).c_str(), number(epochs[n].second.gain).c_str(), steps[n].second.rival.c_str());
    out += line;
  }
  return out;
}

std::string text_of(const LayerEvaluation& layer) {
  char line[256];
  std::snprintf(line, sizeof line, "%s: %lld locations, %zu draws; IoU below %.1f: %s; mean IoU %s\n", layer.layer.c_str(), static_cast<long long>(layer.locations),
                layer.bad_frac.values.size(), kBadBelow, number(layer.bad_frac).c_str(), number(layer.iou_noisy).c_str());
  std::string out = line;
  std::snprintf(line, sizeof line, "%-18s %-16s %-16s %-16s %-16s", "score", "AUROC", "AP", "tau", "precision");
  out += line;
  const auto& kinds = layer.repair_by_kind;
  for (const auto& name : damage_names()) out += " " + name;
  out += "\n";
  for (const auto& [name, quality] : layer.scores) {
    std::snprintf(line, sizeof line, "%-18s %-16s %-16s %-16s %-16s", name.c_str(), number(quality.auroc).c_str(), number(quality.average_precision).c_str(),
                  number(quality.tau).c_str(), number(quality.precision_at_bad).c_str());
    out += line;
    for (const auto& kind : damage_names()) {
      const auto found = quality.auroc_by_kind.find(kind);
      std::snprintf(line, sizeof line, " %*s", static_cast<int>(kind.size()), found == quality.auroc_by_kind.end() || found->second.values.empty() ? "-" : std::to_string(found->second.mean()).substr(0, 4).c_str());
      out += line;
    }
    out += "\n";
  }
  if (!layer.auroc_gain.values.empty()) out += "the model-free signal adds " + number(layer.auroc_gain) + " AUROC and " + number(layer.tau_gain) + " tau to the models\n";
  for (const auto& warning : layer.warnings) out += warning + "\n";
  out += network_text(layer);
  if (kinds.empty()) return out;
  out += "repaired labels: mean IoU " + number(layer.iou_noisy) + " before, " + number(layer.iou_repaired) + " after\n";
  for (const auto& [kind, ious] : kinds) out += "  " + kind + ": " + number(ious.first) + " before, " + number(ious.second) + " after\n";
  out += "  shift: median residual of an object " + number(layer.shift_residual_px) + " px\n";
  return out;
}

int evaluate(const Invocation& in) {
  const auto job = load_job(in.argument, job_options(in));
  if (!std::filesystem::exists(job.workspace() / "manifest.gpkg"))
    throw Error::config("the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run " + in.argument + " --to split");
  const StopOnSignal signals;
  auto context = make_context(job, signals.token());
  ProgressBar bar(std::cerr, stderr_style(in.no_color));
  if (!in.quiet) context.on_progress = [&](const Progress& progress) { bar.show(progress); };
  const auto lock = enter_workspace(job);
  auto manifest = index::Manifest::open(job.workspace() / "manifest.gpkg", index::Manifest::Mode::read_only);
  const auto layers = evaluate_curation({job, manifest, job.workspace()}, context);
  bar.clear();
  Json json = Json::array();
  for (const auto& layer : layers) json.push_back(json_of(layer));
  shard::publish_file(job.workspace() / "curation.json", json.dump(2) + "\n");
  shard::publish_file(job.workspace() / "curation_ledger.csv", ledger_csv(layers));
  if (in.json) std::cout << json.dump(2) << "\n";
  else
    for (const auto& layer : layers) std::cout << text_of(layer);
  return 0;
}

}  // namespace

int run_curate_command(const Invocation& in) { return in.evaluate ? evaluate(in) : run_stage(in); }

}  // namespace tilewright::pipeline
