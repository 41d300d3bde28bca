// SPDX-License-Identifier: Apache-2.0
// Blocks under a window: read, unpacked, and their samples put in place.
#include "pipeline/io/tiff_blocks.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tilewright::pipeline {
namespace {

using geometry::Window;

bool fits(const TiffLayout& layout, const RasterInfo& info) {
  if (layout.width != info.width || layout.height != info.height || static_cast<std::size_t>(layout.samples) != info.bands.size()) return false;
  return std::all_of(info.bands.begin(), info.bands.end(),
                     [&](const auto& band) { return shard::byte_size(band.dtype) == static_cast<std::size_t>(layout.sample_bytes); });
}

/// Every `stride`-th value of a row.
template <class T>
void copy_values(const std::byte* from, std::size_t stride, std::int64_t count, std::byte* to) {
  const T* source = reinterpret_cast<const T*>(from);
  T* target = reinterpret_cast<T*>(to);
  for (std::int64_t k = 0; k < count; ++k) target[k] = source[static_cast<std::size_t>(k) * stride];
}

typedef std::uint16_t Eight __attribute__((vector_size(16)));

/// `Low` of 0: a0 b0 a1 b1 a2 b2 a3 b3; of 4: the upper halves.
template <int Low>
Eight interleaved(Eight a, Eight b) {
  return __builtin_shufflevector(a, b, Low, Low + 8, Low + 1, Low + 9, Low + 2, Low + 10, Low + 3, Low + 11);
}

/// Differences of two pixels of four samples become values; `left`: the pixel before them, twice, and then the second of these.
Eight summed(Eight differences, Eight& left) {
  const Eight values = differences + __builtin_shufflevector(Eight{}, differences, 0, 1, 2, 3, 8, 9, 10, 11) + left;
  left = __builtin_shufflevector(values, values, 4, 5, 6, 7, 4, 5, 6, 7);
  return values;
}

/// Four samples of 16 bits a pixel, eight pixels together; returns the pixels done. `last`: the last pixel done, from zero on.
template <bool AreDifferences>
std::int64_t split_fours(const std::uint16_t* from, std::int64_t count, std::uint16_t* const (&planes)[4], std::uint16_t (&last)[4]) {
  Eight left{};
  std::int64_t k = 0;
  for (; k + 8 <= count; k += 8, from += 32) {
    Eight pixels[4];  // two pixels each
    std::memcpy(pixels, from, sizeof pixels);
    if constexpr (AreDifferences)
      for (Eight& two : pixels) two = summed(two, left);
    // Twice interleaved, samples of one kind stand together: a0 a1 a2 a3 b0 b1 b2 b3.
    const Eight even = interleaved<0>(pixels[0], pixels[1]), odd = interleaved<4>(pixels[0], pixels[1]);
    const Eight even2 = interleaved<0>(pixels[2], pixels[3]), odd2 = interleaved<4>(pixels[2], pixels[3]);
    const Eight ab = interleaved<0>(even, odd), cd = interleaved<4>(even, odd), ab2 = interleaved<0>(even2, odd2), cd2 = interleaved<4>(even2, odd2);
    const Eight split[4] = {__builtin_shufflevector(ab, ab2, 0, 1, 2, 3, 8, 9, 10, 11), __builtin_shufflevector(ab, ab2, 4, 5, 6, 7, 12, 13, 14, 15),
                            __builtin_shufflevector(cd, cd2, 0, 1, 2, 3, 8, 9, 10, 11), __builtin_shufflevector(cd, cd2, 4, 5, 6, 7, 12, 13, 14, 15)};
    for (std::size_t c = 0; c < 4; ++c) std::memcpy(planes[c] + k, &split[c], sizeof split[c]);
  }
  std::memcpy(last, &left, sizeof last);
  return k;
}

/// A row of pixels with `Samples` samples each, to one plane a sample.
template <class T, std::size_t Samples, bool AreDifferences>
void split_row(const std::byte* from, std::int64_t count, std::byte* to, std::size_t plane_bytes) {
  const T* __restrict source = reinterpret_cast<const T*>(from);
  const auto plane = [&](std::size_t c) { return reinterpret_cast<T*>(to + c * plane_bytes); };
  T *__restrict a = plane(0), *__restrict b = plane(1), *__restrict c = plane(2), *__restrict d = plane(Samples - 1);
  T last[4] = {};
  std::int64_t k = 0;
  if constexpr (sizeof(T) == 2 && Samples == 4) k = split_fours<AreDifferences>(source, count, {a, b, c, d}, last);
  source += k * static_cast<std::int64_t>(Samples);
  for (; k < count; ++k, source += Samples) {
    for (std::size_t s = 0; s < Samples; ++s) last[s] = static_cast<T>(AreDifferences ? last[s] + source[s] : source[s]);
    a[k] = last[0], b[k] = last[1], c[k] = last[2];
    if constexpr (Samples == 4) d[k] = last[3];
  }
}

}  // namespace

std::shared_ptr<TiffBlocks> TiffBlocks::open(const std::filesystem::path& file, const RasterInfo& info, const OpenPolicy& policy) {
  auto bytes = FileBytes::open(file);
  if (!bytes) return nullptr;
  auto layout = read_tiff_layout(*bytes);
  if (!layout || !TiffCodec::knows(*layout) || !fits(*layout, info) || layout->block_bytes(0) > policy.block_budget_bytes) return nullptr;
  return std::make_shared<TiffBlocks>(std::move(*bytes), std::move(*layout));
}

