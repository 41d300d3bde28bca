// SPDX-License-Identifier: Apache-2.0
// Where the blocks of a plain TIFF lie and how they are packed: what the fast way to pixels needs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace tilewright::pipeline {

/// A file that is read at given places; closed with its owner.
class FileBytes {
 public:
  static std::optional<FileBytes> open(const std::filesystem::path& file);
  FileBytes(FileBytes&& other) noexcept;
  FileBytes& operator=(FileBytes&&) = delete;
  ~FileBytes();
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// All of `into` from `offset` on; false if the file is shorter or cannot be read.
  [[nodiscard]] bool read(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  FileBytes(int descriptor, std::uint64_t size) : descriptor_(descriptor), size_(size) {}
  int descriptor_;
  std::uint64_t size_;
};

/// The first image of a TIFF or BigTIFF. Blocks are tiles, or strips as wide as the image.
struct TiffLayout {
  std::int64_t width = 0, height = 0;
  std::int64_t block_width = 0, block_height = 0;
  int samples = 1, sample_bytes = 1;
  int compression = 1, predictor = 1;
  bool is_tiled = false, is_planar = false;      ///< planar: a block holds one sample
  bool is_swapped = false;                       ///< byte order of the other kind
  std::vector<std::uint64_t> offsets, counts;    ///< a block; planar: all of sample 0, then of sample 1, ...

  [[nodiscard]] std::int64_t across() const { return (width + block_width - 1) / block_width; }
  [[nodiscard]] std::int64_t down() const { return (height + block_height - 1) / block_height; }
  [[nodiscard]] int samples_a_block() const { return is_planar ? 1 : samples; }
  /// Decoded bytes of a block in this row of blocks: the last strip ends with the image.
  [[nodiscard]] std::size_t block_bytes(std::int64_t block_row) const;
};

/// nullopt where anything is unusual (bit depth, photometry, orientation, filling, sizes, damage): GDAL
/// then reads the file and says what is wrong with it. Reads nothing beyond the tables.
std::optional<TiffLayout> read_tiff_layout(const FileBytes& file);

}  // namespace tilewright::pipeline
