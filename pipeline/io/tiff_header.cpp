// SPDX-License-Identifier: Apache-2.0
// The tags of the first directory, and which of them make a file plain.
#include "pipeline/io/tiff_header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace tilewright::pipeline {
namespace {

using shard::DType;

enum Tag : std::uint16_t {
  kSubfileType = 254, kWidth = 256, kHeight = 257, kBits = 258, kCompression = 259, kPhotometric = 262, kStripOffsets = 273,
  kSamples = 277, kRowsPerStrip = 278, kStripBytes = 279, kPlanar = 284, kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324,
  kTileBytes = 325, kExtraSamples = 338, kSampleFormat = 339, kPixelScale = 33550, kTiepoint = 33922, kTransformation = 34264,
  kGeoKeys = 34735, kGeoDoubles = 34736, kGeoTexts = 34737, kGdalMetadata = 42112, kGdalNodata = 42113,
};
/// Tags that tell GDAL more than this reader knows: sub-directories, JPEG tables, rational positions ...
constexpr std::array<std::uint16_t, 14> kUnusual = {280, 281, 282, 283, 296, 330, 347, 512, 513, 529, 530, 532, 50844, 50908};
constexpr std::array<std::uint16_t, 7> kTexts = {269, 270, 305, 306, 315, 316, 33432};
/// none, LZW, DEFLATE twice, PackBits, LZMA, ZSTD, LERC
constexpr std::array<std::uint64_t, 8> kCompressions = {1, 5, 8, 32946, 32773, 34925, 50000, 34887};

constexpr std::uint64_t kMostTags = 512, kMostBands = 10000, kMostText = 256 << 10, kMostBlocks = 16 << 10;
constexpr std::int64_t kMostSide = 0x7fffffff;
constexpr std::uint16_t kRasterType = 1025;

std::size_t size_of_type(std::uint16_t type) {
  switch (type) {
    case 1: case 2: case 6: case 7: return 1;
    case 3: case 8: return 2;
    case 4: case 9: case 11: case 13: return 4;
    case 5: case 10: case 12: case 16: case 17: case 18: return 8;
    default: return 0;
  }
}

struct Entry {
  std::uint16_t tag = 0, type = 0;
  std::uint64_t count = 0, at = 0;  ///< place of the first value
};

/// One directory. Every question that cannot be answered makes it `unusual`.
class Directory {
 public:
  explicit Directory(HeaderBytes& file) : file_(file) {}

  /// Reads the directory at `at`, or the first one for 0; the place of the next, 0 if there is none.
  std::optional<std::uint64_t> read(std::uint64_t at) {
    entries_.clear();
    if (at == 0) {
      const auto first = begin();
      if (!first) return std::nullopt;
      at = *first;
    }
    const std::size_t count_bytes = big_ ? 8 : 2, entry_bytes = big_ ? 20 : 12, link_bytes = big_ ? 8 : 4;
    const auto count = number_at(at, count_bytes);
    if (!count || *count == 0 || *count > kMostTags) return std::nullopt;
    const auto table = file_.bytes(at + count_bytes, *count * entry_bytes + link_bytes);
    if (table.empty()) return std::nullopt;
    for (std::uint64_t n = 0; n < *count; ++n) {
      const auto* entry = table.data() + n * entry_bytes;
      Entry e{static_cast<std::uint16_t>(load(entry, 2)), static_cast<std::uint16_t>(load(entry + 2, 2)), load(entry + 4, big_ ? 8 : 4), 0};
      const auto size = size_of_type(e.type);
      if (size == 0 || e.count == 0 || e.count > file_.file_size() / size) return std::nullopt;
      const auto value_at = at + count_bytes + n * entry_bytes + (big_ ? 12 : 8);
      e.at = e.count * size <= link_bytes ? value_at : load(entry + (big_ ? 12 : 8), link_bytes);
      // Tags are in order in every file that a writer finished; twice the same tag would be a choice.
      if (!entries_.empty() && entries_.back().tag >= e.tag) return std::nullopt;
      entries_.push_back(e);
    }
    return load(table.data() + *count * entry_bytes, link_bytes);
  }

