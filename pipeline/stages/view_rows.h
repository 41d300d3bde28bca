// SPDX-License-Identifier: Apache-2.0
// Rows of the manifest for a planned location and its views.
#pragma once

#include <optional>
#include <string>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/rows.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/grid_zone.h"

namespace tilewright::pipeline {

/// `crs` is the zone's; `view_count` as the planner counts. Throws Error::failed if the place has no longitude and latitude.
index::LocationRow location_row(const geometry::Lattice& lattice, const geometry::Crs& crs, const geometry::LatticeWindow& window, int view_count);

/// How `tile` shows `window`: copied from its own pixels or resampled, and with which shift (CONTRACTS 3).
index::ViewRow view_row(const Job& job, const geometry::Lattice& lattice, const geometry::LatticeWindow& window, const PlacedTile& tile,
                        const geometry::Transform& source_from_zone, std::optional<double> cloud_frac);

/// A pre-cut chip as a location of its own, on the grid of `tile`. Throws as location_row does.
index::LocationRow chip_location_row(const std::string& id, const PlacedTile& tile, int view_count);
/// All of its pixels are valid: the tile's share of clouds is the window's.
index::ViewRow chip_view_row(const std::string& id, const index::TileRow& tile);

}  // namespace tilewright::pipeline
