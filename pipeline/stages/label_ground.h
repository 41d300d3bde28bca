// SPDX-License-Identifier: Apache-2.0
// The windows that labels are drawn for: cuts of their zone's one lattice frame, or whole chips.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "geometry/rasterize.h"
#include "index/manifest.h"

namespace tilewright::pipeline {

struct LabelWindow {
  std::string location_id;
  std::size_t zone = 0;            ///< index into LabelGround::zones
  geometry::RasterFrame frame;     ///< affine of the whole lattice (or the chip), window in its pixels
  geometry::Affine affine;         ///< of the window itself
};

struct LabelGround {
  std::vector<geometry::Crs> zones;
  std::vector<LabelWindow> windows;  ///< by location_id
  geometry::Box degrees;             ///< of all windows
};

/// All locations of the manifest. Throws Error::failed for a name that is none of a window or chip.
LabelGround label_ground(const index::Manifest& manifest);

/// Box of a window's corners as a polygon in its zone's CRS, grown by `margin` map units.
geometry::MapMultiPolygon ground_of(const LabelWindow& window, double margin);

/// "[w, s, e, n] degrees" for messages.
std::string text_of(const geometry::Box& degrees);

}  // namespace tilewright::pipeline
