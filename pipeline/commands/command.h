// SPDX-License-Identifier: Apache-2.0
// The table of commands, and what a user typed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/config/load.h"

namespace tilewright::pipeline {

/// The command line as values; what a command has no flag for keeps its default.
struct Invocation {
  std::string command;
  std::string argument;                    ///< JOB, PATH, FILE or kind
  std::string second;                      ///< ITEM or DIR
  std::vector<std::string> sets, roots;    ///< key.path=VALUE, name=DIR
  std::optional<int> threads;
  std::optional<std::string> memory, tmpdir, max_bad;
  bool untrusted = false;
  std::string from, to;
  std::vector<std::string> force;
  std::int64_t limit = 0;
  bool dry_run = false, overwrite = false, replan = false, evaluate = false;
  bool json = false, quiet = false, verbose = false, no_color = false;
  bool list_failpoints = false;
  std::uint64_t seed = 1;                  ///< synth
  std::optional<int> size_px, patch_px, scenes, tiles;
  std::optional<double> noisy_frac;
  bool tiny = false;
  std::optional<std::string> max_leak, map;  ///< audit
  std::string scene;
  std::string export_to;                     ///< export
  std::vector<std::string> subsets;
  std::string layer, verdict;
  std::optional<std::string> subset;         ///< embed
  std::string pool = "own";
  std::optional<int> tap;
  bool start = false;
  std::optional<int> port;                   ///< review
};

/// Which groups of flags a command has; combined with |.
enum FlagGroup : unsigned {
  kNoFlags = 0,
  kJobFlags = 1,        ///< --set --root --untrusted
  kMachineFlags = 2,    ///< -j --memory --tmpdir
  kStageFlags = 4,      ///< --force --dry-run --limit --overwrite --max-bad
  kRangeFlags = 8,      ///< --from --to
  kJsonFlag = 16,
  kProgressFlags = 32,  ///< -v -q --no-color
  kOverwriteFlag = 64,
  kSynthFlags = 128,
  kDoctorFlags = 256,
  kReplanFlag = 512,
  kDryRunFlag = 1024,
  kEvaluateFlag = 4096,
  kExportFlags = 8192,  ///< --to --subset --layer --verdict
  kAuditFlags = 2048,   ///< --max-leak --scene --map --overwrite
  kEmbedFlags = 16384,   ///< --subset --pool --tap --start
  kReviewFlags = 32768,  ///< --port
};

struct CommandRow {
  std::string_view name, summary;
  std::string_view argument, argument_help;  ///< "" = none
  std::string_view second, second_help;      ///< "" = none
  unsigned flags;
  int (*run)(const Invocation&);             ///< exit code; throws Error
};

/// In the order of the manual.
std::span<const CommandRow> commands();

/// Help text of one command, as `tilewright NAME --help` prints it.
std::string command_help(const std::string& name);
/// One line a flag group for the manual's test: all long flags of a command.
std::vector<std::string> command_flags(const std::string& name);

/// Parses and runs; fills `invocation` on the way, for report_failure. Throws Error.
int run_command(int argc, char** argv, Invocation& invocation);
/// Says on stderr (and with --json on stdout) what went wrong; returns `code`.
int report_failure(const Invocation& invocation, int code, const std::string& text) noexcept;

JobOptions job_options(const Invocation& invocation);

int run_init(const Invocation&);
int run_check(const Invocation&);
int run_schema(const Invocation&);
int run_stage(const Invocation&);    ///< the verbs that are stages
int run_curate_command(const Invocation&);
int run_run(const Invocation&);
int run_status(const Invocation&);
int run_gc(const Invocation&);
int run_inspect(const Invocation&);
int run_explain(const Invocation&);
int run_verify(const Invocation&);
int run_repair(const Invocation&);
int run_report(const Invocation&);
int run_review(const Invocation&);
int run_audit(const Invocation&);
int run_export(const Invocation&);
int run_import(const Invocation&);
int run_embed(const Invocation&);
int run_synth(const Invocation&);
int run_doctor(const Invocation&);

}  // namespace tilewright::pipeline