bool TiffBlocks::read_block(std::size_t block, std::int64_t block_row, bool leaves_differences) {
  const auto offset = layout_.offsets[block], count = layout_.counts[block];
  const std::size_t size = layout_.block_bytes(block_row);
  if (offset == 0 || count == 0 || count > size + size / 2 + 65536) return false;
  block_.resize(size);
  if (layout_.compression == 1 && !layout_.is_swapped) return count == size && file_.read(offset, block_);
  packed_.resize(count);
  if (!file_.read(offset, packed_)) return false;
  return leaves_differences ? codec_.decompress(layout_, packed_, block_) : codec_.unpack(layout_, packed_, block_);
}

void TiffBlocks::copy_sample(int sample, const Window& block, const Window& part, const Window& window, std::byte* plane) const {
  const auto bytes = static_cast<std::size_t>(layout_.sample_bytes), stride = static_cast<std::size_t>(layout_.samples_a_block());
  for (std::int64_t row = part.row; row < part.row + part.height; ++row) {
    const auto value = static_cast<std::size_t>((row - block.row) * block.width + part.col - block.col) * stride + static_cast<std::size_t>(layout_.is_planar ? 0 : sample);
    const std::byte* from = block_.data() + value * bytes;
    std::byte* to = plane + static_cast<std::size_t>((row - window.row) * window.width + part.col - window.col) * bytes;
    if (stride == 1) std::memcpy(to, from, static_cast<std::size_t>(part.width) * bytes);
    else if (bytes == 1) copy_values<std::uint8_t>(from, stride, part.width, to);
    else if (bytes == 2) copy_values<std::uint16_t>(from, stride, part.width, to);
    else if (bytes == 4) copy_values<std::uint32_t>(from, stride, part.width, to);
    else copy_values<std::uint64_t>(from, stride, part.width, to);
  }
}

/// For the usual pixels, if all of their samples are asked for in order; else none.
TiffBlocks::Split TiffBlocks::split_of(const TiffLayout& layout, std::span<const int> bands) {
  const auto samples = static_cast<std::size_t>(layout.samples);
  if (layout.is_planar || bands.size() != samples || layout.sample_bytes > 2 || samples < 3 || samples > 4) return {};
  for (std::size_t b = 0; b < samples; ++b)
    if (bands[b] != static_cast<int>(b)) return {};
  const auto split = [&]<class T>(T) {
    return samples == 3 ? Split{split_row<T, 3, false>, split_row<T, 3, true>} : Split{split_row<T, 4, false>, split_row<T, 4, true>};
  };
  Split found = layout.sample_bytes == 1 ? split(std::uint8_t{}) : split(std::uint16_t{});
  if (!TiffCodec::sums_differences(layout) || layout.is_swapped) found.differences = nullptr;
  return found;
}

void TiffBlocks::split_samples(SplitRow split, const Window& block, const Window& part, const Window& window, std::byte* planes, std::size_t plane_bytes) const {
  const auto bytes = static_cast<std::size_t>(layout_.sample_bytes), pixel_bytes = bytes * static_cast<std::size_t>(layout_.samples);
  for (std::int64_t row = part.row; row < part.row + part.height; ++row) {
    const auto from = static_cast<std::size_t>((row - block.row) * block.width + part.col - block.col) * pixel_bytes;
    const auto to = static_cast<std::size_t>((row - window.row) * window.width + part.col - window.col) * bytes;
    split(block_.data() + from, part.width, planes + to, plane_bytes);
  }
}

bool TiffBlocks::read(std::span<const int> bands, const Window& window, std::span<std::byte> out) {
  const auto bw = layout_.block_width, bh = layout_.block_height;
  const bool is_whole = window.row % bh == 0 && ((window.row + window.height) % bh == 0 || window.row + window.height == layout_.height);
  if (!is_whole) return false;
  const auto plane_bytes = static_cast<std::size_t>(window.width * window.height) * static_cast<std::size_t>(layout_.sample_bytes);
  const auto plane_blocks = static_cast<std::size_t>(layout_.across() * layout_.down());
  const Split split = split_of(layout_, bands);
  for (std::int64_t r = window.row / bh; r * bh < window.row + window.height; ++r) {
    for (std::int64_t c = window.col / bw; c * bw < window.col + window.width; ++c) {
      const Window block{c * bw, r * bh, bw, bh}, part = geometry::intersection(block, window);
      const auto index = static_cast<std::size_t>(r * layout_.across() + c);
      const bool sums = split.differences && part.col == block.col;  // in the same pass
      if (!layout_.is_planar && !read_block(index, r, sums)) return false;
      if (split.values) split_samples(sums ? split.differences : split.values, block, part, window, out.data(), plane_bytes);
      for (std::size_t b = 0; !split.values && b < bands.size(); ++b) {
        if (layout_.is_planar && !read_block(static_cast<std::size_t>(bands[b]) * plane_blocks + index, r)) return false;
        copy_sample(bands[b], block, part, window, out.data() + b * plane_bytes);
      }
    }
  }
  return true;
}

}  // namespace tilewright::pipeline
