// SPDX-License-Identifier: Apache-2.0
// How large the blocks of a split should be.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "index/manifest.h"
#include "pipeline/config/job.h"

namespace tilewright::pipeline {

/// One sentence: how far values of locations are alike by their variogram, and whether split.block_m is
/// that large. `what` names them: "the share of roofs". nullopt: no blocks, or nothing depends on distance.
std::optional<std::string> block_advice(const Job& job, const index::Manifest& manifest, const std::map<std::string, double>& of_location, const std::string& what);

}  // namespace tilewright::pipeline
