// SPDX-License-Identifier: Apache-2.0
// Folder, lock and resolved job of a workspace.
#include "pipeline/runner/workspace.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "geometry/error.h"
#include "index/shard/commit.h"

namespace tilewright::pipeline {
namespace {

namespace fs = std::filesystem;
constexpr const char* kLockFile = ".lock";

std::string host_name() {
  std::array<char, 256> buffer{};
  return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "this host";
}

std::string read_text(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string first_line(const fs::path& file) {
  const auto text = read_text(file);
  return text.substr(0, text.find('\n'));
}

/// A place of the job as seen from its workspace.
std::string seen_from(const fs::path& workspace, const fs::path& place) {
  const auto relative = place.lexically_relative(workspace);
  return relative.empty() ? place.string() : relative.string();
}

}  // namespace

WorkspaceLock::WorkspaceLock(const fs::path& workspace) {
  const auto file = workspace / kLockFile;
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw Error::failed("locking " + file.string() + ": " + std::strerror(errno) + "; the workspace must be writable");
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    const auto holder = first_line(file);
    ::close(descriptor_);
    throw Error::failed("the workspace " + workspace.string() + " is in use by " + (holder.empty() ? "another run" : holder) +
                        "; wait until it ends, or stop it");
  }
  sign(file);
}

std::optional<WorkspaceLock> WorkspaceLock::try_take(const fs::path& workspace) {
  const auto file = workspace / kLockFile;
  WorkspaceLock lock;
  lock.descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock.descriptor_ < 0) return std::nullopt;
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    ::close(std::exchange(lock.descriptor_, -1));  // the text in it is the holder's
    return std::nullopt;
  }
  lock.sign(file);
  return lock;
}

void WorkspaceLock::sign(const fs::path& file) const {
  const auto text = "pid " + std::to_string(::getpid()) + " on host " + host_name() + "\n";
  if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, text.data(), text.size(), 0) < 0)
    throw Error::failed("writing " + file.string() + ": " + std::strerror(errno) + "; is the disk full?");
}

WorkspaceLock::WorkspaceLock(WorkspaceLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

WorkspaceLock::~WorkspaceLock() {
  if (descriptor_ < 0) return;
  if (::ftruncate(descriptor_, 0) != 0) errno = 0;  // the text is for people; the lock itself ends below
  ::close(descriptor_);
}

std::string lock_holder(const fs::path& workspace) {
  const auto file = workspace / kLockFile;
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  const bool is_held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  if (!is_held) return "";
  const auto holder = first_line(file);
  return holder.empty() ? "another run" : holder;
}

std::string resolved_job_text(const Job& job) {
  const auto workspace = job.workspace();
  auto copy = job;
  copy.workspace_text = ".";
  copy.limits = {};  // places and sizes of one machine
  copy.limits.untrusted = job.limits.untrusted;
  const bool has_job_root = std::any_of(copy.roots.begin(), copy.roots.end(), [](const auto& root) { return root.first == "job"; });
  for (auto& [name, place] : copy.roots) place = seen_from(workspace, (job.folder() / place).lexically_normal());
  if (!has_job_root) copy.roots.emplace_back("job", seen_from(workspace, job.folder()));
  return "# The job of this workspace with every default filled in; written anew at each run.\n" + dump_job(copy);
}

WorkspaceLock enter_workspace(const Job& job) {
  const auto workspace = job.workspace();
  std::error_code error;
  if (fs::exists(workspace, error) && !fs::is_directory(workspace, error))
    throw Error::config("the workspace " + workspace.string() + " is a file; name a folder under workspace:");
  shard::make_folders(workspace);
  WorkspaceLock lock(workspace);
  shard::sweep_temporaries(workspace);
  const auto file = workspace / "job.resolved.yaml";
  const auto text = resolved_job_text(job);
  if (job.file != file && read_text(file) != text) shard::publish_file(file, text);
  return lock;
}

Job load_job_or_workspace(const fs::path& argument, const JobOptions& options) {
  std::error_code error;
  if (!fs::is_directory(argument, error)) return load_job(argument, options);
  const auto file = argument / "job.resolved.yaml";
  if (!fs::exists(file, error))
    throw Error::config("the folder " + argument.string() + " is not a workspace (no job.resolved.yaml); name a job file or a workspace");
  return load_job(file, options);
}

}  // namespace tilewright::pipeline
