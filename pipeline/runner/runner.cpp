// SPDX-License-Identifier: Apache-2.0
// The loop over stages: what is stale is done, recorded, and makes what rests on it stale.
#include "pipeline/runner/runner.h"

#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "geometry/error.h"
#include "pipeline/config/load.h"
#include "pipeline/runner/log.h"
#include "pipeline/runner/machine.h"
#include "pipeline/runner/scratch_manifest.h"
#include "pipeline/runner/workspace.h"

namespace tilewright::pipeline {
namespace {

/// Journal mode of a stage, left again whatever happens.
class StageJournal {
 public:
  explicit StageJournal(index::Manifest& manifest) : manifest_(manifest) { manifest_.begin_stage(); }
  StageJournal(const StageJournal&) = delete;
  StageJournal& operator=(const StageJournal&) = delete;
  ~StageJournal() {
    try {
      manifest_.end_stage();
    } catch (const std::exception&) {
      return;  // a reader is in the way: the next writer leaves WAL
    }
  }

 private:
  index::Manifest& manifest_;
};

/// Rows of the table from `from` to `to` that the job wants.
std::vector<const StageRow*> stages_in_range(const Job& job, const RunOptions& options) {
  const auto names = stage_names();
  const auto place = [&](const std::string& name) { return std::find(names.begin(), names.end(), stage_row(name).name) - names.begin(); };
  const auto first = options.from.empty() ? 0 : place(options.from);
  const auto last = options.to.empty() ? static_cast<std::ptrdiff_t>(names.size()) - 1 : place(options.to);
  if (first > last)
    throw Error::config("--from " + options.from + " stands after --to " + options.to + "; stages run in the order " + names.front() + " ... " + names.back());
  std::vector<const StageRow*> out;
  for (auto i = first; i <= last; ++i) {
    const auto& row = stages()[static_cast<std::size_t>(i)];
    if (row.wanted(job)) out.push_back(&row);
    else if (options.is_one_stage) throw Error::config("the job has nothing to do for `" + std::string(row.name) + "`: it lacks the section for it");
  }
  return out;
}

void check_built(const Job& job) {
  std::string text;
  for (const auto& line : not_in_this_version(job)) text += (text.empty() ? "" : "\n") + job.file.filename().string() + ": " + line;
  if (!text.empty()) throw Error::config(text);
}

/// Stages that the range needs but does not run must be up to date.
void check_needed(const std::vector<const StageRow*>& range, const StageInput& in, std::int64_t limit) {
  std::set<std::string> inside;
  for (const auto* row : range) inside.emplace(row->name);
  for (const auto* row : range) {
    for (const auto& need : needed_stages(*row, in.job)) {
      if (inside.contains(need)) continue;
      const auto status = status_of_all(in, limit);
      const auto found = std::find_if(status.begin(), status.end(), [&](const auto& s) { return s.stage == need; });
      if (found->state == StageState::up_to_date) continue;
      throw Error::config("`" + std::string(row->name) + "` needs `" + need + "`, which " +
                          (found->state == StageState::never_run ? "has not run" : "is out of date" + (found->why.empty() ? "" : " (" + found->why[0] + ")")) +
                          "; run: tilewright " + need + " " + in.job.file.filename().string() + ", or tilewright run for all that is stale");
    }
  }
}

void foresee(const std::vector<const StageRow*>& range, const Job& job) {
  for (const auto* row : range) row->foresee(job);
}

std::string report_json(const StageReport& report) {
  nlohmann::ordered_json out{{"counts", nlohmann::ordered_json::object()}, {"notes", report.notes}};
  for (const auto& [name, value] : report.counts) out["counts"][name] = value;
  return out.dump();
}

std::string versions_json() {
  auto out = nlohmann::ordered_json::object();
  for (const auto& [name, version] : library_versions()) out[name] = version;
  return out.dump();
}

/// Runs one stage and records it; an error is logged with its stage before it travels on.
/// A forced stage forgets its rows first: else one that goes on where it stopped would find all done.
StageReport do_stage(const StageRow& row, const StageInput& in, const StageStatus& status, bool is_forced, const RunContext& context, const Log& log) {
  const auto& key = status.key;
  const std::string name(row.name);
  log.write("info", "stage started", {{"stage", name}, {"key", key.digest}});
  index::StageRunRow run{.stage = name, .key = "", .started = now_utc(), .finished = "", .config_json = parts_json(key), .versions_json = versions_json(), .counts_json = ""};
  try {
    const StageJournal journal(in.manifest);
    in.manifest.in_transaction([&] {
      // Plan and parts are history, not results of the inputs alone: forced, they are found again and stay.
      if (is_forced && name != "views" && name != "split") index::clear_stage(in.manifest, name);
      mark_stale(in.manifest, name);
      for (const auto& dependent : dependent_stages(name)) mark_stale(in.manifest, dependent);
    });
    RunContext of_stage = context;
    of_stage.force_overwrite |= is_forced;  // a forced run is trained anew, not resumed
    of_stage.is_forced = is_forced;
    auto report = row.run(in, of_stage);
    run.key = key.digest;
    run.finished = now_utc();
    run.counts_json = report_json(report);
    in.manifest.in_transaction([&] { index::insert(in.manifest, run); });
    log.write("info", "stage done", {{"stage", name}, {"counts", run.counts_json}});
    return report;
  } catch (const Error& error) {  // the log must name stage and cause; the error travels on
    log.write(error.kind() == ErrorKind::stopped ? "warning" : "error", "stage failed",
              {{"stage", name}, {"code", std::to_string(static_cast<int>(error.kind()))}, {"reason", error.what()}});
    const std::string text = error.what();
    throw Error(error.kind(), text.starts_with(name + ": ") ? text : name + ": " + text);
  }
}

/// A stage that is not done in a dry run makes what rests on it uncertain.
StageOutcome plan_stage(const StageRow& row, const StageStatus& status, const std::set<std::string>& not_done, const Job& job) {
  StageOutcome outcome{.stage = std::string(row.name), .action = StageOutcome::Action::would_run, .why = status.why, .report = {}, .seconds = 0};
  if (status.state != StageState::up_to_date) return outcome;
  for (const auto& need : needed_stages(row, job))
    if (not_done.contains(need)) outcome.why.push_back(need + " would run");
  outcome.action = outcome.why.empty() ? StageOutcome::Action::up_to_date : StageOutcome::Action::may_run;
  return outcome;
}

void check_bad_inputs(const Job& job, const index::Manifest& manifest) {
  if (!job.limits.max_bad) return;
  const auto all = static_cast<std::int64_t>(index::tiles(manifest).size());
  check_max_bad(*job.limits.max_bad, static_cast<std::int64_t>(index::tiles(manifest, "", "quarantined").size()), all);
}

class Loop {
 public:
  Loop(const StageInput& in, const std::vector<const StageRow*>& range, const RunOptions& options, const RunContext& context, const Log& log)
      : in_(in), range_(range), options_(options), context_(context), log_(log) {}

