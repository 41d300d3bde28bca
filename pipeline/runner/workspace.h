// SPDX-License-Identifier: Apache-2.0
// The workspace folder of a job: made, locked by one run at a time, cleaned of what a kill left.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/config/job.h"
#include "pipeline/config/load.h"

namespace tilewright::pipeline {

/// The operating system's lock on <workspace>/.lock, gone with the process. Throws Error::failed
/// that names pid and host of the holder.
class WorkspaceLock {
 public:
  explicit WorkspaceLock(const std::filesystem::path& workspace);
  /// None where another process holds it or the folder cannot be written.
  static std::optional<WorkspaceLock> try_take(const std::filesystem::path& workspace);
  WorkspaceLock(WorkspaceLock&& other) noexcept;
  WorkspaceLock(const WorkspaceLock&) = delete;
  WorkspaceLock& operator=(const WorkspaceLock&) = delete;
  ~WorkspaceLock();

 private:
  WorkspaceLock() = default;
  void sign(const std::filesystem::path& file) const;
  int descriptor_ = -1;
};

/// "pid 12 on host h" of a run that holds the lock now; "" if none does.
std::string lock_holder(const std::filesystem::path& workspace);

/// Makes the folder, locks it, sweeps temporaries and writes job.resolved.yaml.
WorkspaceLock enter_workspace(const Job& job);

/// Resolved job as it lies in its workspace: places relative to that folder, so that both may move.
std::string resolved_job_text(const Job& job);

/// A job file, or a workspace folder with its job.resolved.yaml.
Job load_job_or_workspace(const std::filesystem::path& argument, const JobOptions& options);

}  // namespace tilewright::pipeline
