// SPDX-License-Identifier: Apache-2.0
// Features of every location and view, for other tools: an array and a table of its rows.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/config/job.h"
#include "pipeline/context.h"

namespace tilewright::pipeline {

struct EmbedOptions {
  std::string run;
  std::optional<std::string> subset;  ///< only its locations
  std::string pool = "own";           ///< own (class token, else mean), cls, mean
  std::optional<int> tap;             ///< a block or level instead of the end
  bool is_start = false;              ///< the weights that the run starts from
};

struct EmbedReport {
  std::filesystem::path features, table;
  std::int64_t samples = 0, locations = 0, dim = 0;
};

/// Writes <workspace>/embeddings/<run>/features.npy (float32, N x D) and index.csv (a line for each
/// row: sample, location_id, tile_id, acquired, part, longitude and latitude of the middle). Every view of
/// the first input of the run's dataset is a row, with those of further inputs nearest in time, also
/// in the guard and outside any part. Throws Error::config for an unknown run or subset.
EmbedReport embed(const Job& job, const EmbedOptions& options, const RunContext& context);

}  // namespace tilewright::pipeline
