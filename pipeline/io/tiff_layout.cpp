// SPDX-License-Identifier: Apache-2.0
// A bounded reader of the tags that say where pixels are.
#include "pipeline/io/tiff_layout.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

namespace tilewright::pipeline {
namespace {

constexpr std::uint64_t kMostEntries = 4096, kMostBlocks = std::uint64_t{1} << 24;
constexpr std::int64_t kLongestEdge = std::int64_t{1} << 31;

enum Tag : std::uint16_t {
  kWidth = 256, kHeight = 257, kBits = 258, kCompression = 259, kPhotometric = 262, kFillOrder = 266, kStripOffsets = 273, kOrientation = 274,
  kSamples = 277, kRowsPerStrip = 278, kStripCounts = 279, kPlanar = 284, kPredictor = 317, kTileWidth = 322, kTileHeight = 323, kTileOffsets = 324,
  kTileCounts = 325, kSampleFormat = 339
};

class Reader {
 public:
  explicit Reader(const FileBytes& file) : file_(file) {}

  /// All numbers of the directory that are asked for below; false if it is no plain TIFF.
  bool read_directory() {
    std::array<std::byte, 16> head{};
    if (!file_.read(0, std::span(head).first(8))) return false;
    const auto order = std::to_integer<char>(head[0]);
    if (order != std::to_integer<char>(head[1]) || (order != 'I' && order != 'M')) return false;
    is_swapped_ = order == 'M';
    const auto version = number(&head[2], 2);
    is_big_ = version == 43;
    if (version != 42 && !is_big_) return false;
    if (is_big_ && (!file_.read(8, std::span(head).subspan(8)) || number(&head[4], 2) != 8)) return false;
    const std::uint64_t at = is_big_ ? number(&head[8], 8) : number(&head[4], 4);
    const std::size_t count_bytes = is_big_ ? 8 : 2, entry_bytes = is_big_ ? 20 : 12;
    std::array<std::byte, 8> count_text{};
    if (!file_.read(at, std::span(count_text).first(count_bytes))) return false;
    const auto count = number(count_text.data(), count_bytes);
    if (count == 0 || count > kMostEntries) return false;
    std::vector<std::byte> table(count * entry_bytes);
    if (!file_.read(at + count_bytes, table)) return false;
    for (std::uint64_t k = 0; k < count; ++k)
      if (!take(&table[k * entry_bytes])) return false;
    return true;
  }

  [[nodiscard]] bool is_swapped() const { return is_swapped_; }
  [[nodiscard]] bool has(Tag tag) const { return values_.contains(tag); }
  [[nodiscard]] const std::vector<std::uint64_t>& all(Tag tag) { return values_[tag]; }
  /// One number, or several that are equal; `otherwise` if the tag is missing, 0 if they differ.
  [[nodiscard]] std::uint64_t one(Tag tag, std::uint64_t otherwise) const {
    const auto found = values_.find(tag);
    if (found == values_.end()) return otherwise;
    const auto& v = found->second;
    return !v.empty() && std::all_of(v.begin(), v.end(), [&](auto n) { return n == v[0]; }) ? v[0] : 0;
  }

 private:
  [[nodiscard]] std::uint64_t number(const std::byte* from, std::size_t bytes) const {
    std::uint64_t out = 0;
    for (std::size_t k = 0; k < bytes; ++k) out |= std::to_integer<std::uint64_t>(from[is_swapped_ ? bytes - 1 - k : k]) << (8 * k);
    return out;
  }

  static bool is_wanted(std::uint64_t tag) {
    constexpr std::array kTags = {kWidth, kHeight, kBits, kCompression, kPhotometric, kFillOrder, kStripOffsets, kOrientation, kSamples,
                                  kRowsPerStrip, kStripCounts, kPlanar, kPredictor, kTileWidth, kTileHeight, kTileOffsets, kTileCounts, kSampleFormat};
    return std::find(kTags.begin(), kTags.end(), tag) != kTags.end();
  }

  bool take(const std::byte* entry) {
    const auto tag = number(entry, 2), type = number(entry + 2, 2);
    if (!is_wanted(tag)) return true;
    const std::size_t wide = is_big_ ? 8 : 4, bytes = type == 3 ? 2 : type == 4 ? 4 : type == 16 ? 8 : 0;
    const auto count = number(entry + 4, wide);
    if (bytes == 0 || count == 0 || count > kMostBlocks || values_.contains(static_cast<Tag>(tag))) return false;
    const std::byte* from = entry + 4 + wide;
    std::vector<std::byte> outside;
    if (count * bytes > wide) {
      const auto at = number(from, wide);
      if (at > file_.size() || count * bytes > file_.size() - at) return false;
      outside.resize(count * bytes);
      if (!file_.read(at, outside)) return false;
      from = outside.data();
    }
    auto& values = values_[static_cast<Tag>(tag)];
    for (std::uint64_t k = 0; k < count; ++k) values.push_back(number(from + k * bytes, bytes));
    return true;
  }

