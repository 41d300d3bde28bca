// SPDX-License-Identifier: Apache-2.0
// GeoPackage geometry blobs: "GP" header, envelope and ISO WKB of a multipolygon in EPSG:4326.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::index {

/// Little-endian, srs_id 4326, with an xy envelope; an empty geometry has the empty flag instead.
std::vector<std::byte> geopackage_blob(const geometry::GeoMultiPolygon& polygons);

/// Reads any GeoPackage blob of a Polygon or MultiPolygon (either byte order, Z and M dropped).
/// Throws Error::failed that says what is wrong; never reads outside `blob`.
geometry::GeoMultiPolygon polygons_of_blob(std::span<const std::byte> blob);

/// Box from the header or, without an envelope, from the geometry; nullopt if empty or broken.
std::optional<geometry::Box> box_of_blob(std::span<const std::byte> blob);

}  // namespace tilewright::index