  StageOutcome step(const StageRow& row) {
    auto status = status_of(row, in_, context_.limit);
    const bool is_forced = std::find(options_.force.begin(), options_.force.end(), row.name) != options_.force.end();
    const bool is_replanned = options_.replan && (row.name == "views" || (row.name == "scan" && !options_.is_one_stage));
    if (is_replanned && status.state == StageState::up_to_date) {
      status.state = StageState::stale;
      status.why.emplace_back("--replan");
    }
    if (is_forced && status.state == StageState::up_to_date) {
      status.state = StageState::stale;
      status.why.emplace_back("forced");
    }
    if (options_.dry_run) {
      auto outcome = plan_stage(row, status, not_done_, in_.job);
      if (outcome.action != StageOutcome::Action::up_to_date) not_done_.emplace(row.name);
      return outcome;
    }
    StageOutcome outcome{.stage = status.stage, .action = StageOutcome::Action::up_to_date, .why = status.why, .report = {}, .seconds = 0};
    if (status.state == StageState::up_to_date) return outcome;
    if (!std::exchange(is_foreseen_, true)) foresee(range_, in_.job);
    const auto started = std::chrono::steady_clock::now();
    outcome.action = StageOutcome::Action::done;
    outcome.report = do_stage(row, in_, status, is_forced, context_, log_);
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return outcome;
  }

