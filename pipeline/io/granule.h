// SPDX-License-Identifier: Apache-2.0
// The files that show one piece of ground at one time: their bands on one pixel grid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/io/pixel_bytes.h"
#include "pipeline/io/tile_bands.h"

namespace tilewright::pipeline {

/// Not shared between threads. The pixel grid is that of the first band.
class Granule {
 public:
  /// As TileReader's.
  Granule(const Job& job, const std::string& source, std::vector<TileFile> files,
          const std::vector<std::string>& left_out, const std::vector<std::string>& names);

  [[nodiscard]] const RasterInfo& info() const {
    return rasters_[grid_].info();
  }  ///< of the raster whose pixels are the tile's
  [[nodiscard]] const TileBands& bands() const { return bands_; }
  [[nodiscard]] const std::vector<TileFile>& files() const { return files_; }
  [[nodiscard]] const std::vector<Raster>& rasters() const { return rasters_; }  ///< one a file
  [[nodiscard]] const std::optional<ProductMetadata>& product() const { return product_; }
  /// For messages.
  [[nodiscard]] std::string name() const { return rasters_[grid_].file().filename().string(); }

  /// Pixels (C, H, W) of all required bands; `valid` (H, W): 0 where a mask, a missing block or the
  /// edge of a band's own raster hides the pixel. Nodata values are not looked at.
  void read(const geometry::Window& window, PixelBytes& data,
            std::vector<std::uint8_t>& valid) const;
  /// (H, W): 1 where quality data rejects the pixel.
  [[nodiscard]] std::vector<std::uint8_t> clouds(const geometry::Window& window) const;

 private:
  void check_sparse(SparseRule rule);
  std::size_t read_together(std::size_t first, const geometry::Window& window,
                            std::span<std::byte> data, std::size_t plane_bytes) const;
  void apply_masks(const geometry::Window& window, std::vector<std::uint8_t>& valid) const;

  std::vector<TileFile> files_;
  std::vector<Raster> rasters_;
  std::optional<ProductMetadata> product_;
  TileBands bands_;
  std::size_t grid_ = 0;
  std::vector<bool> is_sparse_;  ///< by raster
};

}  // namespace tilewright::pipeline
