// SPDX-License-Identifier: Apache-2.0
// Writes a synthetic archive and its job.
#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>

#include "geometry/error.h"
#include "index/shard/commit.h"
#include "pipeline/synth/archive.h"
#include "pipeline/synth/gdal_files.h"

namespace tilewright::pipeline {
namespace {

constexpr int kStripe_px = 128;  ///< rows of one value: large constant areas compress to nothing

constexpr const char* kJob = R"yaml(# A synthetic archive: acquisitions that overlap in time, with seams, clouds and copies.
#   tilewright run job.yaml --to views     who sees what
#   tilewright run job.yaml                and their pixels
workspace: work

sources:
  archive:
    files: 'tiles/*.tif'
    date: {name: '_(\d{8}T\d{6})_', format: '%Y%m%dT%H%M%S'}   # granules of one pass lie seconds apart
    nodata: declared                         # 0 outside the turned footprint
    quality: {files: 'quality/*.tif', match: '(a\d+_[0-9T]+_\d+)\.tif$', reject_values: [1]}   # 1 = cloud

grid: {resolution_m: 30, zone: auto}

views:
  patch_px: @patch@
  placement: shelf                           # strips at whatever distance is best, then the gaps
  min_views: 1
  max_cloud_frac: 0.1
)yaml";

void check(const ArchiveOptions& options, int patch_px) {
  const auto need = [](const std::string& flag, int value, int least, int most) {
    if (value < least || value > most)
      throw Error::config("synth archive: " + flag + " is " + std::to_string(value) + ", expected " + std::to_string(least) + " to " + std::to_string(most));
  };
  need("--tiles", options.tiles, 1, 1'000'000);
  need("--size", options.size_px, 64, 20'000);
  need("--patch", patch_px, 8, options.size_px);
}

std::string raster(const ArchiveTile& tile, const char* band, std::optional<double> nodata, std::span<const std::uint8_t> pixels) {
  return geotiff({tile.epsg, tile.affine, tile.size_px, tile.size_px, shard::DType::u8, {band}, nodata, std::as_bytes(pixels)});
}

void draw(const geometry::Bitmask& mask, std::vector<std::uint8_t>& pixels, int first_value, bool is_striped) {
  std::ranges::fill(pixels, std::uint8_t{0});
  for (std::int64_t row = 0; row < mask.height(); ++row) {
    const auto value = static_cast<std::uint8_t>(1 + (is_striped ? first_value + static_cast<int>(row) / kStripe_px : 0) % 250);
    for (std::int64_t col = 0; col < mask.width(); ++col)
      if (mask.get(col, row)) pixels[static_cast<std::size_t>(row * mask.width() + col)] = value;
  }
}

}  // namespace

SynthReport make_archive(const std::filesystem::path& dir, const ArchiveOptions& options) {
  const int patch_px = options.patch_px.value_or(std::max(8, options.size_px / 8));
  check(options, patch_px);
  for (const char* folder : {"tiles", "quality"}) shard::make_folders(dir / folder);
  const auto tiles = plan_archive(options);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(options.size_px) * static_cast<std::size_t>(options.size_px));
  std::set<int> zones;
  std::int64_t copies = 0;
  for (std::size_t n = 0; n < tiles.size(); ++n) {
    const auto& tile = tiles[n];
    draw(valid_pixels(tile), pixels, static_cast<int>(tile.copy_of.value_or(n) % 250), true);
    shard::publish_file(dir / "tiles" / (tile.name + ".tif"), raster(tile, "value", 0.0, pixels));
    draw(cloudy_pixels(tile), pixels, 0, false);
    shard::publish_file(dir / "quality" / (tile.name + ".tif"), raster(tile, "cloud", std::nullopt, pixels));
    zones.insert(tile.epsg);
    copies += tile.copy_of ? 1 : 0;
  }
  std::string job = kJob;
  job.replace(job.find("@patch@"), 7, std::to_string(patch_px));
  shard::publish_file(dir / "job.yaml", job);
  return {dir / "job.yaml", {{"tiles", static_cast<std::int64_t>(tiles.size())}, {"copies", copies}, {"zones", static_cast<std::int64_t>(zones.size())}}};
}

}  // namespace tilewright::pipeline
