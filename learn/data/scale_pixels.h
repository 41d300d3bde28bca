// SPDX-License-Identifier: Apache-2.0
// Rows of pixels from the type they are stored in to network input, in one pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "index/shard/npy.h"
#include "learn/data/normalize.h"

namespace tilewright::learn {

/// out[i] = scaling(float(source[i])) for `count` values of type `dtype`; NaN, infinity and what
/// does not fit into float32 become `missing`. Returns true if there was none of them.
/// `source` need not be aligned and does not overlap `out`. Same bits on every processor.
bool scale_pixels(shard::DType dtype, const std::byte* source, std::size_t count,
                  const BandScaling& scaling, float missing, float* out);

/// The same in place.
bool scale_in_place(std::span<float> values, const BandScaling& scaling, float missing);

/// out[i] = table[source[i]], where `table` has 256 entries.
void map_classes(std::span<const std::byte> source, std::span<const std::uint8_t> table,
                 std::uint8_t* out);

/// One variant of these for a kind of processor.
struct PixelKernels {
  bool (*scale)(shard::DType, const std::byte*, std::size_t, const BandScaling&, float, float*);
  bool (*scale_in_place)(float*, std::size_t, const BandScaling&, float);
  /// Values below `known` stay, the others become `other`.
  void (*keep_below)(const std::uint8_t*, std::size_t, std::uint8_t known, std::uint8_t other,
                     std::uint8_t*);
};
extern const PixelKernels kScalarPixels;
#if defined(__x86_64__)
extern const PixelKernels kAvx2Pixels, kAvx512Pixels;  ///< only where the processor has them
#endif

}  // namespace tilewright::learn
