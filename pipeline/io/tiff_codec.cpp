// SPDX-License-Identifier: Apache-2.0
// Decoders of libdeflate and libzstd, LZW, and the predictors undone in place.
#include "pipeline/io/tiff_codec.h"

#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

namespace tilewright::pipeline {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int kNone = 1, kLzw = 5, kDeflate = 8, kOldDeflate = 32946, kZstd = 50000;

template <auto Close>
struct Closer {
  template <class T>
  void operator()(T* p) const noexcept {
    Close(p);
  }
};
using DeflateHandle = std::unique_ptr<libdeflate_decompressor, Closer<libdeflate_free_decompressor>>;
using ZstdHandle = std::unique_ptr<ZSTD_DCtx, Closer<ZSTD_freeDCtx>>;

template <class T>
void swap_bytes(std::span<std::byte> block) {
  for (std::size_t k = 0; k + sizeof(T) <= block.size(); k += sizeof(T)) std::reverse(block.begin() + std::ptrdiff_t(k), block.begin() + std::ptrdiff_t(k + sizeof(T)));
}

/// Differences to the pixel on the left become values; `Stride` samples a pixel stay in registers.
template <class T, std::size_t Stride>
void undo_row(T* row, std::size_t values) {
  std::array<T, Stride> left{};
  for (std::size_t k = 0; k + Stride <= values; k += Stride)
    for (std::size_t c = 0; c < Stride; ++c) row[k + c] = left[c] = static_cast<T>(left[c] + row[k + c]);
}

template <class T>
void undo_row(T* row, std::size_t values, std::size_t stride) {
  switch (stride) {
    case 1: return undo_row<T, 1>(row, values);
    case 2: return undo_row<T, 2>(row, values);
    case 3: return undo_row<T, 3>(row, values);
    case 4: return undo_row<T, 4>(row, values);
    default:
      for (std::size_t k = stride; k < values; ++k) row[k] = static_cast<T>(row[k] + row[k - stride]);
  }
}

/// Row by row.
template <class T>
void undo_differences(std::span<std::byte> block, std::size_t row_values, std::size_t stride) {
  for (std::size_t at = 0; at + row_values * sizeof(T) <= block.size(); at += row_values * sizeof(T))
    undo_row(reinterpret_cast<T*>(block.data() + at), row_values, stride);
}

/// Bytes of floats, high bytes of a row first, each the difference to its left.
void undo_float_bytes(std::span<std::byte> block, std::size_t row_values, std::size_t stride, std::size_t value_bytes, std::vector<std::byte>& row) {
  const std::size_t row_bytes = row_values * value_bytes;
  row.resize(row_bytes);
  for (std::size_t at = 0; at + row_bytes <= block.size(); at += row_bytes) {
    auto* bytes = reinterpret_cast<std::uint8_t*>(block.data() + at);
    for (std::size_t k = stride; k < row_bytes; ++k) bytes[k] = static_cast<std::uint8_t>(bytes[k] + bytes[k - stride]);
    for (std::size_t b = 0; b < value_bytes; ++b)
      for (std::size_t k = 0; k < row_values; ++k) row[k * value_bytes + b] = block[at + (value_bytes - 1 - b) * row_values + k];
    std::memcpy(bytes, row.data(), row_bytes);
  }
}

/// Reads codes of growing width from the high bit on.
class Codes {
 public:
  explicit Codes(std::span<const std::byte> packed) : packed_(packed) {}
  /// -1 at the end.
  int next(int width) {
    while (held_ < width) {
      if (at_ == packed_.size()) return -1;
      bits_ = bits_ << 8 | std::to_integer<std::uint32_t>(packed_[at_++]);
      held_ += 8;
    }
    held_ -= width;
    return static_cast<int>(bits_ >> held_ & ((1U << width) - 1));
  }

 private:
  std::span<const std::byte> packed_;
  std::size_t at_ = 0;
  std::uint32_t bits_ = 0;
  int held_ = 0;
};

}  // namespace

