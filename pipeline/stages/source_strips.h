// SPDX-License-Identifier: Apache-2.0
// Rows of a tile in memory, from top to bottom: each block that a window needs is decoded once, buffers are used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "geometry/grid.h"
#include "pipeline/io/tile_reader.h"

namespace tilewright::pipeline {

/// Buffers of strips that are no longer needed: those of one tile serve the next. To be cleared by the system they cost as much as
/// a tenth of the decoding.
using StripBuffers = std::vector<TileReader::Pixels>;

/// Strips of whole block rows of a tile, each as wide as the windows that it serves.
class SourceStrips {
 public:
  /// `served`: all windows that will be gathered, ordered by row; they must outlive the strips, as must `spare`.
  SourceStrips(const TileReader& tile, std::span<const geometry::Window> served, StripBuffers& spare);
  ~SourceStrips();
  SourceStrips(const SourceStrips&) = delete;
  SourceStrips& operator=(const SourceStrips&) = delete;

  /// Rows read at once: a multiple of the tile's block height.
  static std::int64_t rows_a_strip(const TileReader& tile);
  /// Rows that are in memory at most while windows of `tallest` rows are served from top to bottom.
  static std::int64_t rows_in_memory(const TileReader& tile, std::int64_t tallest);

  /// Makes rows [row, row_end) available and forgets what lies above; `row` never decreases.
  void move_to(std::int64_t row, std::int64_t row_end);
  /// All bands of `window`, (C, H, W), and its validity; `out` keeps its buffers.
  void gather(const geometry::Window& window, TileReader::Pixels& out) const;

 private:
  struct Strip {
    geometry::Window window;
    TileReader::Pixels pixels;
  };

  /// What the windows need of rows [row, row_end): ranges of columns that share no block.
  [[nodiscard]] std::vector<geometry::Window> needed(std::int64_t row, std::int64_t row_end) const;

  const TileReader& tile_;
  std::span<const geometry::Window> served_;
  std::int64_t rows_read_ = 0;
  std::deque<Strip> strips_;
  StripBuffers& spare_;
};

}  // namespace tilewright::pipeline
