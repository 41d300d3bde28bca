// SPDX-License-Identifier: Apache-2.0
// From GDAL's spatial reference, or the text of a side-car or job, to a CRS value.
#pragma once

#include <string>

#include "geometry/crs.h"

class OGRSpatialReference;

namespace tilewright::pipeline {

/// Unknown CRS for nullptr or an empty one. Throws index::ItemError(bad_crs) naming `what`.
geometry::Crs crs_of(const OGRSpatialReference* reference, const std::string& what);
/// WKT, PROJ string or EPSG:n; never a URL or a file. Throws index::ItemError(bad_crs).
geometry::Crs crs_of_text(const std::string& text, const std::string& what);

}  // namespace tilewright::pipeline
