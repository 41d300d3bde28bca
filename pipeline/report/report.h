// SPDX-License-Identifier: Apache-2.0
// report.html: one file about a workspace, readable without a network.
#pragma once

#include <filesystem>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// Writes <workspace>/report.html and returns its path. Throws Error::failed where the manifest cannot be read.
std::filesystem::path write_report(const Job& job, const std::filesystem::path& workspace);

}  // namespace tilewright::pipeline
