// SPDX-License-Identifier: Apache-2.0
// What `run` and the stage verbs print.
#pragma once

#include <string>

#include "pipeline/commands/command.h"
#include "pipeline/runner/runner.h"

namespace tilewright::pipeline {

/// Runs with signals, progress and results on their streams; shared by `run` and the stage verbs.
int run_and_print(const Invocation& in, const RunOptions& options);

/// "scan      done        tiles 12, quarantined 1   3.2 s"
std::string outcome_line(const StageOutcome& outcome);
std::string run_json(const Job& job, const RunReport& report);

}  // namespace tilewright::pipeline
