// SPDX-License-Identifier: Apache-2.0
// Rows of the manifest for a planned location and its views.
#pragma once

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/rows.h"
#include "index/view_planner.h"
#include "pipeline/config/job.h"
#include "pipeline/stages/grid_zone.h"

namespace tilewright::pipeline {

/// `crs` is the zone's. Throws Error::failed if the place has no longitude and latitude.
index::LocationRow location_row(const geometry::Lattice& lattice, const geometry::Crs& crs, const index::PlannedLocation& planned);

/// How `tile` shows `window`: copied from its own pixels or resampled, and with which shift (CONTRACTS 3).
index::ViewRow view_row(const Job& job, const geometry::Lattice& lattice, const geometry::LatticeWindow& window, const PlacedTile& tile,
                        const geometry::Transform& source_from_zone, const index::PlannedView& planned);

}  // namespace tilewright::pipeline