  [[nodiscard]] const Entry* find(std::uint16_t tag) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), tag, [](const Entry& e, std::uint16_t t) { return e.tag < t; });
    return found != entries_.end() && found->tag == tag ? &*found : nullptr;
  }

  /// All values of a tag of whole numbers, empty if it is not there; at most `most`, else unusual.
  std::vector<std::uint64_t> numbers(std::uint16_t tag, std::uint64_t most) {
    std::vector<std::uint64_t> out;
    const auto* e = find(tag);
    if (!e) return out;
    const bool is_whole = e->type == 1 || e->type == 3 || e->type == 4 || e->type == 13 || e->type == 16;
    const auto size = size_of_type(e->type);
    const auto bytes = is_whole && e->count <= most ? file_.bytes(e->at, e->count * size) : std::span<const std::byte>();
    if (bytes.empty()) unusual_ = true;
    for (std::size_t i = 0; i + size <= bytes.size(); i += size) out.push_back(load(bytes.data() + i, size));
    return out;
  }
  std::uint64_t number(std::uint16_t tag, std::uint64_t otherwise) {
    const auto all = numbers(tag, 1);
    return all.empty() ? otherwise : all[0];
  }
  /// The one number that all values of a tag are.
  std::uint64_t same_number(std::uint16_t tag, std::uint64_t otherwise) {
    const auto all = numbers(tag, kMostBands);
    if (!all.empty() && std::any_of(all.begin(), all.end(), [&](auto v) { return v != all[0]; })) unusual_ = true;
    return all.empty() ? otherwise : all[0];
  }
  std::vector<double> doubles(std::uint16_t tag, std::uint64_t most) {
    std::vector<double> out;
    const auto* e = find(tag);
    if (!e) return out;
    const auto bytes = e->type == 12 && e->count <= most ? file_.bytes(e->at, e->count * 8) : std::span<const std::byte>();
    if (bytes.empty()) unusual_ = true;
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) out.push_back(std::bit_cast<double>(load(bytes.data() + i, 8)));
    return out;
  }
  /// Up to the first zero byte.
  std::string text(std::uint16_t tag) {
    const auto* e = find(tag);
    if (!e) return "";
    const auto bytes = e->type == 2 && e->count <= kMostText ? file_.bytes(e->at, e->count) : std::span<const std::byte>();
    if (bytes.empty()) unusual_ = true;
    const std::string all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return all.substr(0, all.find('\0'));
  }
  /// The bytes as they are in the file, with type and count before them.
  void append_raw(std::uint16_t tag, std::string& out) {
    const auto* e = find(tag);
    if (!e) return;
    const auto length = e->count <= kMostText / 8 ? e->count * size_of_type(e->type) : 0;
    const auto bytes = length > 0 ? file_.bytes(e->at, length) : std::span<const std::byte>();
    if (bytes.empty()) unusual_ = true;
    out += std::to_string(tag) + ":" + std::to_string(e->type) + ":" + std::to_string(e->count) + ":";
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  void refuse() { unusual_ = true; }
  [[nodiscard]] bool unusual() const { return unusual_; }

 private:
  std::optional<std::uint64_t> begin() {
    const auto head = file_.bytes(0, 8);
    if (head.empty()) return std::nullopt;
    const bool little = head[0] == std::byte{'I'} && head[1] == std::byte{'I'}, big_endian = head[0] == std::byte{'M'} && head[1] == std::byte{'M'};
    if (!little && !big_endian) return std::nullopt;
    swapped_ = big_endian;
    const auto version = load(head.data() + 2, 2);
    if (version == 42) return load(head.data() + 4, 4);
    if (version != 43 || load(head.data() + 4, 2) != 8 || load(head.data() + 6, 2) != 0) return std::nullopt;
    big_ = true;
    return number_at(8, 8);
  }
  std::optional<std::uint64_t> number_at(std::uint64_t at, std::size_t size) {
    const auto bytes = file_.bytes(at, size);
    return bytes.empty() ? std::nullopt : std::optional(load(bytes.data(), size));
  }
  [[nodiscard]] std::uint64_t load(const std::byte* at, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::to_integer<std::uint64_t>(at[swapped_ ? size - 1 - i : i]) << (8 * i);
    return value;
  }

  HeaderBytes& file_;
  std::vector<Entry> entries_;
  bool big_ = false, swapped_ = false, unusual_ = false;
};

std::optional<DType> dtype_of(std::uint64_t bits, std::uint64_t format) {
  if (format == 1) return bits == 8 ? std::optional(DType::u8) : bits == 16 ? std::optional(DType::u16) : bits == 32 ? std::optional(DType::u32) : std::nullopt;
  if (format == 2) return bits == 8 ? std::optional(DType::i8) : bits == 16 ? std::optional(DType::i16) : bits == 32 ? std::optional(DType::i32) : std::nullopt;
  if (format == 3) return bits == 32 ? std::optional(DType::f32) : bits == 64 ? std::optional(DType::f64) : std::nullopt;
  return std::nullopt;
}

