// SPDX-License-Identifier: Apache-2.0
// Burns polygons and roads into masks by the pixel-centre rule.
//
// A pixel is inside where its centre is. Ties: an edge belongs to the area on its right and below
// (half-open in x and y: left and top edges are in, right and bottom edges are out), so that
// abutting polygons neither overlap nor leave gaps. Pixel centres are computed from the frame's
// affine and the absolute pixel index: the masks of abutting windows equal the cut of the mosaic.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geometry/crs.h"
#include "geometry/polygon.h"

namespace tilewright::geometry {

/// A window of a conceptually endless raster.
struct RasterFrame {
  Affine affine;  ///< of the whole raster (for a lattice: lattice_affine)
  Window window;  ///< what the buffer covers, in pixels of `affine`
};

/// Row-major buffer of frame.window. T = uint8_t (classes) or uint32_t (object ids).
template <class T>
struct MaskBuffer {
  RasterFrame frame;
  std::span<T> pixels;  ///< width * height
};

/// Sets every pixel whose centre lies inside to `value`; returns how many pixels were set.
std::int64_t fill_polygons(MaskBuffer<std::uint8_t> mask, const MapMultiPolygon& polygons,
                           std::uint8_t value);
std::int64_t fill_polygons(MaskBuffer<std::uint32_t> mask, const MapMultiPolygon& polygons,
                           std::uint32_t value);

/// A line with a width in metres on the ground: joins round, ends round or flat.
struct WideLine {
  MapLine line;            ///< in the CRS of the frame
  double half_width_m = 0;
  bool round_start = false, round_end = false;
  GroundScale scale;       ///< at the middle of the line
  std::vector<double> half_widths_m{};  ///< at each vertex, linear between them; empty: half_width_m everywhere
};
/// Pixel centres within the half width of the line (<=), taken at the centre's nearest place of each
/// segment; flat ends cut at the end's normal.
std::int64_t fill_line(MaskBuffer<std::uint8_t> mask, const WideLine& line, std::uint8_t value);
std::int64_t fill_line(MaskBuffer<std::uint32_t> mask, const WideLine& line, std::uint32_t value);
Box bounds(const WideLine& line);  ///< in map units, with its width

}  // namespace tilewright::geometry
