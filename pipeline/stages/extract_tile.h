// SPDX-License-Identifier: Apache-2.0
// Cuts all windows of one tile while each of its blocks is read once.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "geometry/grid.h"
#include "geometry/resample.h"
#include "pipeline/io/tile_reader.h"
#include "pipeline/stages/extract_channels.h"
#include "pipeline/stages/source_strips.h"

namespace tilewright::pipeline {

/// One view to be cut: a window of the grid and, where it is copied, its place in the tile.
struct WindowToCut {
  std::string name;                          ///< "<location_id>/<tile_id>", for messages
  int epsg = 0;                              ///< of `grid`
  geometry::Affine grid;                     ///< of the whole grid, so that pixels do not depend on the window
  geometry::Window cells;                    ///< the window in pixels of `grid`
  std::optional<geometry::Window> copy_of;   ///< source pixels; nullopt = resample
  std::string ground_tile;                   ///< of the channel above_<source>; "" = none
  std::optional<geometry::Window> ground_copy_of;  ///< as copy_of, in that tile
  std::size_t shard = 0, member = 0;         ///< where the caller puts it
};

/// With a derivation the pixels are its channels (float32), and what lies around a window counts where it is
/// valid; `ground` gives the other source's heights of a window.
struct CutSettings {
  geometry::Resampling kernel = geometry::Resampling::bilinear;
  std::size_t memory_bytes = std::size_t{256} << 20;
  Derivation derivation;
  std::function<std::vector<double>(const WindowToCut&)> ground;
};

/// Walks the tile block row by block row, in column strips if `memory_bytes` is too small for its
/// whole width, and calls `deliver` with the pixels (C, H, W) of each window as soon as its rows are
/// there. The pixels depend on the tile and the window only. `deliver` is called from one thread.
/// `buffers` are used and left larger for the next tile of the same thread.
/// Throws Error::failed that names the view if a pixel is not valid: the plan promised that all are.
void cut_windows(const TileReader& tile, std::span<const WindowToCut> windows, const CutSettings& settings, StripBuffers& buffers,
                 const std::function<void(const WindowToCut&, std::span<const std::byte>)>& deliver);

}  // namespace tilewright::pipeline
