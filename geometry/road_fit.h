// SPDX-License-Identifier: Apache-2.0
// Width and place of a road from a surface such as elevation: cross-profiles, a prior, smooth along
// the way.
//
// All coordinates are metres in one local plane (x east, y north). A road is ground that lies on a
// plane with little cross slope and a crown and is smooth along the way; what lies beside it is
// not. Differs from ALSroads (Roussel et al. 2022), which thresholds slopes: here widths and
// offsets compete by their likelihood against the surroundings of the same line, with a log-normal
// prior of the width.
#pragma once

#include <functional>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::geometry {

/// Elevation (or brightness) at a place; NaN where there is none.
using Surface = std::function<double(MapXY)>;

struct RoadPrior {
  double width_m = 6;
  double width_sigma_log = 0.25;  ///< of ln(width)
  double offset_sigma_m = 5;      ///< how far lines lie off their road
};

struct RoadFitConfig {
  double profile_step_m = 0.25;  ///< across
  double station_step_m = 1;     ///< along
  double window_m = 24;          ///< profiles whose median is one profile
  double window_step_m = 6;
  double most_offset_m = 15;
  double least_width_m = 2, most_width_m = 24;
  double least_noise = 0.01;  ///< units of the surface
  double soft_share = 0.05, soft_noise = 0.02;  ///< shoulders are the road's where the ground beside it is rough: noise is at least this share of what it differs by, up to soft_noise
  double edge_sigma_m = 0.34;  ///< edges of roads are not sharper than this on pixels of 1 m
  double cross_slope_sigma = 0.04, crown_sigma = 0.03;
  double crown = -0.01;  ///< roads fall to their edges, units of the surface a metre; 0 for brightness
  double least_contrast =
      1.4;             ///< natural logs between road and surroundings, below which the prior stays
  double pixel_m = 1;  ///< of the surface: samples nearer than this tell nothing new
};

/// A place on the line, and the road found there.
struct RoadStation {
  double along_m = 0;
  MapXY on_line, normal;  ///< unit, to the left of the line
  double offset_m = 0;    ///< of the road's middle along the normal
  double width_m = 0;
};

struct RoadFit {
  bool is_fitted = false;  ///< false: contrast too weak; width is the prior's, offsets are 0
  double width_m = 0, width_sigma_m = 0;
  double offset_m = 0;  ///< mean of the stations
  double contrast = 0;  ///< natural log of what surroundings and road differ from a crown
  std::vector<RoadStation> stations;
  MapLine centre;  ///< the line moved onto the road
};

/// Fits one width and a smooth offset. A line shorter than a window is one window; one without
/// length, or on ground without data, gives the prior. Cost: about 1 ms a window.
RoadFit fit_road(const MapLine& line, const Surface& surface, const RoadPrior& prior,
                 const RoadFitConfig& config = {});

}  // namespace tilewright::geometry
