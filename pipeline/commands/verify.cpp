// SPDX-License-Identifier: Apache-2.0
// `tilewright verify JOB|WORKSPACE`: every byte against its hash.
#include "pipeline/runner/verify.h"

#include <iostream>

#include "geometry/error.h"
#include "pipeline/commands/command.h"
#include "pipeline/runner/progress.h"
#include "pipeline/runner/runner.h"
#include "pipeline/runner/signals.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {

int run_verify(const Invocation& in) {
  const auto job = load_job_or_workspace(in.argument, job_options(in));
  const StopOnSignal signals;
  auto context = make_context(job, signals.token());
  ProgressBar bar(std::cerr, stderr_style(in.no_color));
  if (!in.quiet) context.on_progress = [&](const Progress& progress) { bar.show(progress); };
  const auto report = verify_workspace(job.workspace(), context);
  bar.clear();
  std::cout << (in.json ? verify_json(report) : verify_text(report));
  return report.is_sound() ? 0 : static_cast<int>(ErrorKind::failed);
}

}  // namespace tilewright::pipeline
