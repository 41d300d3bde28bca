// SPDX-License-Identifier: Apache-2.0
// Small RGB pictures for the report: from views of shards, with outlines, as PNG.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/rows.h"
#include "index/shard/shard_reader.h"
#include "pipeline/report/section.h"

namespace tilewright::pipeline {

using Rgb = std::array<std::uint8_t, 3>;
Rgb rgb_from_hex(const std::string& text);  ///< #rgb or #rrggbb; grey for anything else

struct Picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;  ///< interleaved, row-major
  void set(int col, int row, Rgb color);
};

/// The picture as a PNG file; encoded by GDAL in memory. Safe in several threads.
std::vector<std::uint8_t> png_of(const Picture& picture);
/// `data:image/png;base64,...`
std::string data_uri(const Picture& picture);

/// Band numbers to show as red, green and blue (all equal: grey), by name where names tell.
std::array<int, 3> shown_bands(const std::vector<std::string>& band_names);

/// Colours the pixels of `mask` (values but 0 and 255) that have another value beside them.
void draw_outline(Picture& picture, std::span<const std::uint8_t> mask, const std::map<int, Rgb>& colors);

/// Reads members of shards, each file opened once. Not shared between threads; spans stay valid as long as it lives.
class MemberReader {
 public:
  explicit MemberReader(std::filesystem::path workspace) : workspace_(std::move(workspace)) {}
  shard::ArrayView array(const index::MemberPlace& place);
  std::span<const std::uint8_t> mask(const index::MemberPlace& place);
  /// A view stretched between its 2nd and 98th percentile.
  Picture picture(const index::MemberPlace& place, const std::array<int, 3>& bands);

 private:
  std::filesystem::path workspace_;
  std::map<std::string, std::unique_ptr<shard::MappedFile>> files_;
};

/// What chips of one workspace need, looked up once.
class ChipMaker {
 public:
  explicit ChipMaker(const ReportInput& input);
  /// First view of the curated (else the first) source at a location, with the outlines of `layer` ("" = the first);
  /// `truth` (may be empty) is drawn in green below them. Empty if there is no view with pixels.
  std::string chip(const std::string& location_id, const std::string& layer, std::span<const std::uint8_t> truth = {});
  [[nodiscard]] const std::map<std::string, index::MaskRow>& masks(const std::string& layer) const;
  MemberReader& reader() { return reader_; }

 private:
  MemberReader reader_;
  std::map<std::string, index::ViewRow> view_of_;
  std::map<std::string, std::map<std::string, index::MaskRow>> masks_;
  std::map<std::string, std::map<int, Rgb>> colors_;
  std::string first_layer_;
  std::array<int, 3> bands_ = {0, 0, 0};
};

}  // namespace tilewright::pipeline
