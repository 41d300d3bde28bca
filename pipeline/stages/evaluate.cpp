// SPDX-License-Identifier: Apache-2.0
// The evaluate stage: every supervised run on val and test, by tilewright-learn.
#include "geometry/error.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/experiment_table.h"
#include "pipeline/stages/run_groups.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

bool is_supervised(const learn::RunConfig& run) {
  return run.recipe == "segment" || run.recipe == "classify";
}

/// Of a masked autoencoder there are hidden patches to look at.
bool draws_patches(const learn::RunConfig& run) { return run.recipe == "mae"; }

learn::EvaluateRequest request_of(const StageInput& in, const std::string& name,
                                  const learn::RunConfig& run, bool overwrite) {
  learn::EvaluateRequest request;
  request.workspace = in.workspace.string();
  request.dataset = (in.workspace / "datasets" / run.dataset / "dataset.json").string();
  request.run_folder = (in.workspace / "runs" / name).string();
  request.threads = run.threads;
  request.device = run.device;
  request.overwrite = overwrite;
  request.worst = in.job.evaluate.value_or(EvaluateConfig{}).worst;
  if (!std::filesystem::exists(std::filesystem::path(request.run_folder) / "weights.safetensors"))
    throw Error::config(
        "runs: " + name +
        " has no weights.safetensors in the workspace yet; run: tilewright train JOB");
  return request;
}

}  // namespace

StageReport run_evaluate(const StageInput& in, const RunContext& context) {
  StageReport report;
  std::int64_t evaluated = 0;
  for (const auto& [name, run] : in.job.runs) {
    context.check_stop();
    if (!is_supervised(run) && !draws_patches(run)) continue;
    const auto request = request_of(in, name, run, context.force_overwrite);
    run_learn("evaluate", learn::json_of(request).dump(2) + "\n", request.run_folder, "evaluate",
              context);
    if (is_supervised(run)) ++evaluated;
  }
  write_run_groups(in.job, in.manifest, in.workspace);
  write_experiment_tables(in.job, in.workspace);
  report.counts.emplace_back("runs", evaluated);
  if (!in.job.experiments.empty())
    report.counts.emplace_back("experiments", static_cast<std::int64_t>(in.job.experiments.size()));
  if (evaluated == 0 && in.job.experiments.empty())
    report.notes.emplace_back("no run of this job is supervised: nothing to evaluate");
  return report;
}

}  // namespace tilewright::pipeline
