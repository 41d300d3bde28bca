// SPDX-License-Identifier: Apache-2.0
// The tags of one directory of a TIFF or BigTIFF, read within a budget; what they mean is up to the
// views on it, TiffHeader and TiffLayout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/io/header_bytes.h"

namespace tilewright::pipeline {

enum TiffTag : std::uint16_t {
  kSubfileType = 254,
  kWidth = 256,
  kHeight = 257,
  kBits = 258,
  kCompression = 259,
  kPhotometric = 262,
  kFillOrder = 266,
  kStripOffsets = 273,
  kOrientation = 274,
  kSamples = 277,
  kRowsPerStrip = 278,
  kStripBytes = 279,
  kPlanar = 284,
  kPredictor = 317,
  kTileWidth = 322,
  kTileHeight = 323,
  kTileOffsets = 324,
  kTileBytes = 325,
  kExtraSamples = 338,
  kSampleFormat = 339,
  kPixelScale = 33550,
  kTiepoint = 33922,
  kTransformation = 34264,
  kGeoKeys = 34735,
  kGeoDoubles = 34736,
  kGeoTexts = 34737,
  kGdalMetadata = 42112,
  kGdalNodata = 42113,
};

/// Every question that cannot be answered makes it `unusual`. Never throws for what the bytes say.
class TiffDirectory {
 public:
  static constexpr std::uint64_t kMostValues = 10000, kMostText = 256 << 10;
  static constexpr std::int64_t kMostSide = 0x7fffffff;

  /// `file` outlives it.
  explicit TiffDirectory(HeaderBytes& file) : file_(file) {}
  /// Reads the directory at `at`, or the first one for 0; the place of the next, 0 if there is
  /// none. nullopt: no TIFF, or damaged.
  std::optional<std::uint64_t> read(std::uint64_t at = 0);

  [[nodiscard]] bool has(std::uint16_t tag) const { return find(tag) != nullptr; }
  [[nodiscard]] std::uint64_t count(
      std::uint16_t tag) const;  ///< of its values; 0 if it is not there
  /// All values of a tag of whole numbers, empty if it is not there; at most `most`, else unusual.
  std::vector<std::uint64_t> numbers(std::uint16_t tag, std::uint64_t most);
  std::uint64_t number(std::uint16_t tag, std::uint64_t otherwise);
  /// The one number that all values of a tag are.
  std::uint64_t same_number(std::uint16_t tag, std::uint64_t otherwise);
  std::vector<double> doubles(std::uint16_t tag, std::uint64_t most);
  std::string text(std::uint16_t tag);  ///< up to the first zero byte
  /// The bytes as they are in the file, with tag, type and count before them.
  void append_raw(std::uint16_t tag, std::string& out);

  void refuse() { unusual_ = true; }
  [[nodiscard]] bool unusual() const { return unusual_; }
  [[nodiscard]] bool is_swapped() const { return swapped_; }  ///< byte order of the other kind

 private:
  struct Entry {
    std::uint16_t tag = 0, type = 0;
    std::uint64_t count = 0, at = 0;  ///< place of the first value
  };
  std::optional<std::uint64_t> begin();
  std::optional<std::uint64_t> number_at(std::uint64_t at, std::size_t size);
  [[nodiscard]] const Entry* find(std::uint16_t tag) const;
  /// The bytes of all values; empty, and unusual, where `is_fit` is false or they cannot be had.
  std::span<const std::byte> values(const Entry& entry, bool is_fit);
  [[nodiscard]] std::uint64_t load(const std::byte* at, std::size_t size) const;

  HeaderBytes& file_;
  std::vector<Entry> entries_;
  bool big_ = false, swapped_ = false, unusual_ = false;
};

}  // namespace tilewright::pipeline
