// SPDX-License-Identifier: Apache-2.0
// Runs `tilewright-learn VERB REQUEST.json` and passes signals, progress and errors on.
#pragma once

#include <filesystem>
#include <string>

#include "pipeline/context.h"

namespace tilewright::pipeline {

/// Finds `tilewright-learn` in our own folder, then on PATH; both must have the same version.
/// Writes `request_json` beside its outputs as `.request-<verb>.json` in `scratch`, waits, and
/// throws Error of the child's kind with its message. Progress lines `@progress done total unit` on the child's
/// stderr become on_progress; other lines go to stderr. A stop request is passed on as SIGTERM.
void run_learn(const std::string& verb, const std::string& request_json,
               const std::filesystem::path& scratch, const std::string& stage, const RunContext& context);

/// Path of tilewright-learn, empty if there is none (doctor).
std::filesystem::path find_learn();
/// What tilewright-learn prints for one flag (--version, --devices); "" if there is none (doctor).
std::string ask_learn(const std::string& flag);

}  // namespace tilewright::pipeline
