// SPDX-License-Identifier: Apache-2.0
// What the first directory says of where pixels are.
#include "pipeline/io/tiff_layout.h"

#include <algorithm>
#include <limits>

#include "pipeline/io/tiff_directory.h"

namespace tilewright::pipeline {
namespace {

constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 24, kMostSamples = 65535,
                        kMostSide = TiffDirectory::kMostSide;

bool is_usual(TiffDirectory& d) {
  const auto photometric = d.number(kPhotometric, 1), format = d.same_number(kSampleFormat, 1),
             bits = d.same_number(kBits, 1);
  return photometric >= 1 && photometric <= 3 && format >= 1 && format <= 3 &&
         (bits == 8 || bits == 16 || bits == 32 || bits == 64) && !(format == 3 && bits < 32) &&
         d.number(kFillOrder, 1) == 1 && d.number(kOrientation, 1) == 1;
}

bool set_blocks(TiffDirectory& d, TiffLayout& out) {
  out.is_tiled = d.has(kTileOffsets);
  if (out.is_tiled == d.has(kStripOffsets)) return false;
  const auto width = out.is_tiled ? d.number(kTileWidth, 0) : static_cast<std::uint64_t>(out.width);
  const auto rows = out.is_tiled ? d.number(kTileHeight, 0)
                                 : std::min(d.number(kRowsPerStrip, 0xffffffff),
                                            static_cast<std::uint64_t>(out.height));
  if (width < 1 || rows < 1 || width > kMostSide || rows > kMostSide) return false;
  out.block_width = static_cast<std::int64_t>(width);
  out.block_height = static_cast<std::int64_t>(rows);
  out.offsets = d.numbers(out.is_tiled ? kTileOffsets : kStripOffsets, kMostBlocks);
  out.counts = d.numbers(out.is_tiled ? kTileBytes : kStripBytes, kMostBlocks);
  const auto blocks = static_cast<std::uint64_t>(out.across()) *
                      static_cast<std::uint64_t>(out.down()) *
                      static_cast<std::uint64_t>(out.is_planar ? out.samples : 1);
  return out.offsets.size() == blocks && out.counts.size() == blocks;
}

}  // namespace

std::size_t TiffLayout::block_bytes(std::int64_t block_row) const {
  const auto rows =
      is_tiled ? block_height : std::min(block_height, height - block_row * block_height);
  return static_cast<std::size_t>(block_width) * static_cast<std::size_t>(rows) *
         static_cast<std::size_t>(samples_a_block() * sample_bytes);
}

std::optional<TiffLayout> read_tiff_layout(const FileBytes& file) {
  // The tables of blocks may be as long as the file.
  HeaderBytes bytes(file, {.reads = 64, .bytes = std::numeric_limits<std::uint64_t>::max()});
  TiffDirectory d(bytes);
  if (!d.read() || !is_usual(d)) return std::nullopt;
  TiffLayout out;
  const auto width = d.number(kWidth, 0), height = d.number(kHeight, 0),
             samples = d.number(kSamples, 1), planar = d.number(kPlanar, 1);
  if (width < 1 || height < 1 || width > kMostSide || height > kMostSide || samples < 1 ||
      samples > kMostSamples || planar < 1 || planar > 2)
    return std::nullopt;
  out.width = static_cast<std::int64_t>(width);
  out.height = static_cast<std::int64_t>(height);
  out.samples = static_cast<int>(samples);
  out.sample_bytes = static_cast<int>(d.same_number(kBits, 8) / 8);
  out.is_planar = planar == 2;
  out.is_swapped = d.is_swapped();
  out.compression = static_cast<int>(d.number(kCompression, 1));
  out.predictor = static_cast<int>(d.number(kPredictor, 1));
  if (!set_blocks(d, out) || d.unusual()) return std::nullopt;
  return out;
}

}  // namespace tilewright::pipeline
