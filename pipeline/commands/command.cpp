// SPDX-License-Identifier: Apache-2.0
// From the command line to a row of the table: flags by group, help, usage errors.
#include "pipeline/commands/command.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "geometry/version.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 failed; 2 usage or job file; 3 done, but inputs are quarantined;\n"
    "4 stopped on request, the same command goes on.";

void add_job_flags(CLI::App& app, Invocation& in) {
  app.add_option("--set", in.sets, "override one key of the job; repeatable")->type_name("KEY.PATH=VALUE")->allow_extra_args(false);
  app.add_option("--root", in.roots, "folder of a named root; repeatable")->type_name("NAME=DIR")->allow_extra_args(false);
  app.add_flag("--untrusted", in.untrusted, "inputs may be hostile: ignore side-car files (limits.untrusted)");
}

void add_machine_flags(CLI::App& app, Invocation& in) {
  app.add_option("-j,--threads", in.threads, "threads (limits.threads); default: all cores")->type_name("N");
  app.add_option("--memory", in.memory, "most memory, such as 4G (limits.memory); default: half of RAM")->type_name("SIZE");
}

void add_stage_flags(CLI::App& app, Invocation& in) {
  app.add_option("--max-bad", in.max_bad, "fail if more inputs are bad, such as 5% or 12 (limits.max_bad)")->type_name("N|N%");
  app.add_option("--force", in.force, "do this stage even if it is up to date; repeatable")->type_name("STAGE")->allow_extra_args(false);
  app.add_option("--limit", in.limit, "only the first N items, to try a job")->type_name("N")->check(CLI::Validator(CLI::PositiveNumber).description(""));
  app.add_flag("--dry-run", in.dry_run, "say what would be done, and why; write nothing");
  app.add_flag("--overwrite", in.overwrite, "start runs anew instead of resuming them");
}

void add_synth_flags(CLI::App& app, Invocation& in) {
  app.add_option("--seed", in.seed, "seed; the same options give the same bytes")->type_name("N");
  app.add_option("--size", in.size_px, "edge of each of the two areas, pixels of 1 m")->type_name("PX");
  app.add_option("--patch", in.patch_px, "edge of a patch, pixels")->type_name("PX");
  app.add_option("--scenes", in.scenes, "dates of each area")->type_name("N");
  app.add_option("--noisy", in.noisy_frac, "share of patches with damaged labels, 0 to 1")->type_name("SHARE");
  app.add_flag("--tiny", in.tiny, "a small region for a quick look");
}

void add_flags(CLI::App& app, unsigned groups, Invocation& in) {
  if (groups & kRangeFlags) {
    app.add_option("--from", in.from, "first stage")->type_name("STAGE");
    app.add_option("--to", in.to, "last stage")->type_name("STAGE");
  }
  if (groups & kJobFlags) add_job_flags(app, in);
  if (groups & kMachineFlags) add_machine_flags(app, in);
  if (groups & kStageFlags) add_stage_flags(app, in);
  if (groups & kSynthFlags) add_synth_flags(app, in);
  if (groups & kOverwriteFlag) app.add_flag("--overwrite", in.overwrite, "replace a file that is there");
  if (groups & kDoctorFlags) app.add_flag("--list-failpoints", in.list_failpoints, "print the places where tests break this build");
  if (groups & kJsonFlag) app.add_flag("--json", in.json, "one JSON document on stdout");
  if (groups & kProgressFlags) {
    app.add_flag("-v,--verbose", in.verbose, "also say why each stage is done");
    app.add_flag("-q,--quiet", in.quiet, "no progress, only results and errors");
    app.add_flag("--no-color", in.no_color, "no colours (NO_COLOR does the same)");
  }
}

