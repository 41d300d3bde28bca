// SPDX-License-Identifier: Apache-2.0
// Runs the stages of a job that are not up to date, in order, and records each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/config/job.h"
#include "pipeline/context.h"
#include "pipeline/runner/status.h"

namespace tilewright::pipeline {

struct RunOptions {
  std::string from, to;             ///< first and last stage; "" = the first, the last
  bool is_one_stage = false;        ///< a stage that the job does not want is an error
  std::vector<std::string> force;   ///< done even if up to date
  bool dry_run = false;             ///< only say what would be done
  bool replan = false;              ///< the plan of the views starts from scratch
};

struct StageOutcome {
  enum class Action { done, up_to_date, would_run, may_run };
  std::string stage;
  Action action = Action::done;
  std::vector<std::string> why;     ///< why it was (or would be) done
  StageReport report;
  double seconds = 0;
};
std::string_view text_of(StageOutcome::Action action);

struct RunReport {
  std::vector<StageOutcome> stages;     ///< in the range and wanted
  std::int64_t quarantined = 0;         ///< tiles quarantined by stages in the range
  [[nodiscard]] int exit_code() const { return quarantined > 0 ? 3 : 0; }
};

/// Locks the workspace, then runs. Throws Error::config for a stage outside the range that is
/// needed and not up to date, for values not in this version, a missing root or an empty glob;
/// Error::failed for more bad inputs than limits.max_bad; Error::stopped on request. What failed is
/// in log.jsonl with its stage. `on_outcome` is called as each stage ends.
RunReport run_stages(const Job& job, const RunOptions& options, const RunContext& context,
                     const std::function<void(const StageOutcome&)>& on_outcome);

/// Threads, memory and stop request of a job on this machine.
RunContext make_context(const Job& job, std::stop_token stop);

/// Throws Error::failed if more of `total` are bad than "5%" or "12" allows.
void check_max_bad(const std::string& max_bad, std::int64_t bad, std::int64_t total);

}  // namespace tilewright::pipeline
