// SPDX-License-Identifier: Apache-2.0
// `tilewright gc JOB|WORKSPACE`: removes what nothing refers to.
#include "pipeline/runner/gc.h"

#include <iostream>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_gc(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const auto file = job.workspace() / "manifest.gpkg";
  if (!std::filesystem::exists(file))
    throw Error::config("the workspace " + job.workspace().string() + " has no manifest yet; run: tilewright run " + in.argument);
  const WorkspaceLock lock(job.workspace());
  auto manifest = index::Manifest::open(file, in.dry_run ? index::Manifest::Mode::read_only : index::Manifest::Mode::create_or_write);
  const auto report = collect_garbage(job, manifest, in.dry_run);
  std::cout << (in.json ? garbage_json(report, in.dry_run) : garbage_text(report, in.dry_run));
  return 0;
}

}  // namespace tilewright::pipeline
