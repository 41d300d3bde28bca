// SPDX-License-Identifier: Apache-2.0
// The raster that a map of a tile is drawn on, and the windows that the network sees.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "pipeline/stages/sampling.h"

namespace tilewright::pipeline {

/// North-up raster of the map. `is_own_grid`: its pixels are the tile's.
struct PredictFrame {
  geometry::Affine affine;
  geometry::Crs crs;
  std::int64_t width = 0, height = 0;
  bool is_own_grid = true;
};

/// The tile's own pixels where they are square, north-up and of the grid's resolution in a metric
/// CRS; else the part of the lattice that covers the tile. Throws index::ItemError.
PredictFrame predict_frame(const SourceGrid& tile, const geometry::Lattice& lattice);

/// Windows of `size_px` in rows, neighbours overlapping by at least `overlap_px`; the last of a row or
/// column is shifted inside. A frame smaller than a window has one that sticks out.
std::vector<geometry::Window> predict_windows(std::int64_t width, std::int64_t height, int size_px, int overlap_px);

/// Weights of a window's pixels along one axis: a Hann window without its zeros, so that a pixel
/// under one window only still has a weight.
std::vector<float> hann_weights(int size_px);

}  // namespace tilewright::pipeline
