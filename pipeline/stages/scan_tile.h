// SPDX-License-Identifier: Apache-2.0
// One acquisition looked at once: what it is, where it has data, and what makes it equal to another.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "index/rows.h"
#include "index/tile_grids.h"
#include "pipeline/context.h"
#include "pipeline/io/dates.h"
#include "pipeline/stages/scan_inputs.h"

namespace tilewright::pipeline {

struct ScannedTile {
  index::TileRow row;                        ///< status ok, quarantined, removed or duplicate
  std::vector<index::TileFileRow> files;
  std::optional<index::TileGridRow> grid;    ///< as its files say
  index::EncodedMasks masks;
  std::optional<index::RejectionRow> rejection;
  std::vector<TileBand> bands;               ///< without those left out; empty if it could not be opened
  std::vector<bool> band_has_data;           ///< parallel to bands
  std::string content;                       ///< fingerprint, or SHA-256 where others have the same one
  std::string version;                       ///< processing version, "" if unknown; later = newer
  double valid_area_m2 = 0;
  std::vector<std::string> notes, side_cars; ///< side_cars: names of files read beside the rasters
};

/// What the tiles of a source are read with.
struct SourceContext {
  const Job& job;
  std::string source;
  DateRule dates;
  geometry::GeoMultiPolygon area;            ///< empty: no `area`
  std::vector<std::string> left_out, names;  ///< once known
  std::size_t date_count = 0;                ///< of a source whose bands are dates
};
SourceContext source_context(const Job& job, const std::string& source);

/// How far to look: what the headers say, or all pixels too.
enum class Depth { bands, pixels };

/// Never throws for what is wrong with the acquisition: it comes back quarantined with a reason.
ScannedTile scan_tile(const Acquisition& acquisition, const SourceContext& source, Depth depth,
                      const std::map<std::string, FileHash>& hashes, std::size_t memory_bytes);

/// Replaces the fingerprint by the exact hash; quarantines the tile where it cannot be read any more.
void keep_exact_content(const Acquisition& acquisition, const SourceContext& source, const std::vector<std::string>& left_out,
                        std::size_t memory_bytes, ScannedTile& tile);

/// Sets status, reason and the rejection row.
void reject(ScannedTile& tile, const std::string& status, index::Reason reason, const std::string& detail);

}  // namespace tilewright::pipeline
