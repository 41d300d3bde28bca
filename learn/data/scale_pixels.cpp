// SPDX-License-Identifier: Apache-2.0
// The loops for every processor, and the choice between them.
#include "learn/data/scale_pixels.h"

#include "geometry/isa.h"
#include "learn/data/pixel_loops.h"

namespace tilewright::learn {
namespace {

const PixelKernels& kernels() {
#if defined(__x86_64__)
  const auto isa = geometry::isa_of_this_run();
  if (isa == geometry::Isa::avx512) return kAvx512Pixels;
  if (isa == geometry::Isa::avx2) return kAvx2Pixels;
#endif
  return kScalarPixels;
}

}  // namespace

const PixelKernels kScalarPixels = {scale_any, scale_floats, keep_bytes_below};

bool scale_pixels(shard::DType dtype, const std::byte* source, std::size_t count,
                  const BandScaling& scaling, float missing, float* out) {
  return kernels().scale(dtype, source, count, scaling, missing, out);
}

bool scale_in_place(std::span<float> values, const BandScaling& scaling, float missing) {
  return kernels().scale_in_place(values.data(), values.size(), scaling, missing);
}

void map_classes(std::span<const std::byte> source, std::span<const std::uint8_t> table,
                 std::uint8_t* out) {
  // Nearly all datasets number their classes as their masks do, and ignore the rest.
  std::size_t known = 0;
  while (known < 255 && table[known] == known) ++known;
  std::size_t same = known;
  while (same < 256 && table[same] == 255) ++same;
  if (same == 256)
    return kernels().keep_below(reinterpret_cast<const std::uint8_t*>(source.data()),
                                source.size(), static_cast<std::uint8_t>(known), 255, out);
  for (std::size_t i = 0; i < source.size(); ++i)
    out[i] = table[std::to_integer<std::size_t>(source[i])];
}

}  // namespace tilewright::learn