void add_command(CLI::App& app, const CommandRow& row, Invocation& in) {
  auto* sub = app.add_subcommand(std::string(row.name), std::string(row.summary));
  sub->footer(kExitCodes);
  if (!row.argument.empty()) sub->add_option(std::string(row.argument), in.argument, std::string(row.argument_help))->required()->type_name("");
  if (!row.second.empty()) sub->add_option(std::string(row.second), in.second, std::string(row.second_help))->required()->type_name("");
  add_flags(*sub, row.flags, in);
}

std::unique_ptr<CLI::App> make_app(Invocation& in) {
  auto app = std::make_unique<CLI::App>("Turns Earth-observation rasters and vector labels into a training corpus, and trains on it.", "tilewright");
  app->require_subcommand(0, 1);
  app->set_version_flag("--version", std::string("tilewright ") + kVersion);
  app->footer(std::string("`tilewright COMMAND --help` explains a command.\n") + kExitCodes);
  for (const auto& row : commands()) add_command(*app, row, in);
  return app;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const auto& row : commands()) names.emplace_back(row.name);
  return names;
}

const CommandRow& command_row(const std::string& name) {
  for (const auto& row : commands())
    if (row.name == name) return row;
  const auto near = nearest_name(name, command_names());
  throw Error::config("there is no command '" + name + "'; " + (near.empty() ? "see tilewright --help" : "did you mean " + near + "?"));
}

}  // namespace

std::string command_help(const std::string& name) {
  Invocation in;
  return make_app(in)->get_subcommand(name)->help("tilewright");
}

std::vector<std::string> command_flags(const std::string& name) {
  Invocation in;
  const auto app = make_app(in);
  std::vector<std::string> flags;
  for (const auto* option : app->get_subcommand(name)->get_options())
    for (const auto& flag : option->get_lnames()) flags.push_back("--" + flag);
  return flags;
}

int run_command(int argc, char** argv, Invocation& in) {
  const auto app = make_app(in);
  if (argc > 1 && argv[1][0] != '-') in.command = command_row(argv[1]).name;
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--json") in.json = true;  // usage errors answer in JSON too
  try {
    app->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {  // the library's border: help and version are not errors
    std::cout << (in.command.empty() ? app->help() : command_help(in.command));
    return 0;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << "\n";
    return 0;
  } catch (const CLI::ParseError& error) {
    throw Error::config(std::string(error.what()) + "; see tilewright " + (in.command.empty() ? "" : in.command + " ") + "--help");
  }
  if (in.command.empty()) {
    std::cout << app->help();
    return argc > 1 ? static_cast<int>(ErrorKind::config) : 0;
  }
  return command_row(in.command).run(in);
}

int report_failure(const Invocation& in, int code, const std::string& text) noexcept {
  try {
    const bool is_list = text.find('\n') != std::string::npos;
    std::cerr << "tilewright" << (in.command.empty() ? "" : " " + in.command) << (is_list ? ":\n" : ": ") << text << std::endl;
    if (in.json) {
      const nlohmann::ordered_json error{{"exit_code", code}, {"command", in.command}, {"text", text}};
      std::cout << nlohmann::ordered_json{{"error", error}}.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
    }
  } catch (const std::exception&) {
    return code;  // nothing left to say it with
  }
  return code;
}

JobOptions job_options(const Invocation& in) {
  JobOptions options{.sets = in.sets, .roots = {}, .flags = {}};
  for (const auto& root : in.roots) {
    const auto equals = root.find('=');
    if (equals == std::string::npos || equals == 0) throw Error::config("--root " + root + ": expected NAME=DIR, such as --root data=/data/town");
    options.roots.emplace_back(root.substr(0, equals), root.substr(equals + 1));
  }
  if (in.threads) options.flags.push_back({"-j", "limits.threads", std::to_string(*in.threads)});
  if (in.memory) options.flags.push_back({"--memory", "limits.memory", *in.memory});
  if (in.max_bad) options.flags.push_back({"--max-bad", "limits.max_bad", *in.max_bad});
  if (in.untrusted) options.flags.push_back({"--untrusted", "limits.untrusted", "true"});
  return options;
}

}  // namespace tilewright::pipeline
