// SPDX-License-Identifier: Apache-2.0
// A job as JSON, with every default filled in, and the schema that editors read.
#pragma once

#include <nlohmann/json.hpp>

#include "pipeline/config/job.h"

namespace tilewright::pipeline {

using JobJson = nlohmann::ordered_json;

/// All keys in the order of describe(); the forms that a job file may use.
JobJson json_of_job(const Job& job);
/// JSON Schema (2020-12) with help, defaults and limits.
JobJson schema_of_job();

}  // namespace tilewright::pipeline