void read_pixels(Directory& d, TiffHeader& out) {
  const auto width = d.number(kWidth, 0), height = d.number(kHeight, 0), samples = d.number(kSamples, 1);
  const auto planar = d.number(kPlanar, 1), photometric = d.number(kPhotometric, 99), compression = d.number(kCompression, 1);
  const auto dtype = dtype_of(d.same_number(kBits, 1), d.same_number(kSampleFormat, 1));
  const bool fits = width >= 1 && height >= 1 && width <= std::uint64_t(kMostSide) && height <= std::uint64_t(kMostSide) && samples >= 1 && samples <= kMostBands;
  const bool is_known = std::find(kCompressions.begin(), kCompressions.end(), compression) != kCompressions.end();
  if (!fits || !dtype || !is_known || planar < 1 || planar > 2 || (photometric != 1 && photometric != 2)) return d.refuse();
  for (const auto kind : d.numbers(kExtraSamples, kMostBands))
    if (kind != 0) d.refuse();  // alpha
  out.width = static_cast<std::int64_t>(width);
  out.height = static_cast<std::int64_t>(height);
  out.bands = static_cast<int>(samples);
  out.dtype = *dtype;
  out.is_interleaved = planar == 1;
}

/// Blocks without bytes, where the list is short enough to look at.
std::optional<bool> find_sparse(Directory& d, std::uint16_t offsets_tag, std::uint16_t bytes_tag, std::uint64_t blocks) {
  const auto *o = d.find(offsets_tag), *b = d.find(bytes_tag);
  if (!o || !b || o->count != blocks || b->count != blocks) {
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

void read_blocks(Directory& d, TiffHeader& out) {
  const bool is_tiled = d.find(kTileWidth) || d.find(kTileHeight);
  const auto width = is_tiled ? d.number(kTileWidth, 0) : std::uint64_t(out.width);
  const auto rows = is_tiled ? d.number(kTileHeight, 0) : std::min(d.number(kRowsPerStrip, 0xffffffff), std::uint64_t(out.height));
  if (width < 1 || rows < 1 || width > std::uint64_t(kMostSide) || rows > std::uint64_t(kMostSide) || d.find(is_tiled ? kStripOffsets : kTileOffsets))
    return d.refuse();
  // One large strip is read as blocks of GDAL's and libtiff's own making.
  const double strip_bytes = double(width) * double(rows) * double(shard::byte_size(out.dtype)) * (out.is_interleaved ? out.bands : 1);
  const bool is_one_strip = !is_tiled && rows == std::uint64_t(out.height);
  if (!is_tiled && !d.find(kRowsPerStrip)) return d.refuse();
  if (is_one_strip && (rows > 512 || (strip_bytes > 8192 && d.number(kCompression, 1) == 1))) return d.refuse();
  out.block_width = static_cast<std::int64_t>(width);
  out.block_height = static_cast<std::int64_t>(rows);
  const auto across = (std::uint64_t(out.width) + width - 1) / width, down = (std::uint64_t(out.height) + rows - 1) / rows;
  const auto planes = out.is_interleaved ? 1 : std::uint64_t(out.bands);
  out.is_sparse = find_sparse(d, is_tiled ? kTileOffsets : kStripOffsets, is_tiled ? kTileBytes : kStripBytes, across * down * planes);
}

/// AREA_OR_POINT: the key GTRasterType, a short in the directory of keys.
std::optional<bool> is_pixel_point(Directory& d) {
  const auto keys = d.numbers(kGeoKeys, kMostText);
  if (keys.empty()) return std::nullopt;
  if (keys.size() < 4 || keys[0] != 1 || keys.size() < 4 + 4 * keys[3]) {
    d.refuse();
    return std::nullopt;
  }
  for (std::size_t i = 4; i + 3 < 4 + 4 * keys[3]; i += 4)
    if (keys[i] == kRasterType && keys[i + 1] == 0) return keys[i + 3] == 2;
  return std::nullopt;
}

void read_place(Directory& d, TiffHeader& out) {
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

void read_nodata(Directory& d, TiffHeader& out) {
  auto text = d.text(kGdalNodata);
  while (text.ends_with(' ')) text.pop_back();
  if (text.empty()) {
    if (d.find(kGdalNodata)) d.refuse();
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
  Directory d(file);
  TiffHeader out;
  auto next = d.read(0);
  if (!next) return std::nullopt;
  if (d.number(kSubfileType, 0) != 0) return std::nullopt;
  for (const auto tag : kUnusual)
    if (d.find(tag)) return std::nullopt;
  read_pixels(d, out);
  if (d.unusual()) return std::nullopt;
  read_blocks(d, out);
  read_place(d, out);
  read_nodata(d, out);
  for (const auto tag : kTexts)
    if (d.find(tag)) out.texts.push_back({tag, d.text(tag)});
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

}  // namespace tilewright::pipeline
