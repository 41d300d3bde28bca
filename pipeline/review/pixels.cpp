// SPDX-License-Identifier: Apache-2.0
// Members of shards and windows of maps, as pictures and as classes.
#include "pipeline/review/pixels.h"

#include <algorithm>
#include <cmath>

#include "geometry/crs.h"
#include "geometry/error.h"
#include "geometry/grid.h"
#include "pipeline/io/raster.h"
#include "pipeline/scores/label_scores.h"

namespace tilewright::pipeline {
namespace {

std::vector<float> first_band(const shard::ArrayView& array) {
  const auto plane = static_cast<std::size_t>(array.header.shape.at(1) * array.header.shape.at(2));
  std::vector<float> out(plane);
  shard::with_type(array.header.dtype, [&](auto example) {
    using T = decltype(example);
    const auto* values = reinterpret_cast<const T*>(array.data.data());
    std::transform(values, values + plane, out.begin(),
                   [](T value) { return static_cast<float>(value); });
  });
  return out;
}

/// Pixels of a raster that the window's pixel centres fall on; 255 outside.
struct MapWindow {
  std::vector<geometry::MapXY> centres;  ///< in pixels of the raster: x = column, y = row
  geometry::Window box{};                ///< all that is needed of the raster, empty if nothing
};

MapWindow window_in(const RasterInfo& info, const index::LocationRow& location) {
  MapWindow out;
  const int n = location.size_px;
  for (int row = 0; row < n; ++row)
    for (int col = 0; col < n; ++col)
      out.centres.push_back({location.ulx + (col + 0.5) * location.res_m,
                             location.uly - (row + 0.5) * location.res_m});
  const geometry::Transform to_map(geometry::Crs::from_epsg(location.epsg), info.crs);
  if (!to_map.is_identity()) to_map.in_place(out.centres.data(), out.centres.size());
  const auto pixel_from_map = geometry::inverse(info.affine);
  if (!pixel_from_map) return out;
  double left = 1e18, top = 1e18, right = -1e18, bottom = -1e18;
  for (auto& point : out.centres) {
    const auto pixel = geometry::pixel_from_map(*pixel_from_map, point);
    point = {std::floor(pixel.col), std::floor(pixel.row)};
    if (!(point.x >= 0 && point.y >= 0 && point.x < static_cast<double>(info.width) &&
          point.y < static_cast<double>(info.height)))
      continue;
    left = std::min(left, point.x), right = std::max(right, point.x);
    top = std::min(top, point.y), bottom = std::max(bottom, point.y);
  }
  if (right >= left)
    out.box = {static_cast<std::int64_t>(left), static_cast<std::int64_t>(top),
               static_cast<std::int64_t>(right - left) + 1,
               static_cast<std::int64_t>(bottom - top) + 1};
  return out;
}

constexpr Rgb kOutline = {255, 216, 77};  ///< of class 1, as the page draws it
constexpr std::int64_t kMostMapPixels = std::int64_t{64} << 20;

}  // namespace

Picture ReviewPixels::read(const index::MemberPlace& place, const std::vector<std::string>& names) {
  const auto bands = reader_.array(place).header.shape.at(0);
  return reader_.picture(place,
                         names.empty() && bands >= 3 ? std::array{0, 1, 2} : shown_bands(names));
}

std::vector<std::uint8_t> ReviewPixels::view(const index::MemberPlace& place,
                                             const std::vector<std::string>& names) {
  Picture picture;
  {
    const std::lock_guard lock(reading_);
    picture = read(place, names);
  }
  return png_of(picture);
}

std::vector<std::uint8_t> ReviewPixels::thumbnail(const index::MemberPlace& place,
                                                  const std::vector<std::string>& names,
                                                  const std::optional<index::MemberPlace>& mask) {
  Picture picture;
  {
    const std::lock_guard lock(reading_);
    picture = read(place, names);
    if (mask) draw_outline(picture, reader_.mask(*mask), {{1, kOutline}});
  }
  return png_of(picture);
}

std::vector<std::uint8_t> ReviewPixels::edges(const index::MemberPlace& place) {
  Picture picture;
  std::vector<float> band;
  {
    const std::lock_guard lock(reading_);
    const auto array = reader_.array(place);
    picture.height = static_cast<int>(array.header.shape.at(1));
    picture.width = static_cast<int>(array.header.shape.at(2));
    band = first_band(array);
  }
  const auto gradient = gradient_magnitude(band, picture.width, picture.height);
  const double strong = std::max(1e-12, percentile_95(gradient));
  for (const float value : gradient) {
    const double share = static_cast<double>(value) / strong;
    const auto grey = std::isfinite(share)
                          ? static_cast<std::uint8_t>(std::clamp(share, 0.0, 1.0) * 255)
                          : std::uint8_t{0};
    picture.rgb.insert(picture.rgb.end(), {grey, grey, grey});
  }
  return png_of(picture);
}

ClassPixels ReviewPixels::mask(const index::MemberPlace& place) {
  const std::lock_guard lock(reading_);
  const auto array = reader_.array(place);
  const auto& shape = array.header.shape;
  if (array.header.dtype != shard::DType::u8 || shape.size() != 3 || shape[0] != 1)
    throw Error::failed("the mask " + place.member + " in " + place.shard +
                        " is not uint8 (1, H, W); run: tilewright verify");
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(array.data.data());
  return {
      static_cast<int>(shape[2]), static_cast<int>(shape[1]), {bytes, bytes + shape[1] * shape[2]}};
}

std::filesystem::path ReviewPixels::map_file(const std::string& run,
                                             const std::string& tile_id) const {
  return workspace_ / "predictions" / (run + "_" + tile_id + ".tif");
}

bool ReviewPixels::has_prediction(const std::string& run, const std::string& tile_id) const {
  std::error_code error;
  return std::filesystem::is_regular_file(map_file(run, tile_id), error);
}

std::optional<ClassPixels> ReviewPixels::prediction(const std::string& run,
                                                    const std::string& tile_id,
                                                    const index::LocationRow& location) const {
  if (!has_prediction(run, tile_id) || location.epsg == 0) return std::nullopt;
  const auto raster = Raster::open(map_file(run, tile_id), {});
  const auto& info = raster.info();
  if (info.bands.empty() || info.bands[0].dtype != shard::DType::u8 || !info.crs.known())
    return std::nullopt;
  const auto window = window_in(info, location);
  if (window.box.width <= 0 || window.box.width * window.box.height > kMostMapPixels)
    return std::nullopt;
  std::vector<std::byte> pixels(static_cast<std::size_t>(window.box.width * window.box.height));
  raster.read(0, window.box, pixels);
  ClassPixels out{location.size_px, location.size_px, {}};
  for (const auto& point : window.centres) {
    const double col = point.x - static_cast<double>(window.box.col),
                 row = point.y - static_cast<double>(window.box.row);
    const bool is_inside = col >= 0 && row >= 0 && col < static_cast<double>(window.box.width) &&
                           row < static_cast<double>(window.box.height);
    out.classes.push_back(is_inside ? std::to_integer<std::uint8_t>(
                                          pixels[static_cast<std::size_t>(row) *
                                                     static_cast<std::size_t>(window.box.width) +
                                                 static_cast<std::size_t>(col)])
                                    : std::uint8_t{255});
  }
  return out;
}

}  // namespace tilewright::pipeline
