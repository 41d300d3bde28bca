// SPDX-License-Identifier: Apache-2.0
// Which pixels count as nodata: by value, by not being finite, or by a connected border of zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/bitmask.h"
#include "index/shard/npy.h"
#include "pipeline/config/source_config.h"

namespace tilewright::pipeline {

/// The rule of one band, resolved against what the file declares.
struct NodataTest {
  std::optional<double> value;  ///< equal pixels are nodata; NaN needs no value, it never is data
  bool by_border = false;       ///< solid zeros that are connected to the border of the tile
};

/// `declared`: of the file or, where it says nothing, of the data manifest.
NodataTest nodata_test(const NodataConfig& config, const std::string& band, std::optional<double> declared);

/// Sets `valid` to 0 where a pixel is nodata by value or not finite; true if any pixel is data.
/// A value that the type cannot hold matches nothing; one beyond float's range means its limit.
bool clear_nodata(shard::DType dtype, std::span<const std::byte> pixels, const NodataTest& test, std::span<std::uint8_t> valid);

/// A pixel that is nodata by the value of the test; 0 where it has none or the type cannot hold it.
std::vector<std::byte> nodata_pixel(shard::DType dtype, const NodataTest& test);

/// `zero` and 1 where a pixel is zero in this band: for bands with by_border.
void and_zero(shard::DType dtype, std::span<const std::byte> pixels, std::span<std::uint8_t> zero);

/// Pixels of `candidates` that are 4-connected to the border of the mask through candidates.
geometry::Bitmask connected_to_border(const geometry::Bitmask& candidates);

/// The filled border of a SAR scene: zeros that are connected to the border and lie within 5 pixels
/// of a 5 x 5 block of zeros (what lies outside the tile counts as zero). Single zeros of dark water
/// that touches the border are data.
geometry::Bitmask border_nodata(const geometry::Bitmask& zeros);

}  // namespace tilewright::pipeline
