// SPDX-License-Identifier: Apache-2.0
// The fast way to pixels of plain GeoTIFFs: from the file to the destination without GDAL's cache.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "geometry/grid.h"
#include "pipeline/io/open_policy.h"
#include "pipeline/io/pixel_bytes.h"
#include "pipeline/io/raster.h"
#include "pipeline/io/tiff_codec.h"
#include "pipeline/io/tiff_layout.h"

namespace tilewright::pipeline {

/// Not shared between threads; buffers are used again.
class TiffBlocks {
 public:
  TiffBlocks(FileBytes file, TiffLayout layout) : file_(std::move(file)), layout_(std::move(layout)) {}
  /// Null where the file is not plain, or differs from what GDAL says of it in `info`.
  static std::shared_ptr<TiffBlocks> open(const std::filesystem::path& file, const RasterInfo& info, const OpenPolicy& policy);

  /// Bands (0-based) of a window of whole rows of blocks, (C, H, W), each block decoded once. False,
  /// with `out` partly written, where rows are not whole or a block is missing or damaged: GDAL then
  /// reads the window, from its cache, or says what is wrong.
  [[nodiscard]] bool read(std::span<const int> bands, const geometry::Window& window, std::span<std::byte> out);
  [[nodiscard]] const TiffLayout& layout() const { return layout_; }

 private:
  /// A row of pixels, their count, the first plane, bytes of a plane.
  using SplitRow = void (*)(const std::byte*, std::int64_t, std::byte*, std::size_t);
  /// The same for pixels as they are, and for rows of differences to the pixel on the left from the block's edge on.
  struct Split {
    SplitRow values = nullptr, differences = nullptr;
  };
  [[nodiscard]] static Split split_of(const TiffLayout& layout, std::span<const int> bands);
  void split_samples(SplitRow split, const geometry::Window& block, const geometry::Window& part, const geometry::Window& window, std::byte* planes,
                     std::size_t plane_bytes) const;
  [[nodiscard]] bool read_block(std::size_t block, std::int64_t block_row, bool leaves_differences = false);
  void copy_sample(int sample, const geometry::Window& block, const geometry::Window& part, const geometry::Window& window, std::byte* plane) const;

  FileBytes file_;
  TiffLayout layout_;
  TiffCodec codec_;
  PixelBytes packed_, block_;
};

}  // namespace tilewright::pipeline
