// SPDX-License-Identifier: Apache-2.0
// What the first directory says of an image, and which tags make a file plain.
#include "pipeline/io/tiff_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "pipeline/io/tiff_directory.h"

namespace tilewright::pipeline {
namespace {

using shard::DType;

/// Tags that tell GDAL more than this reader knows: sub-directories, JPEG tables, rational positions ...
constexpr std::array<std::uint16_t, 14> kUnusual = {280, 281, 282, 283, 296, 330, 347, 512, 513, 529, 530, 532, 50844, 50908};
constexpr std::array<std::uint16_t, 7> kTexts = {269, 270, 305, 306, 315, 316, 33432};
/// none, LZW, DEFLATE twice, PackBits, LZMA, ZSTD, LERC
constexpr std::array<std::uint64_t, 8> kCompressions = {1, 5, 8, 32946, 32773, 34925, 50000, 34887};

constexpr std::uint64_t kMostBlocks = 16 << 10;
constexpr std::uint16_t kRasterType = 1025;
constexpr std::uint64_t kMostSide = TiffDirectory::kMostSide;

std::optional<DType> dtype_of(std::uint64_t bits, std::uint64_t format) {
  if (format == 1) return bits == 8 ? std::optional(DType::u8) : bits == 16 ? std::optional(DType::u16) : bits == 32 ? std::optional(DType::u32) : std::nullopt;
  if (format == 2) return bits == 8 ? std::optional(DType::i8) : bits == 16 ? std::optional(DType::i16) : bits == 32 ? std::optional(DType::i32) : std::nullopt;
  if (format == 3) return bits == 32 ? std::optional(DType::f32) : bits == 64 ? std::optional(DType::f64) : std::nullopt;
  return std::nullopt;
}

void read_pixels(TiffDirectory& d, TiffHeader& out) {
  const auto width = d.number(kWidth, 0), height = d.number(kHeight, 0), samples = d.number(kSamples, 1);
  const auto planar = d.number(kPlanar, 1), photometric = d.number(kPhotometric, 99), compression = d.number(kCompression, 1);
  const auto dtype = dtype_of(d.same_number(kBits, 1), d.same_number(kSampleFormat, 1));
  const bool fits = width >= 1 && height >= 1 && width <= kMostSide && height <= kMostSide &&
                    samples >= 1 && samples <= TiffDirectory::kMostValues;
  const bool is_known = std::find(kCompressions.begin(), kCompressions.end(), compression) != kCompressions.end();
  if (!fits || !dtype || !is_known || planar < 1 || planar > 2 || (photometric != 1 && photometric != 2)) return d.refuse();
  for (const auto kind : d.numbers(kExtraSamples, TiffDirectory::kMostValues))
    if (kind != 0) d.refuse();  // alpha
  out.width = static_cast<std::int64_t>(width);
  out.height = static_cast<std::int64_t>(height);
  out.bands = static_cast<int>(samples);
  out.dtype = *dtype;
  out.is_interleaved = planar == 1;
}

/// Blocks without bytes, where the list is short enough to look at.
std::optional<bool> find_sparse(TiffDirectory& d, std::uint16_t offsets_tag,
                                std::uint16_t bytes_tag, std::uint64_t blocks) {
  if (d.count(offsets_tag) != blocks || d.count(bytes_tag) != blocks) {
    d.refuse();
    return std::nullopt;
  }
  if (blocks > kMostBlocks) return std::nullopt;
  const auto offsets = d.numbers(offsets_tag, kMostBlocks), bytes = d.numbers(bytes_tag, kMostBlocks);
  if (offsets.size() != bytes.size()) return std::nullopt;
  bool sparse = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if ((bytes[i] == 0) != (offsets[i] == 0)) d.refuse();
    sparse = sparse || bytes[i] == 0;
  }
  return sparse;
}

void read_blocks(TiffDirectory& d, TiffHeader& out) {
  const bool is_tiled = d.has(kTileWidth) || d.has(kTileHeight);
  const auto width = is_tiled ? d.number(kTileWidth, 0) : std::uint64_t(out.width);
  const auto rows = is_tiled ? d.number(kTileHeight, 0) : std::min(d.number(kRowsPerStrip, 0xffffffff), std::uint64_t(out.height));
  if (width < 1 || rows < 1 || width > kMostSide || rows > kMostSide ||
      d.has(is_tiled ? kStripOffsets : kTileOffsets))
    return d.refuse();
  // One large strip is read as blocks of GDAL's and libtiff's own making.
  const double strip_bytes = double(width) * double(rows) * double(shard::byte_size(out.dtype)) * (out.is_interleaved ? out.bands : 1);
  const bool is_one_strip = !is_tiled && rows == std::uint64_t(out.height);
  if (!is_tiled && !d.has(kRowsPerStrip)) return d.refuse();
  if (is_one_strip && (rows > 512 || (strip_bytes > 8192 && d.number(kCompression, 1) == 1))) return d.refuse();
  out.block_width = static_cast<std::int64_t>(width);
  out.block_height = static_cast<std::int64_t>(rows);
  const auto across = (std::uint64_t(out.width) + width - 1) / width, down = (std::uint64_t(out.height) + rows - 1) / rows;
  const auto planes = out.is_interleaved ? 1 : std::uint64_t(out.bands);
  out.is_sparse = find_sparse(d, is_tiled ? kTileOffsets : kStripOffsets, is_tiled ? kTileBytes : kStripBytes, across * down * planes);
}

/// AREA_OR_POINT: the key GTRasterType, a short in the directory of keys.
std::optional<bool> is_pixel_point(TiffDirectory& d) {
  const auto keys = d.numbers(kGeoKeys, TiffDirectory::kMostText);
  if (keys.empty()) return std::nullopt;
  if (keys.size() < 4 || keys[0] != 1 || keys.size() < 4 + 4 * keys[3]) {
    d.refuse();
    return std::nullopt;
  }
  for (std::size_t i = 4; i + 3 < 4 + 4 * keys[3]; i += 4)
    if (keys[i] == kRasterType && keys[i + 1] == 0) return keys[i + 3] == 2;
  return std::nullopt;
}

void read_place(TiffDirectory& d, TiffHeader& out) {
  out.is_point = is_pixel_point(d);
  for (const auto tag : {kGeoKeys, kGeoDoubles, kGeoTexts}) d.append_raw(tag, out.geo_keys);
  const auto scale = d.doubles(kPixelScale, 3), tie = d.doubles(kTiepoint, 6), whole = d.doubles(kTransformation, 16);
  geometry::Affine a;
  if (!whole.empty()) {
    if (whole.size() != 16 || !scale.empty() || !tie.empty()) return d.refuse();
    a = {whole[0], whole[1], whole[3], whole[4], whole[5], whole[7]};
  } else if (!scale.empty() || !tie.empty()) {
    if (scale.size() < 2 || tie.size() != 6 || !(scale[0] > 0) || !(scale[1] > 0)) return d.refuse();
    a = {scale[0], 0, tie[3] - tie[0] * scale[0], 0, -scale[1], tie[4] + tie[1] * scale[1]};
  } else {
    return;
  }
  for (const double value : {a.a, a.b, a.c, a.d, a.e, a.f})
    if (!std::isfinite(value)) return d.refuse();
  if (out.is_point.value_or(false)) {
    a.c -= a.a * 0.5 + a.b * 0.5;
    a.f -= a.d * 0.5 + a.e * 0.5;
  }
  // GDAL takes the identity for "not placed".
  const bool identity = a.a == 1 && a.b == 0 && a.c == 0 && a.d == 0 && std::abs(a.e) == 1 && a.f == 0;
  if (!identity) out.affine = a;
}

void read_nodata(TiffDirectory& d, TiffHeader& out) {
  auto text = d.text(kGdalNodata);
  while (text.ends_with(' ')) text.pop_back();
  if (text.empty()) {
    if (d.has(kGdalNodata)) d.refuse();
    return;
  }
  double value = 0;
  const auto* begin = text.data() + (text[0] == '+' ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return d.refuse();
  // GDAL rounds to the type of the pixels.
  if (out.dtype == DType::f32 && std::isfinite(value)) {
    if (std::abs(value) > double(std::numeric_limits<float>::max())) return d.refuse();
    value = double(static_cast<float>(value));
  }
  out.nodata = value;
}

}  // namespace

std::optional<TiffHeader> read_tiff_header(HeaderBytes& file) {
  TiffDirectory d(file);
  TiffHeader out;
  auto next = d.read();
  if (!next) return std::nullopt;
  if (d.number(kSubfileType, 0) != 0) return std::nullopt;
  for (const auto tag : kUnusual)
    if (d.has(tag)) return std::nullopt;
  read_pixels(d, out);
  if (d.unusual()) return std::nullopt;
  read_blocks(d, out);
  read_place(d, out);
  read_nodata(d, out);
  for (const auto tag : kTexts)
    if (d.has(tag)) out.texts.push_back({tag, d.text(tag)});
  out.gdal_metadata = d.text(kGdalMetadata);
  // Behind it overviews may follow; a mask or another page is GDAL's business.
  constexpr int kMostPages = 32;
  for (int page = 0; *next != 0; ++page) {
    if (page == kMostPages || d.unusual()) return std::nullopt;
    next = d.read(*next);
    if (!next || d.number(kSubfileType, 0) != 1) return std::nullopt;
  }
  return d.unusual() ? std::nullopt : std::optional(std::move(out));
}

std::optional<TiffHeader> read_tiff_header(const FileBytes& file) {
  HeaderBytes bytes(file);
  return read_tiff_header(bytes);
}

}  // namespace tilewright::pipeline
