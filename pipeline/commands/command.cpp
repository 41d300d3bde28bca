// SPDX-License-Identifier: Apache-2.0
// From the command line to a row of the table: help, usage errors, and how failures are told.
#include "pipeline/commands/command.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "geometry/error.h"
#include "geometry/version.h"
#include "pipeline/commands/flags.h"

namespace tilewright::pipeline {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done; 1 failed; 2 usage or job file; 3 done, but inputs are quarantined;\n"
    "4 stopped on request, the same command goes on.";

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

}  // namespace tilewright::pipeline
