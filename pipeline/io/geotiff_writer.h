// SPDX-License-Identifier: Apache-2.0
// A tiled GeoTIFF that is written from the top to the bottom and published whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "geometry/crs.h"
#include "geometry/grid.h"
#include "index/shard/commit.h"
#include "index/shard/npy.h"

namespace tilewright::pipeline {

struct GeoTiffSpec {
  std::int64_t width = 0, height = 0;
  int bands = 1;
  shard::DType dtype = shard::DType::u8;
  geometry::Affine affine;
  geometry::Crs crs;
  std::optional<double> nodata;
  std::vector<std::string> descriptions;                         ///< of the bands
  std::vector<std::pair<std::string, std::string>> metadata;
  std::map<int, std::uint32_t> colours;                          ///< 0xRRGGBB by pixel value
};

/// The bytes depend on spec and pixels only: blocks are flushed in order, whatever GDAL's cache.
class GeoTiffWriter {
 public:
  static constexpr std::int64_t kBlockRows = 256;
  GeoTiffWriter(const std::filesystem::path& target, GeoTiffSpec spec);
  ~GeoTiffWriter();
  /// The next rows, (bands, rows, width) in the spec's type; rows = kBlockRows but for the last call.
  void write_rows(std::span<const std::byte> pixels, std::int64_t rows);
  /// Closes, opens again, checks size and that no block is missing, publishes.
  shard::Published publish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tilewright::pipeline
