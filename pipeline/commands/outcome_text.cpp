// SPDX-License-Identifier: Apache-2.0
// Runs stages for a command and prints what they did.
#include "pipeline/commands/outcome_text.h"

#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "pipeline/runner/progress.h"
#include "pipeline/runner/signals.h"

namespace tilewright::pipeline {
namespace {

using Json = nlohmann::ordered_json;

std::string counts_text(const StageReport& report) {
  std::string text;
  for (const auto& [name, value] : report.counts) text += (text.empty() ? "" : ", ") + name + " " + std::to_string(value);
  return text;
}

void print_outcome(const Invocation& in, const StageOutcome& outcome) {
  if (in.json) return;
  std::cout << outcome_line(outcome) << "\n";
  const bool tells_why = in.verbose || outcome.action == StageOutcome::Action::would_run || outcome.action == StageOutcome::Action::may_run;
  if (tells_why)
    for (const auto& why : outcome.why) std::cout << "          because " << why << "\n";
  for (const auto& note : outcome.report.notes) std::cout << "          " << note << "\n";
  std::cout << std::flush;
}

}  // namespace

std::string outcome_line(const StageOutcome& outcome) {
  std::array<char, 64> head{};
  std::snprintf(head.data(), head.size(), "%-9s %-10s", outcome.stage.c_str(), std::string(text_of(outcome.action)).c_str());
  std::string line = head.data();
  if (const auto counts = counts_text(outcome.report); !counts.empty()) line += "  " + counts;
  if (outcome.action == StageOutcome::Action::done) {
    std::array<char, 32> time{};
    std::snprintf(time.data(), time.size(), "  %.1f s", outcome.seconds);
    line += time.data();
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string run_json(const Job& job, const RunReport& report) {
  Json out{{"workspace", job.workspace().string()}, {"stages", Json::array()}};
  for (const auto& outcome : report.stages) {
    auto counts = Json::object();
    for (const auto& [name, value] : outcome.report.counts) counts[name] = value;
    out["stages"].push_back({{"stage", outcome.stage}, {"action", std::string(text_of(outcome.action))}, {"why", outcome.why}, {"seconds", outcome.seconds},
                             {"counts", counts}, {"notes", outcome.report.notes}});
  }
  out["quarantined"] = report.quarantined;
  out["exit_code"] = report.exit_code();
  return out.dump(2) + "\n";
}

int run_and_print(const Invocation& in, const RunOptions& options) {
  const auto job = load_job(in.argument, job_options(in));
  const StopOnSignal signals;
  auto context = make_context(job, signals.token());
  context.limit = in.limit;
  context.force_overwrite = in.overwrite;
  ProgressBar bar(std::cerr, stderr_style(in.no_color));
  if (!in.quiet) context.on_progress = [&](const Progress& progress) { bar.show(progress); };
  const auto report = run_stages(job, options, context, [&](const StageOutcome& outcome) {
    bar.clear();
    print_outcome(in, outcome);
  });
  if (in.json) std::cout << run_json(job, report);
  if (report.quarantined > 0 && !in.quiet)
    std::cerr << report.quarantined << (report.quarantined == 1 ? " tile is" : " tiles are") << " quarantined (exit code 3); `tilewright explain " << in.argument << " scan` counts the reasons\n";
  return report.exit_code();
}

}  // namespace tilewright::pipeline
