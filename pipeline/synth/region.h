// SPDX-License-Identifier: Apache-2.0
// A synthetic region with known truth: the demo's world, and the tests' ruler for label noise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tilewright::pipeline {

/// Two square areas, one on either side of the border of UTM zones 32 and 33, on a 1 m lattice.
struct SynthOptions {
  std::uint64_t seed = 1;
  int size_px = 832;            ///< edge of each area; rounded down to whole cells
  int patch_px = 64;            ///< edge of a cell: label noise is drawn per cell, and cells are the job's patches
  int scenes = 4;               ///< optical dates of each area, 3 to 12
  double noisy_frac = 0.6;      ///< share of cells whose labels are damaged
  static SynthOptions tiny() { return {.seed = 1, .size_px = 192, .patch_px = 64, .scenes = 3}; }
};

struct SynthReport {
  std::filesystem::path job;                                  ///< ready for `tilewright run`
  std::vector<std::pair<std::string, std::int64_t>> counts;   ///< cells, noisy_cells, buildings, roads, files ...
};

/// Writes into `dir`: optical/ and quality/ (several dates with shifted, turned footprints, clouds, one
/// duplicate and one truncated file), elevation/, labels/ (damaged buildings, roads with widths as
/// text), truth/ (undamaged polygons, masks, ledger.csv of every damage) and job.yaml. The same options give the
/// same bytes. Throws Error::config for options out of range.
SynthReport make_region(const std::filesystem::path& dir, const SynthOptions& options);

}  // namespace tilewright::pipeline
