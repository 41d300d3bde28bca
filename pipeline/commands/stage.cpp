// SPDX-License-Identifier: Apache-2.0
// `tilewright scan|graph|...|predict JOB`: one stage and nothing before it.
#include "pipeline/commands/outcome_text.h"

namespace tilewright::pipeline {

int run_stage(const Invocation& in) {
  RunOptions options;
  options.from = options.to = in.command;
  options.is_one_stage = true;
  options.force = in.force;
  options.dry_run = in.dry_run;
  options.replan = in.replan;
  return run_and_print(in, options);
}

}  // namespace tilewright::pipeline
