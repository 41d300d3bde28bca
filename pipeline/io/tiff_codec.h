// SPDX-License-Identifier: Apache-2.0
// Unpacks one block of a TIFF: DEFLATE, ZSTD and LZW, predictors 1 to 3.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "pipeline/io/tiff_layout.h"

namespace tilewright::pipeline {

/// Decoders with their state; not shared between threads.
class TiffCodec {
 public:
  TiffCodec();
  ~TiffCodec();
  TiffCodec(const TiffCodec&) = delete;
  TiffCodec& operator=(const TiffCodec&) = delete;

  static bool knows(const TiffLayout& layout);
  /// Fills all of `block` with the pixels of `packed`, in the machine's byte order; false if the packed
  /// bytes are damaged, or hold more or less than the block.
  [[nodiscard]] bool unpack(const TiffLayout& layout, std::span<const std::byte> packed, std::span<std::byte> block);
  /// The same before any predictor is undone, in the file's byte order.
  [[nodiscard]] bool decompress(const TiffLayout& layout, std::span<const std::byte> packed, std::span<std::byte> block);
  /// Does `unpack` turn differences to the pixel on the left into values?
  static bool sums_differences(const TiffLayout& layout);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// TIFF's LZW (codes from the high bit on); false as above. Old files with the other bit order are refused.
bool unpack_lzw(std::span<const std::byte> packed, std::span<std::byte> block);

}  // namespace tilewright::pipeline
