// SPDX-License-Identifier: Apache-2.0
// `tilewright run JOB`: all stages that are not up to date.
#include "pipeline/commands/outcome_text.h"

namespace tilewright::pipeline {

int run_run(const Invocation& in) {
  RunOptions options;
  options.from = in.from;
  options.to = in.to;
  options.force = in.force;
  options.dry_run = in.dry_run;
  options.replan = in.replan;
  return run_and_print(in, options);
}

}  // namespace tilewright::pipeline
