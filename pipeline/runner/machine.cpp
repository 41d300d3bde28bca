// SPDX-License-Identifier: Apache-2.0
// Asks the system for cores and memory, and libraries for their versions.
#include "pipeline/runner/machine.h"

#include <gdal_version.h>
#include <cpl_port.h>
#include <gdal.h>
#include <proj.h>
#include <sched.h>
#include <sqlite3.h>
#include <tbb/version.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "geometry/version.h"

namespace tilewright::pipeline {
namespace {

/// The number in a file of the control group; a huge value where there is no limit.
std::size_t limit_in(const char* file) {
  std::ifstream in(file);
  std::size_t value = 0;
  return in >> value ? value : static_cast<std::size_t>(-1);
}

}  // namespace

int core_count() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)));
}

std::size_t memory_total_bytes() {
  const auto pages = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES));
  const auto ram = pages * static_cast<std::size_t>(::sysconf(_SC_PAGE_SIZE));
  return std::min({ram, limit_in("/sys/fs/cgroup/memory.max"), limit_in("/sys/fs/cgroup/memory/memory.limit_in_bytes")});
}

std::vector<std::pair<std::string, std::string>> library_versions() {
  return {{"tilewright", kVersion},
          {"gdal", GDALVersionInfo("RELEASE_NAME")},
          {"proj", proj_info().version},
          {"sqlite", sqlite3_libversion()},
          {"tbb", TBB_runtime_version()}};
}

}  // namespace tilewright::pipeline
