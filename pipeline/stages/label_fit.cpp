// SPDX-License-Identifier: Apache-2.0
// Each object by itself: its longest line in the raster's CRS, the ground around it, one fit.
#include "pipeline/stages/label_fit.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "geometry/error.h"
#include "geometry/road_fit.h"
#include "index/reason.h"
#include "pipeline/io/nodata.h"
#include "pipeline/io/raster.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapLine;
using geometry::MapXY;

constexpr double kMostPixels = 64e6;  // around one line: beyond, its rule's width stays
constexpr double kTextureM = 0.02;    // gravel and worn asphalt are not smoother

double length_of(const MapLine& line) {
  double sum = 0;
  for (std::size_t k = 0; k + 1 < line.size(); ++k)
    sum += std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y);
  return sum;
}

/// How sure the rules are, as a standard deviation of ln(width).
double sigma_log_of(const std::string& rule) {
  if (rule == "attribute") return 0.12;
  return rule == "constant" ? 0.4 : 0.25;
}

/// Metres on the ground from a place of the raster's CRS, and back.
class Plane {
 public:
  Plane(MapXY origin, const geometry::Crs& crs)
      : origin_(origin), scale_(geometry::ground_scale(origin, crs)) {
    determinant_ = scale_.east_x * scale_.north_y - scale_.east_y * scale_.north_x;
  }
  [[nodiscard]] MapXY metres(MapXY p) const {
    return scale_.metres({p.x - origin_.x, p.y - origin_.y});
  }
  [[nodiscard]] MapXY map(MapXY m) const {
    return {origin_.x + (scale_.north_y * m.x - scale_.east_y * m.y) / determinant_,
            origin_.y + (scale_.east_x * m.y - scale_.north_x * m.x) / determinant_};
  }

 private:
  MapXY origin_;
  geometry::GroundScale scale_;
  double determinant_ = 1;
};

/// A part of the raster with bilinear values between pixel centres.
class Ground {
 public:
  Ground(const Raster& raster, const geometry::Affine& pixel_from_map,
         const geometry::Window& window)
      : pixel_from_map_(pixel_from_map),
        window_(window),
        heights_(static_cast<std::size_t>(window.width * window.height), std::nan("")) {
    const auto& band = raster.info().bands.front();
    const auto dtype = band.dtype;
    std::vector<std::byte> bytes(heights_.size() * shard::byte_size(dtype));
    std::vector<std::uint8_t> valid(heights_.size());
    raster.read(0, window, bytes);
    raster.read_mask(window, valid);
    clear_nodata(dtype, bytes, {.value = band.nodata}, valid);
    shard::with_type(dtype, [&](auto type) {
      const auto* source = reinterpret_cast<const decltype(type)*>(bytes.data());
      for (std::size_t k = 0; k < heights_.size(); ++k)
        if (valid[k] != 0) heights_[k] = static_cast<double>(source[k]);
    });
  }
  [[nodiscard]] double at(MapXY place) const {
    const auto p = geometry::pixel_from_map(pixel_from_map_, place);
    const double col = p.col - 0.5 - static_cast<double>(window_.col),
                 row = p.row - 0.5 - static_cast<double>(window_.row);
    if (!(col >= 0 && row >= 0 && col < static_cast<double>(window_.width - 1) &&
          row < static_cast<double>(window_.height - 1)))
      return std::nan("");
    const auto c = static_cast<std::int64_t>(col), r = static_cast<std::int64_t>(row);
    const double u = col - static_cast<double>(c), v = row - static_cast<double>(r);
    const auto z = [&](std::int64_t x, std::int64_t y) {
      return heights_[static_cast<std::size_t>(y * window_.width + x)];
    };
    return (1 - v) * ((1 - u) * z(c, r) + u * z(c + 1, r)) +
           v * ((1 - u) * z(c, r + 1) + u * z(c + 1, r + 1));
  }

 private:
  geometry::Affine pixel_from_map_;
  geometry::Window window_;
  std::vector<double> heights_;
};

