// SPDX-License-Identifier: Apache-2.0
// The pixel grid of a pre-cut chip that is one location, and the name that it gives.
#pragma once

#include <map>
#include <string>

#include "pipeline/config/job.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {

/// `w_<12 hex of SHA-256>` over the text "<EPSG:n, or WKT>\n<a b c d e f>\n<width> <height>", the six
/// numbers of the affine with 12 significant digits: what differs less is one grid.
std::string whole_location_id(const SourceGrid& grid);
bool is_whole(const std::string& location_id);

/// Grids of whole locations, from rows where those say all and the id proves it (north-up, CRS with
/// a code), else from the file. Not shared between threads.
class WholeGrids {
 public:
  WholeGrids(const Job& job, const index::Manifest& manifest) : job_(job), manifest_(manifest) {}
  /// `tile`: any tile that the location shows. Throws Error::failed if the file has another grid now.
  [[nodiscard]] SourceGrid of(const index::LocationRow& location, const index::TileRow& tile);

 private:
  const Job& job_;
  const index::Manifest& manifest_;
  std::map<int, geometry::Crs> crs_;
};

}  // namespace tilewright::pipeline