  const FileBytes& file_;
  bool is_swapped_ = false, is_big_ = false;
  std::map<Tag, std::vector<std::uint64_t>> values_;
};

bool is_usual(const Reader& tags) {
  const auto photometric = tags.one(kPhotometric, 1), format = tags.one(kSampleFormat, 1), bits = tags.one(kBits, 1);
  return photometric >= 1 && photometric <= 3 && format >= 1 && format <= 3 && (bits == 8 || bits == 16 || bits == 32 || bits == 64) &&
         !(format == 3 && bits < 32) && tags.one(kFillOrder, 1) == 1 && tags.one(kOrientation, 1) == 1;
}

bool set_blocks(Reader& tags, TiffLayout& out) {
  out.is_tiled = tags.has(kTileOffsets);
  if (out.is_tiled == tags.has(kStripOffsets)) return false;
  out.block_width = out.is_tiled ? static_cast<std::int64_t>(tags.one(kTileWidth, 0)) : out.width;
  const auto rows = out.is_tiled ? tags.one(kTileHeight, 0) : tags.one(kRowsPerStrip, 0xffffffff);
  out.block_height = out.is_tiled ? static_cast<std::int64_t>(rows) : std::min(static_cast<std::int64_t>(rows), out.height);
  if (out.block_width < 1 || out.block_height < 1 || out.block_width > kLongestEdge || out.block_height > kLongestEdge) return false;
  out.offsets = tags.all(out.is_tiled ? kTileOffsets : kStripOffsets);
  out.counts = tags.all(out.is_tiled ? kTileCounts : kStripCounts);
  const auto blocks = static_cast<std::uint64_t>(out.across()) * static_cast<std::uint64_t>(out.down()) * static_cast<std::uint64_t>(out.is_planar ? out.samples : 1);
  return out.offsets.size() == blocks && out.counts.size() == blocks;
}

}  // namespace

std::optional<FileBytes> FileBytes::open(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  FileBytes out(descriptor, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  out.size_ = static_cast<std::uint64_t>(status.st_size);
  return out;
}

FileBytes::FileBytes(FileBytes&& other) noexcept : descriptor_(other.descriptor_), size_(other.size_) { other.descriptor_ = -1; }
FileBytes::~FileBytes() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileBytes::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > size_ || into.size() > size_ - offset) return false;
  for (std::size_t done = 0; done < into.size();) {
    const auto got = ::pread(descriptor_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::size_t TiffLayout::block_bytes(std::int64_t block_row) const {
  const auto rows = is_tiled ? block_height : std::min(block_height, height - block_row * block_height);
  return static_cast<std::size_t>(block_width) * static_cast<std::size_t>(rows) * static_cast<std::size_t>(samples_a_block() * sample_bytes);
}

std::optional<TiffLayout> read_tiff_layout(const FileBytes& file) {
  Reader tags(file);
  if (!tags.read_directory() || !is_usual(tags)) return std::nullopt;
  TiffLayout out;
  const auto width = tags.one(kWidth, 0), height = tags.one(kHeight, 0), samples = tags.one(kSamples, 1), planar = tags.one(kPlanar, 1);
  if (width < 1 || height < 1 || width > static_cast<std::uint64_t>(kLongestEdge) || height > static_cast<std::uint64_t>(kLongestEdge) || samples < 1 ||
      samples > 65535 || planar < 1 || planar > 2)
    return std::nullopt;
  out.width = static_cast<std::int64_t>(width);
  out.height = static_cast<std::int64_t>(height);
  out.samples = static_cast<int>(samples);
  out.sample_bytes = static_cast<int>(tags.one(kBits, 8) / 8);
  out.is_planar = planar == 2;
  out.is_swapped = tags.is_swapped();
  out.compression = static_cast<int>(tags.one(kCompression, 1));
  out.predictor = static_cast<int>(tags.one(kPredictor, 1));
  if (!set_blocks(tags, out)) return std::nullopt;
  return out;
}

}  // namespace tilewright::pipeline
