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

namespace tilewright::pipeline {

/// One view to be cut: a window of the grid and, where it is copied, its place in the tile.
struct WindowToCut {
  std::string name;                          ///< "<location_id>/<tile_id>", for messages
  int epsg = 0;                              ///< of `affine`
  geometry::Affine affine;                   ///< of the window on the grid
  std::int64_t width = 0, height = 0;        ///< of the window, grid pixels
  std::optional<geometry::Window> copy_of;   ///< source pixels; nullopt = resample
  std::size_t shard = 0, member = 0;         ///< where the caller puts it
};

/// Walks the tile block row by block row, in column strips if `memory_bytes` is too small for its
/// whole width, and calls `deliver` with the pixels (C, H, W) of each window as soon as its rows are
/// there. The pixels depend on the tile and the window only. `deliver` is called from one thread.
/// Throws Error::failed that names the view if a pixel is not valid: the plan promised that all are.
void cut_windows(const TileReader& tile, std::span<const WindowToCut> windows, geometry::Resampling kernel,
                 std::size_t memory_bytes,
                 const std::function<void(const WindowToCut&, std::span<const std::byte>)>& deliver);

}  // namespace tilewright::pipeline
