// SPDX-License-Identifier: Apache-2.0
// One raster file: what it says of itself, and windows of its pixels in the source's type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/shard/npy.h"
#include "pipeline/io/open_policy.h"

namespace tilewright::pipeline {

struct RasterBand {
  std::string description;               ///< "" if none
  shard::DType dtype = shard::DType::u8;
  std::optional<double> nodata;          ///< declared
  bool is_alpha = false;
  bool has_mask_file = false;            ///< .msk side-car or internal per-dataset mask
  std::map<std::string, std::string> metadata;  ///< wavelength, fwhm, bbl, scale, offset ...
  double scale = 1, offset = 0;
};

struct RasterInfo {
  std::int64_t width = 0, height = 0;
  geometry::Affine affine;
  geometry::Crs crs;                     ///< unknown if the file has none
  bool has_georeference = false;
  std::int64_t block_width = 0, block_height = 0;
  std::vector<RasterBand> bands;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> side_cars;    ///< files read beside it
};

class TiffBlocks;

/// Not shared between threads. Plain GeoTIFFs are opened with GDAL when pixels are asked for.
class Raster {
 public:
  /// Throws index::ItemError, as does everything that reads.
  static Raster open(const std::filesystem::path& file, const OpenPolicy& policy);
  /// The same, every header read by GDAL: to compare.
  static Raster open_with_gdal(const std::filesystem::path& file, const OpenPolicy& policy);
  [[nodiscard]] const RasterInfo& info() const { return info_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  /// Band (0-based) pixels of a window inside the raster, in the band's type, row-major.
  void read(int band, const geometry::Window& window, std::span<std::byte> out) const;
  /// Several bands of equal type at once, (C, H, W): blocks that hold all bands are decoded once.
  void read(std::span<const int> bands, const geometry::Window& window, std::span<std::byte> out) const;
  /// Mask of the file (alpha band, .msk, internal mask): 0 = invalid. All 255 if there is none.
  void read_mask(const geometry::Window& window, std::span<std::uint8_t> out) const;
  /// True if the file lacks blocks (a killed writer, a sparse file).
  [[nodiscard]] bool is_sparse() const;
  /// Sets pixels of blocks that the file lacks to 0 in `valid` (H, W) of `window`.
  void clear_missing_blocks(const geometry::Window& window, std::span<std::uint8_t> valid) const;
  [[nodiscard]] bool has_mask() const;  ///< alpha, internal mask or .msk

 private:
  Raster(std::filesystem::path file, OpenPolicy policy) : file_(std::move(file)), policy_(std::move(policy)) {}
  GDALDataset& dataset() const;
  void open_blocks() const;  ///< once the dataset is open
  void add_mask_side_car();
  std::filesystem::path file_;
  OpenPolicy policy_;
  mutable DatasetHandle dataset_;           ///< null: not opened yet
  std::optional<bool> is_sparse_;           ///< as the header tells
  DatasetHandle mask_side_car_;
  RasterInfo info_;
  mutable std::shared_ptr<TiffBlocks> blocks_;   ///< the fast way to whole rows of blocks; null: GDAL alone
};

}  // namespace tilewright::pipeline
