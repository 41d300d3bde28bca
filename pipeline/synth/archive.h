// SPDX-License-Identifier: Apache-2.0
// A synthetic archive: thousands of overlapping acquisitions, cheap enough to plan at full size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "geometry/bitmask.h"
#include "geometry/grid.h"
#include "pipeline/synth/region.h"

namespace tilewright::pipeline {

struct ArchiveOptions {
  std::uint64_t seed = 1;
  int tiles = 60;                   ///< acquisitions, copies included, 1 to 1,000,000
  int size_px = 240;                ///< edge of each raster, 32 to 20,000
  std::optional<int> patch_px;      ///< of the job; nullopt: an eighth of a raster
};

/// One acquisition: a turned square with nodata around it on the 30 m lattice of a UTM zone.
struct ArchiveTile {
  struct Disc {
    double col = 0, row = 0, radius = 0;   ///< pixels
  };
  std::string name;                 ///< "a00012_20240307T102315_32"
  int epsg = 0;
  geometry::Affine affine;
  int size_px = 0;
  double turn = 0;                  ///< radians
  double inset_px = 0;              ///< reprocessed copies lose a little at the border
  std::vector<Disc> clouds;
  std::optional<std::size_t> copy_of;      ///< the same acquisition: reprocessed, or byte by byte
};

/// Targets with one to thirty visits, visits of one to three granules along the track that overlap by a
/// seam and lie seconds apart, a few reprocessed and a few identical copies. About an eighth of the ground
/// is covered. A pure function of the options.
std::vector<ArchiveTile> plan_archive(const ArchiveOptions& options);

/// Pixels inside the turned square, and cloudy ones.
geometry::Bitmask valid_pixels(const ArchiveTile& tile);
geometry::Bitmask cloudy_pixels(const ArchiveTile& tile);

/// Writes tiles/ (one Byte band, nodata 0), quality/ (1 = cloud) and job.yaml into `dir`. The same options
/// give the same bytes. Throws Error::config for options out of range.
SynthReport make_archive(const std::filesystem::path& dir, const ArchiveOptions& options);

}  // namespace tilewright::pipeline
