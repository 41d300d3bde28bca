// SPDX-License-Identifier: Apache-2.0
// The pixel grid of a pre-cut chip that is one location, and the name that it gives.
#pragma once

#include <map>
#include <string>

#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {

/// `w_<12 hex of SHA-256>` over the text "<EPSG:n, or WKT>\n<a b c d e f>\n<width> <height>", the six
/// numbers of the affine with 12 significant digits: what differs less is one grid.
std::string whole_location_id(const SourceGrid& grid);
bool is_whole(const std::string& location_id);

/// Grids of whole locations, as scan kept them of their tiles. Not shared between threads.
class WholeGrids {
 public:
  explicit WholeGrids(const index::Manifest& manifest) : manifest_(manifest) {}
  /// `tile_id`: any tile that the location shows. Throws Error::failed if the manifest has no grid of it.
  [[nodiscard]] SourceGrid of(const std::string& location_id, const std::string& tile_id);

 private:
  const index::Manifest& manifest_;
  std::map<std::string, geometry::Crs> crs_;  ///< by WKT
};

}  // namespace tilewright::pipeline