// long because: the table, the code width and the place in the output move together.
bool unpack_lzw(std::span<const std::byte> packed, std::span<std::byte> block) {
  constexpr int kClear = 256, kEnd = 257, kFirst = 258, kMost = 4096;
  if (packed.size() >= 2 && packed[0] == std::byte{0} && (packed[1] & std::byte{1}) != std::byte{0}) return false;
  // A string is where it first stood in the output: its begin, and its length.
  std::array<std::size_t, kMost> begin{};
  std::array<std::size_t, kMost> length{};
  Codes codes(packed);
  std::size_t done = 0, last_begin = 0, last_length = 0;
  int free = kFirst, width = 9;
  while (done < block.size()) {
    const int code = codes.next(width);
    if (code < 0 || code == kEnd) return false;
    if (code == kClear) {
      free = kFirst, width = 9, last_length = 0;
      continue;
    }
    const bool is_new = code == free && last_length > 0;
    if (code >= kFirst && code >= free && !is_new) return false;
    const std::size_t size = code < 256 ? 1 : is_new ? last_length + 1 : length[static_cast<std::size_t>(code)];
    if (size > block.size() - done) return false;
    const std::size_t from = code < 256 ? 0 : is_new ? last_begin : begin[static_cast<std::size_t>(code)];
    if (code < 256) block[done] = static_cast<std::byte>(code);
    else
      for (std::size_t k = 0; k < size; ++k) block[done + k] = block[from + k];  // may overlap: byte by byte
    if (last_length > 0 && free < kMost) {
      begin[static_cast<std::size_t>(free)] = last_begin;
      length[static_cast<std::size_t>(free)] = last_length + 1;
      if (++free >= (1 << width) - 1 && width < 12) ++width;
    }
    last_begin = done;
    last_length = size;
    done += size;
  }
  return true;
}

struct TiffCodec::State {
  DeflateHandle deflate{libdeflate_alloc_decompressor()};
  ZstdHandle zstd{ZSTD_createDCtx()};
  std::vector<std::byte> row;

  bool inflate(int compression, std::span<const std::byte> packed, std::span<std::byte> block) {
    switch (compression) {
      case kNone:
        if (packed.size() != block.size()) return false;
        std::memcpy(block.data(), packed.data(), block.size());
        return true;
      case kLzw: return unpack_lzw(packed, block);
      case kDeflate:
      case kOldDeflate: {
        std::size_t size = 0;
        return deflate && libdeflate_zlib_decompress(deflate.get(), packed.data(), packed.size(), block.data(), block.size(), &size) == LIBDEFLATE_SUCCESS &&
               size == block.size();
      }
      case kZstd: return zstd && ZSTD_decompressDCtx(zstd.get(), block.data(), block.size(), packed.data(), packed.size()) == block.size();
      default: return false;
    }
  }
};

TiffCodec::TiffCodec() : state_(std::make_unique<State>()) {}
TiffCodec::~TiffCodec() = default;

bool TiffCodec::knows(const TiffLayout& layout) {
  const int c = layout.compression;
  const bool is_known = c == kNone || c == kLzw || c == kDeflate || c == kOldDeflate || c == kZstd;
  if (!is_known || layout.predictor < 1 || layout.predictor > 3) return false;
  if (c == kNone) return true;  // a predictor without compression is ignored, as libtiff does
  if (layout.predictor == 2) return layout.sample_bytes <= 4;
  return layout.predictor == 1 || layout.sample_bytes >= 4;
}

bool TiffCodec::sums_differences(const TiffLayout& layout) { return layout.predictor == 2 && layout.compression != kNone; }

bool TiffCodec::decompress(const TiffLayout& layout, std::span<const std::byte> packed, std::span<std::byte> block) {
  return state_->inflate(layout.compression, packed, block);
}

bool TiffCodec::unpack(const TiffLayout& layout, std::span<const std::byte> packed, std::span<std::byte> block) {
  if (!decompress(layout, packed, block)) return false;
  const auto stride = static_cast<std::size_t>(layout.samples_a_block()), row_values = static_cast<std::size_t>(layout.block_width) * stride;
  const bool by_bytes = layout.predictor == 3 && layout.compression != kNone;
  if (by_bytes) {
    undo_float_bytes(block, row_values, stride, static_cast<std::size_t>(layout.sample_bytes), state_->row);
    return true;  // these bytes have no order of their own
  }
  if (layout.is_swapped && layout.sample_bytes == 2) swap_bytes<std::uint16_t>(block);
  if (layout.is_swapped && layout.sample_bytes == 4) swap_bytes<std::uint32_t>(block);
  if (layout.is_swapped && layout.sample_bytes == 8) swap_bytes<std::uint64_t>(block);
  if (!sums_differences(layout)) return true;
  if (layout.sample_bytes == 1) undo_differences<std::uint8_t>(block, row_values, stride);
  else if (layout.sample_bytes == 2) undo_differences<std::uint16_t>(block, row_values, stride);
  else undo_differences<std::uint32_t>(block, row_values, stride);
  return true;
}

}  // namespace tilewright::pipeline
