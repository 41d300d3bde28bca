// SPDX-License-Identifier: Apache-2.0
// `tilewright report JOB`: report.html of the workspace.
#include "pipeline/report/report.h"

#include <iostream>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_report(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  if (!std::filesystem::exists(job.workspace() / "manifest.gpkg"))
    throw Error::config("the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run " + in.argument);
  const auto file = write_report(job, job.workspace());
  if (in.json) std::cout << nlohmann::ordered_json{{"report", file.string()}}.dump(2) << "\n";
  else std::cout << file.string() << "\n";
  return 0;
}

}  // namespace tilewright::pipeline
