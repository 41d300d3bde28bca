// SPDX-License-Identifier: Apache-2.0
// What this machine has, and which libraries this program stands on.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::pipeline {

int core_count();                 ///< cores that this process may use
std::size_t memory_total_bytes(); ///< RAM, or the control group's limit where that is less

/// Name and version of this program and the libraries that decide over results, in fixed order.
std::vector<std::pair<std::string, std::string>> library_versions();

}  // namespace tilewright::pipeline
