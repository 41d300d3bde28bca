// SPDX-License-Identifier: Apache-2.0
// The flags of a command, by the groups of its row.
#pragma once

#include "pipeline/commands/command.h"

namespace CLI {
class App;
}

namespace tilewright::pipeline {

/// Adds the flags of `groups` (FlagGroup) to a command; they write into `in`.
void add_flags(CLI::App& app, unsigned groups, Invocation& in);

}  // namespace tilewright::pipeline
