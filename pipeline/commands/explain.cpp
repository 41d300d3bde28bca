// SPDX-License-Identifier: Apache-2.0
// `tilewright explain JOB ITEM`: why an item is as it is.
#include "pipeline/runner/explain.h"

#include <algorithm>
#include <iostream>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/stage_key.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_explain(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const auto file = job.workspace() / "manifest.gpkg";
  if (!std::filesystem::exists(file))
    throw Error::config("the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run " + in.argument);
  const auto names = stage_names();
  const bool is_stage = std::find(names.begin(), names.end(), in.second) != names.end();  // hashes inputs, and keeps the hashes where no run is going on
  const auto lock = is_stage ? WorkspaceLock::try_take(job.workspace()) : std::nullopt;
  auto manifest = index::Manifest::open(file, lock ? index::Manifest::Mode::create_or_write : index::Manifest::Mode::read_only);
  std::cout << explain_item({job, manifest, job.workspace()}, in.second, in.json);
  return 0;
}

}  // namespace tilewright::pipeline
