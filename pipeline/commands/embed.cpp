// SPDX-License-Identifier: Apache-2.0
// `tilewright embed JOB RUN`: features of every location and view.
#include "pipeline/runner/embed.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "pipeline/commands/command.h"
#include "pipeline/runner/progress.h"
#include "pipeline/runner/runner.h"
#include "pipeline/runner/signals.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_embed(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const StopOnSignal signals;
  auto context = make_context(job, signals.token());
  ProgressBar bar(std::cerr, stderr_style(in.no_color));
  if (!in.quiet) context.on_progress = [&](const Progress& progress) { bar.show(progress); };
  const auto report = embed(job, {.run = in.second, .subset = in.subset, .pool = in.pool, .tap = in.tap, .is_start = in.start}, context);
  bar.clear();
  if (in.json)
    std::cout << nlohmann::ordered_json{{"features", report.features.string()}, {"index", report.table.string()}, {"samples", report.samples}, {"locations", report.locations}, {"dim", report.dim}}.dump(2) << "\n";
  else
    std::cout << report.features.string() << ": " << report.samples << " views of " << report.locations << " locations, " << report.dim << " numbers each; rows in " << report.table.filename().string() << "\n";
  return 0;
}

}  // namespace tilewright::pipeline
