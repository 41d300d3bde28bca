// SPDX-License-Identifier: Apache-2.0
// Runs `tilewright` as a user does: a process of its own, its two outputs, its exit code.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/shard/scratch_folder.h"

namespace tilewright::tests {

inline std::filesystem::path program() { return TILEWRIGHT_BIN_DIR "/tilewright"; }

struct Surroundings {
  std::vector<std::pair<std::string, std::string>> environment;  ///< set in addition
  std::optional<rlim_t> largest_file_bytes;                      ///< RLIMIT_FSIZE
};

struct Answer {
  int code = -1;         ///< exit code; -1: ended by a signal
  std::string out, err;
};

/// What is to be read where an expectation fails.
inline std::ostream& operator<<(std::ostream& to, const Answer& answer) {
  return to << "exit code " << answer.code << "\n" << answer.err << answer.out;
}

/// Never returns: the child becomes `command`, with files for its two outputs.
[[noreturn]] inline void become(std::vector<std::string> command, const std::filesystem::path& folder, const Surroundings& around) {
  const auto redirect = [&](const char* name, int to) { ::dup2(::open((folder / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), to); };
  redirect("out", STDOUT_FILENO);
  redirect("err", STDERR_FILENO);
  for (const auto& [name, value] : around.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (around.largest_file_bytes) {
    const rlimit limit{*around.largest_file_bytes, *around.largest_file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> arguments;
  for (auto& word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(99);
}

/// Runs any command to its end.
inline Answer run_command(const std::vector<std::string>& command, const Surroundings& around = {}) {
  const ScratchFolder outputs;
  const pid_t child = ::fork();
  if (child == 0) become(command, outputs.path(), around);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = read_text(outputs / "out"), .err = read_text(outputs / "err")};
}

inline Answer run_tilewright(std::vector<std::string> arguments, const Surroundings& around = {}) {
  arguments.insert(arguments.begin(), program().string());
  return run_command(arguments, around);
}

}  // namespace tilewright::tests
