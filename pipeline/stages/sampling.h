// SPDX-License-Identifier: Apache-2.0
// From cells of the grid to pixels of a source: what is copied, and where the rest is sampled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/bitmask.h"
#include "geometry/crs.h"
#include "geometry/grid.h"
#include "geometry/resample.h"
#include "geometry/sparse_transform.h"
#include "index/manifest.h"
#include "index/rows.h"
#include "index/tile_grids.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {

/// Lattice of a location as `views` froze it in meta; without that, through the location's corner.
geometry::Lattice lattice_of(const index::Manifest& manifest, const index::LocationRow& location);
geometry::Lattice lattice_of(const index::LocationRow& location);

/// Key and value of the frozen origin: `lattice_origin/<epsg>/<resolution>`.
std::optional<geometry::MapXY> frozen_origin(const index::Manifest& manifest, int epsg, double resolution_m);
void freeze_origin(index::Manifest& manifest, const geometry::Lattice& lattice);

/// Pixel grid of a source, without its pixels.
struct SourceGrid {
  geometry::Affine affine;
  std::int64_t width = 0, height = 0;
  geometry::Crs crs;
};
SourceGrid grid_of(const TileReader& tile);
/// `known`: systems by WKT, filled as they come.
SourceGrid grid_of(const index::TileGridRow& row, std::map<std::string, geometry::Crs>& known);

/// Lattice cell (i to the east, j to the north) of a source's upper-left pixel if its pixels are
/// cells: equal EPSG and all four corners of the source within 0.01 px of lattice corners.
struct LatticeCell {
  std::int64_t i = 0, j = 0;
};
std::optional<LatticeCell> cell_if_copied(const geometry::Lattice& lattice, const SourceGrid& source);

/// Source pixel coordinates that the kernel needs for the pixels of `window` of the grid: centres, or
/// corners for average (geometry::Taps). NaN where a point cannot be mapped.
std::vector<geometry::PixelXY> sample_places(const geometry::SparseTransform& source_from_grid, const geometry::Window& window,
                                             geometry::Resampling kernel);
/// Into a buffer that is used again.
void sample_places(const geometry::SparseTransform& source_from_grid, const geometry::Window& window, geometry::Resampling kernel,
                   std::vector<geometry::PixelXY>& out);
/// Pixels of a source of this size under the kernel at `places`; empty if none is.
geometry::Window needed_pixels(std::span<const geometry::PixelXY> places, geometry::Resampling kernel, std::int64_t width, std::int64_t height);
/// The same for the pixels of `window` of the grid, from few places: not larger by more than their slack.
geometry::Window needed_pixels(const geometry::SparseTransform& source_from_grid, const geometry::Window& window, geometry::Resampling kernel,
                               std::int64_t width, std::int64_t height);
/// From the pixels of a grid to those of a source.
geometry::SparseTransform source_from_grid(const geometry::Affine& grid, const geometry::Crs& crs, const SourceGrid& source);

/// Validity and clouds of a source on the lattice.
struct LatticeMasks {
  std::int64_t i = 0, j = 0;                ///< cell of bit (0, 0)
  geometry::Bitmask valid;                  ///< every pixel that the kernel touches is valid
  std::optional<geometry::Bitmask> cloud;   ///< of the nearest pixel
  bool copied = true;
};
/// Throws index::ItemError if the tile cannot be mapped to the zone.
LatticeMasks masks_on_lattice(const SourceGrid& tile, const index::TileMasks& masks, const geometry::Lattice& lattice,
                              geometry::Resampling kernel);

}  // namespace tilewright::pipeline
