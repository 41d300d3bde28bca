// SPDX-License-Identifier: Apache-2.0
// The evaluate stage: every supervised run on val and test, by tilewright-learn.
#include "geometry/error.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/stage.h"

namespace tilewright::pipeline {
namespace {

bool is_supervised(const learn::RunConfig& run) {
  return run.recipe == "segment" || run.recipe == "classify";
}

learn::EvaluateRequest request_of(const StageInput& in, const std::string& name,
                                  const learn::RunConfig& run) {
  learn::EvaluateRequest request;
  request.workspace = in.workspace.string();
  request.dataset = (in.workspace / "datasets" / run.dataset / "dataset.json").string();
  request.run_folder = (in.workspace / "runs" / name).string();
  request.threads = run.threads;
  request.device = run.device;
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
    if (!is_supervised(run)) continue;
    const auto request = request_of(in, name, run);
    run_learn("evaluate", learn::json_of(request).dump(2) + "\n", request.run_folder, "evaluate",
              context);
    ++evaluated;
  }
  report.counts.emplace_back("runs", evaluated);
  if (evaluated == 0)
    report.notes.emplace_back("no run of this job is supervised: nothing to evaluate");
  return report;
}

}  // namespace tilewright::pipeline