 private:
  const StageInput& in_;
  const std::vector<const StageRow*>& range_;
  const RunOptions& options_;
  const RunContext& context_;
  const Log& log_;
  std::set<std::string> not_done_;
  bool is_foreseen_ = false;
};

RunReport run_range(const StageInput& in, const std::vector<const StageRow*>& range, const RunOptions& options, const RunContext& context,
                    const Log& log, const std::function<void(const StageOutcome&)>& on_outcome) {
  RunReport report;
  Loop loop(in, range, options, context, log);
  std::vector<std::string> names;
  for (const auto* row : range) {
    context.check_stop();
    names.emplace_back(row->name);
    auto outcome = loop.step(*row);
    on_outcome(outcome);
    report.stages.push_back(std::move(outcome));
    if (!options.dry_run && row->name == "scan") check_bad_inputs(in.job, in.manifest);
  }
  if (!options.dry_run) report.quarantined = quarantined_tiles(in.manifest, names);
  return report;
}

/// `run --replan`: as in a new workspace, but for what people decided and the hashes of files.
void forget_history(index::Manifest& manifest) {
  manifest.in_transaction([&] {
    for (const char* stage : {"scan", "graph", "curate", "dataset"}) index::clear_stage(manifest, stage);
    index::start_over(manifest);
    index::forget_facts(manifest);
  });
}

/// The plan of a workspace that does not exist yet leaves nothing behind.
RunReport plan_fresh(const Job& job, const std::vector<const StageRow*>& range, const RunOptions& options, const RunContext& context,
                     const std::function<void(const StageOutcome&)>& on_outcome) {
  ScratchManifest scratch;
  const StageInput in{job, scratch.manifest(), job.workspace()};
  return run_range(in, range, options, context, Log("/dev/null"), on_outcome);
}

}  // namespace

std::string_view text_of(StageOutcome::Action action) {
  switch (action) {
    case StageOutcome::Action::done: return "done";
    case StageOutcome::Action::up_to_date: return "up to date";
    case StageOutcome::Action::would_run: return "would run";
    case StageOutcome::Action::may_run: break;
  }
  return "may run";
}

RunReport run_stages(const Job& job, const RunOptions& options, const RunContext& context,
                     const std::function<void(const StageOutcome&)>& on_outcome) {
  check_built(job);
  for (const auto& name : options.force) stage_row(name);
  const auto range = stages_in_range(job, options);
  if (options.replan && !options.is_one_stage && range.front()->name != "scan")
    throw Error::config("--replan starts from scratch, so it cannot begin at " + options.from + "; leave out --from, or plan only the views anew: tilewright views JOB --replan");
  const auto file = job.workspace() / "manifest.gpkg";
  const bool is_new = !std::filesystem::exists(file);
  if (is_new) foresee(range, job);  // a job that cannot work leaves no folder behind
  if (options.dry_run && is_new) return plan_fresh(job, range, options, context, on_outcome);
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(context.threads));
  const auto lock = options.dry_run ? WorkspaceLock(job.workspace()) : enter_workspace(job);
  auto manifest = index::Manifest::open(file, index::Manifest::Mode::create_or_write);
  const Log log(job.workspace() / "log.jsonl");
  const StageInput in{job, manifest, job.workspace()};
  if (options.replan && !options.is_one_stage && !options.dry_run) forget_history(manifest);
  check_needed(range, in, context.limit);
  RunContext of_run = context;
  of_run.replan = options.replan;
  return run_range(in, range, options, of_run, log, on_outcome);
}

RunContext make_context(const Job& job, std::stop_token stop) {
  RunContext context;
  context.stop = std::move(stop);
  context.threads = job.limits.threads > 0 ? job.limits.threads : core_count();
  context.memory_bytes = job.limits.memory.empty() ? memory_total_bytes() / 2 : parse_bytes(job.limits.memory);
  return context;
}

void check_max_bad(const std::string& max_bad, std::int64_t bad, std::int64_t total) {
  const bool is_share = max_bad.ends_with('%');
  const double allowed = std::stod(max_bad) * (is_share ? static_cast<double>(total) / 100 : 1);
  if (static_cast<double>(bad) <= allowed + 1e-9) return;
  throw Error::failed(std::to_string(bad) + " of " + std::to_string(total) + " inputs are quarantined, more than max_bad " + max_bad +
                      " allows; see `tilewright explain` for the reasons, or raise limits.max_bad");
}

}  // namespace tilewright::pipeline
