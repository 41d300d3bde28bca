// SPDX-License-Identifier: Apache-2.0
// The child process that trains: found, checked, started, listened to, stopped.
#include "pipeline/runner/learn_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <optional>
#include <sstream>
#include <vector>

#include "geometry/error.h"
#include "geometry/version.h"
#include "index/shard/commit.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
constexpr const char* kProgram = "tilewright-learn";
constexpr int kPollMs = 100;

/// A file descriptor that is closed with its scope.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  void close() {
    if (value_ >= 0) ::close(value_);
    value_ = -1;
  }
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

bool is_program(const fs::path& file) {
  return fs::is_regular_file(file) && ::access(file.c_str(), X_OK) == 0;
}

/// What posix_spawn needs, freed with its scope.
struct SpawnSetup {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&usual, signal);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

/// Our environment, and who the parent is: the child ends with it, however it ends.
/// OpenMP threads sleep while they wait: spinning on a busy machine costs ten times the work.
std::vector<std::string> child_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry; ++entry) entries.emplace_back(*entry);
  if (!std::getenv("OMP_WAIT_POLICY")) entries.emplace_back("OMP_WAIT_POLICY=passive");
  entries.push_back("TILEWRIGHT_PARENT=" + std::to_string(::getpid()));
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// A running child whose `listened` stream (1 or 2) comes to us by a pipe; killed if it is left
/// alone.
class Child {
 public:
  Child(const fs::path& program, std::vector<std::string> arguments, int listened) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw Error::failed("cannot make a pipe to " + program.string() + ": " +
                          std::strerror(errno));
    output_.emplace(ends[0]);
    const Descriptor write_end(ends[1]);
    SpawnSetup setup;
    posix_spawn_file_actions_addopen(&setup.actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&setup.actions, write_end.get(), listened);
    arguments.insert(arguments.begin(), program.string());
    auto environment = child_environment();
    const int error = ::posix_spawn(&pid_, program.c_str(), &setup.actions, &setup.attributes,
                                    pointers(arguments).data(), pointers(environment).data());
    if (error != 0) {
      pid_ = -1;
      throw Error::failed("cannot start " + program.string() + ": " + std::strerror(error));
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  void send(int signal) const { ::kill(pid_, signal); }

  /// What the child wrote since, "" after at most kPollMs of silence, nullopt at the end of the
  /// stream.
  std::optional<std::string> read_some() const {
    pollfd waiting{output_->get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPollMs) <= 0) return "";
    std::array<char, 4096> buffer{};
    const auto count = ::read(output_->get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return "";
    if (count <= 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(count));
  }

  /// Status as of waitpid.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
  std::optional<Descriptor> output_;
};

/// What the program prints on stdout for one flag, without the last newline.
std::string answer_of(const fs::path& program, const std::string& flag) {
  Child child(program, {flag}, STDOUT_FILENO);
  std::string text;
  while (const auto more = child.read_some()) text += *more;
  child.wait();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

void check_version(const fs::path& program) {
  const auto text = answer_of(program, "--version");
  const auto wanted = std::string(kProgram) + " " + kVersion;
  if (text != wanted)
    throw Error::config(program.string() + " says it is '" + text + "', this program needs '" +
                        wanted + "'; install both from one build");
}

/// Sorts the child's stderr: progress to the listener, the error text kept, the rest to our stderr.
class Listener {
 public:
  Listener(const std::string& stage, const RunContext& context)
      : stage_(stage), context_(context) {}

  void take(const std::string& text) {
    pending_ += text;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      line(pending_.substr(0, end));
      pending_.erase(0, end + 1);
    }
  }
  void finish() {
    if (!pending_.empty()) line(std::exchange(pending_, {}));
  }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  void line(const std::string& text) {
    if (text.starts_with("@progress ")) {
      std::istringstream in(text.substr(10));
      Progress progress;
      progress.stage = stage_;
      in >> progress.done >> progress.total >> progress.unit;
      if (in && context_.on_progress) context_.on_progress(progress);
    } else if (text.starts_with("error: ")) {
      error_ = text.substr(7);
    } else if (!error_.empty()) {
      error_ += "\n" + text;  // an error text of several lines is the last that the child says
    } else {
      std::cerr << text << "\n";
    }
  }

  std::string stage_, pending_, error_;
  const RunContext& context_;
};

[[noreturn]] void throw_outcome(int status, const std::string& verb, const std::string& message, bool was_told_to_stop) {
  const auto text =
      message.empty() ? std::string(kProgram) + " " + verb + " failed without a message" : message;
  // A child that is still loading its libraries has no handler yet, and ends by the signal itself.
  if (was_told_to_stop && WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGINT))
    throw Error::stopped(std::string(kProgram) + " " + verb + " was stopped; the same command goes on");
  if (WIFSIGNALED(status))
    throw Error::failed(
        std::string(kProgram) + " " + verb + " was ended by signal " +
        std::to_string(WTERMSIG(status)) +
        (WTERMSIG(status) == SIGKILL ? " (perhaps out of memory: take a smaller batch)" : "") +
        "; the same command resumes" + (message.empty() ? "" : ": " + message));
  switch (WEXITSTATUS(status)) {
    case static_cast<int>(ErrorKind::config):
      throw Error::config(text);
    case static_cast<int>(ErrorKind::stopped):
      throw Error::stopped(text);
    default:
      throw Error::failed(text);
  }
}

}  // namespace

fs::path find_learn() {
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  if (!error && is_program(self.parent_path() / kProgram)) return self.parent_path() / kProgram;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && is_program(fs::path(folder) / kProgram))
      return fs::path(folder) / kProgram;
  return {};
}

std::string ask_learn(const std::string& flag) {
  const auto program = find_learn();
  return program.empty() ? "" : answer_of(program, flag);
}

void run_learn(const std::string& verb, const std::string& request_json, const fs::path& scratch,
               const std::string& stage, const RunContext& context) {
  const auto program = find_learn();
  if (program.empty())
    throw Error::config("tilewright-learn is neither beside this program nor on PATH; `" + stage +
                        "` needs it: build with TILEWRIGHT_LEARN=ON");
  check_version(program);
  shard::make_folders(scratch);
  const auto request = scratch / (".request-" + verb + ".json");
  shard::publish_file(request, request_json);

  Child child(program, {verb, request.string()}, STDERR_FILENO);
  Listener listener(stage, context);
  for (bool told = false; const auto text = child.read_some();) {
    listener.take(*text);
    if (context.stop.stop_requested() && !std::exchange(told, true)) child.send(SIGTERM);
  }
  listener.finish();
  if (const int status = child.wait(); status != 0) throw_outcome(status, verb, listener.error(), context.stop.stop_requested());
  fs::remove(request);  // it holds places of this machine; after a failure it helps to find out why
}

}  // namespace tilewright::pipeline
