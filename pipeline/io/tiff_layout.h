// SPDX-License-Identifier: Apache-2.0
// Where the blocks of a plain TIFF lie and how they are packed: what the fast way to pixels needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pipeline/io/header_bytes.h"

namespace tilewright::pipeline {

/// The first image of a TIFF or BigTIFF. Blocks are tiles, or strips as wide as the image.
struct TiffLayout {
  std::int64_t width = 0, height = 0;
  std::int64_t block_width = 0, block_height = 0;
  int samples = 1, sample_bytes = 1;
  int compression = 1, predictor = 1;
  bool is_tiled = false, is_planar = false;      ///< planar: a block holds one sample
  bool is_swapped = false;                       ///< byte order of the other kind
  std::vector<std::uint64_t> offsets, counts;    ///< a block; planar: all of sample 0, then of sample 1, ...

  [[nodiscard]] std::int64_t across() const { return (width + block_width - 1) / block_width; }
  [[nodiscard]] std::int64_t down() const { return (height + block_height - 1) / block_height; }
  [[nodiscard]] int samples_a_block() const { return is_planar ? 1 : samples; }
  /// Decoded bytes of a block in this row of blocks: the last strip ends with the image.
  [[nodiscard]] std::size_t block_bytes(std::int64_t block_row) const;
};

/// nullopt where anything is unusual (bit depth, photometry, orientation, filling, sizes, damage): GDAL
/// then reads the file and says what is wrong with it. Reads nothing beyond the tables.
std::optional<TiffLayout> read_tiff_layout(const FileBytes& file);

}  // namespace tilewright::pipeline