/// The raster, and fits on it; a thread has its own.
class Fits {
 public:
  Fits(const LabelObjects& objects, const std::filesystem::path& file, const OpenPolicy& policy)
      : objects_(objects), raster_(Raster::open(file, policy)) {
    const auto& info = raster_.info();
    const auto inverted = geometry::inverse(info.affine);
    if (!info.crs.known() || !info.has_georeference || !inverted || info.bands.size() != 1)
      throw Error::failed("layer " + objects.layer + ": width.fit: " + file.string() + " has " +
                          std::to_string(info.bands.size()) + " bands" +
                          (info.crs.known() ? "" : " and no CRS") +
                          "; give a raster of one band that says where it lies");
    pixel_from_map_ = *inverted;
  }

  [[nodiscard]] std::optional<geometry::RoadFit> fit(const LabelObject& object,
                                                     const std::string& rule) const {
    const auto longest = std::ranges::max_element(
        object.lines, {}, [](const ObjectLine& line) { return length_of(line.line); });
    const auto& info = raster_.info();
    const auto line = geometry::projected(longest->line, objects_.crs, info.crs, 500);
    if (!line) return std::nullopt;
    const Plane plane((*line)[line->size() / 2], info.crs);
    geometry::RoadFitConfig config;
    const MapXY corner = plane.metres(info.affine.map_from_pixel({0, 0})),
                next = plane.metres(info.affine.map_from_pixel({1, 0}));
    config.pixel_m = std::hypot(next.x - corner.x, next.y - corner.y);
    config.least_noise = kTextureM;
    const auto window = window_around(
        *line, (2 * config.most_offset_m + 4 * object.half_width_m + 10) / config.pixel_m);
    if (window.width < 2 || window.height < 2 ||
        static_cast<double>(window.width) * static_cast<double>(window.height) > kMostPixels)
      return std::nullopt;
    const Ground ground(raster_, pixel_from_map_, window);
    MapLine metres;
    for (const MapXY p : *line) metres.push_back(plane.metres(p));
    return geometry::fit_road(
        metres, [&](MapXY p) { return ground.at(plane.map(p)); },
        {.width_m = 2 * object.half_width_m, .width_sigma_log = sigma_log_of(rule)}, config);
  }

 private:
  [[nodiscard]] geometry::Window window_around(const MapLine& line, double margin_px) const {
    double col0 = 1e18, row0 = 1e18, col1 = -1e18, row1 = -1e18;
    for (const MapXY place : line) {
      const auto p = geometry::pixel_from_map(pixel_from_map_, place);
      col0 = std::min(col0, p.col), col1 = std::max(col1, p.col), row0 = std::min(row0, p.row),
      row1 = std::max(row1, p.row);
    }
    const auto cut = [](double value, std::int64_t most) {
      return static_cast<std::int64_t>(
          std::clamp(std::floor(value), 0.0, static_cast<double>(most)));
    };
    const auto& info = raster_.info();
    const auto col = cut(col0 - margin_px, info.width), row = cut(row0 - margin_px, info.height);
    return {col, row, cut(col1 + margin_px, info.width) - col,
            cut(row1 + margin_px, info.height) - row};
  }

  const LabelObjects& objects_;
  Raster raster_;
  geometry::Affine pixel_from_map_;
};

}  // namespace

void fit_widths(LabelObjects& objects, const std::filesystem::path& raster,
                const OpenPolicy& policy) {
  tbb::enumerable_thread_specific<std::optional<Fits>> fits;
  const auto fit_one = [&](LabelObject& object) {
    if (object.lines.empty()) return;
    auto& row = objects.rows[object.feature];
    auto& mine = fits.local();
    if (!mine) mine.emplace(objects, raster, policy);
    const auto fit = mine->fit(object, row.rule.value_or(""));
    row.width_sigma_m =
        fit ? fit->width_sigma_m : 2 * object.half_width_m * sigma_log_of(row.rule.value_or(""));
    if (!fit || !fit->is_fitted) return;
    row.rule = "fitted";
    row.width_m = fit->width_m;
    row.offset_m = fit->offset_m;
    object.half_width_m = fit->width_m / 2;
  };
  try {
    if (!objects.objects.empty()) fits.local().emplace(objects, raster, policy);
    tbb::parallel_for(std::size_t{0}, objects.objects.size(),
                      [&](std::size_t k) { fit_one(objects.objects[k]); });
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + objects.layer + ": width.fit: cannot read " + raster.string() +
                        ": " + error.what() + "; repair the file, or name another in the job");
  }
}

}  // namespace tilewright::pipeline
