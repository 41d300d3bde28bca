// SPDX-License-Identifier: Apache-2.0
// The train stage: one request to tilewright-learn for each run, in order.
#include "geometry/error.h"
#include "learn/config/json.h"
#include "learn/config/request.h"
#include "pipeline/runner/learn_process.h"
#include "pipeline/stages/stage.h"
#include "pipeline/stages/start_place.h"

namespace tilewright::pipeline {
namespace {

learn::TrainRequest request_of(const StageInput& in, const std::string& name,
                               const learn::RunConfig& run, bool overwrite) {
  learn::TrainRequest request;
  request.renew = is_member(in.job, name);  // it stands for its place in the grid: with other settings it is another run
  request.workspace = in.workspace.string();
  request.dataset = (in.workspace / "datasets" / run.dataset / "dataset.json").string();
  request.run_folder = (in.workspace / "runs" / name).string();
  request.run = run;
  request.overwrite = overwrite;
  const auto start = start_of(in, run);
  request.init_folder = start.folder;
  request.init_file = start.file;
  if (!std::filesystem::exists(request.dataset))
    throw Error::config("runs: " + name + " needs the dataset " + run.dataset +
                        ", which is not in the workspace; run: tilewright dataset JOB");
  return request;
}

}  // namespace

StartPlace start_of(const StageInput& in, const learn::RunConfig& run) {
  const auto& source = run.init ? run.init : run.model.encoder;
  StartPlace place;
  if (source && source->run)
    place.folder = (in.workspace / "runs" / *source->run).string();
  else if (source && source->file)
    place.file = in.job.resolve(*source->file).string();
  return place;
}

StageReport run_train(const StageInput& in, const RunContext& context) {
  StageReport report;
  for (const auto& [name, run] : in.job.runs) {
    context.check_stop();
    const auto request = request_of(in, name, run, context.force_overwrite);
    run_learn("train", learn::json_of(request).dump(2) + "\n", request.run_folder, "train",
              context);
  }
  report.counts.emplace_back("runs", static_cast<std::int64_t>(in.job.runs.size()));
  return report;
}

}  // namespace tilewright::pipeline
