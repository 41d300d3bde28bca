// SPDX-License-Identifier: Apache-2.0
// The first directory of a plain TIFF or BigTIFF, read in a few bounded reads: GDAL needs a hundred
// times as long. Whatever is unusual is left to GDAL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/grid.h"
#include "index/shard/npy.h"

namespace tilewright::pipeline {

/// Bytes of a file by place: one read of its beginning, a few more where a directory lies elsewhere.
class HeaderBytes {
 public:
  /// nullopt if the file cannot be opened or is no regular file.
  static std::optional<HeaderBytes> open(const std::filesystem::path& file);
  /// Of bytes in memory, for tests.
  explicit HeaderBytes(std::span<const std::byte> all);
  HeaderBytes(HeaderBytes&& other) noexcept;
  ~HeaderBytes();
  [[nodiscard]] std::uint64_t file_size() const { return size_; }
  /// [at, at + length); empty beyond the file, and once more than 16 reads or 1 MiB were needed.
  std::span<const std::byte> bytes(std::uint64_t at, std::uint64_t length);

 private:
  HeaderBytes() = default;
  struct Part {
    std::uint64_t at = 0;
    std::vector<std::byte> bytes;
  };
  int descriptor_ = -1;
  std::uint64_t size_ = 0, taken_ = 0;
  std::vector<Part> parts_;
};

struct TiffText {
  std::uint16_t tag = 0;
  std::string text;
};

/// What RasterInfo needs of the first directory. Masks, alpha bands, palettes that stand for colours
/// of three bands, odd types and anything else that GDAL turns into something else are not here.
struct TiffHeader {
  std::int64_t width = 0, height = 0, block_width = 0, block_height = 0;
  int bands = 1;
  shard::DType dtype = shard::DType::u8;
  bool is_interleaved = true;             ///< the bands of a pixel lie side by side
  std::optional<double> nodata;
  std::optional<geometry::Affine> affine; ///< of the upper-left corner, as pixel-is-point is resolved
  std::string geo_keys;                   ///< bytes of the three key tags in the file's order, "" if none
  std::optional<bool> is_point;           ///< nullopt: the keys say nothing
  std::vector<TiffText> texts;            ///< document name, software, date ...
  std::string gdal_metadata;              ///< XML
  std::optional<bool> is_sparse;          ///< some block has no bytes; nullopt: the list is too long
};

/// nullopt: not a plain TIFF, ask GDAL. Never reads more than HeaderBytes allows, never throws for
/// what the bytes say.
std::optional<TiffHeader> read_tiff_header(HeaderBytes& file);

}  // namespace tilewright::pipeline
