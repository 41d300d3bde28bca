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
#include "pipeline/stages/line_network.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapLine;
using geometry::MapXY;

constexpr double kMostPixels = 64e6;  // around one line: beyond, its rule's width stays
// Of an image in units of its own spread around the line: asphalt is even, but not more than this; metres by which shadows and
// pavements blur the edge.
constexpr double kTexture = 0.06, kTintSigma = 0.025, kImageEdgeM = 0.45;

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
         const geometry::Window& window, std::size_t number)
      : pixel_from_map_(pixel_from_map),
        window_(window),
        heights_(static_cast<std::size_t>(window.width * window.height), std::nan("")) {
    const auto& band = raster.info().bands[number];
    const auto dtype = band.dtype;
    std::vector<std::byte> bytes(heights_.size() * shard::byte_size(dtype));
    std::vector<std::uint8_t> valid(heights_.size());
    raster.read(static_cast<int>(number), window, bytes);
    raster.read_mask(window, valid);
    clear_nodata(dtype, bytes, {.value = band.nodata}, valid);
    shard::with_type(dtype, [&](auto type) {
      const auto* source = reinterpret_cast<const decltype(type)*>(bytes.data());
      for (std::size_t k = 0; k < heights_.size(); ++k)
        if (valid[k] != 0) heights_[k] = static_cast<double>(source[k]);
    });
  }
  /// Units of the spread around the median: what an image's numbers mean is not known.
  void standardize() {
    std::vector<double> known;
    for (const double z : heights_)
      if (!std::isnan(z)) known.push_back(z);
    if (known.empty()) return;
    const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
    std::nth_element(known.begin(), middle, known.end());
    const double level = *middle;
    for (double& z : known) z = std::abs(z - level);
    std::nth_element(known.begin(), middle, known.end());
    const double spread = std::max(1.4826 * *middle, 1e-12);
    for (double& z : heights_) z = (z - level) / spread;
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
  Fits(const LabelObjects& objects, const std::filesystem::path& file, const WidthConfig& config, const OpenPolicy& policy)
      : objects_(objects), band_(static_cast<std::size_t>(config.fit_band - 1)), is_image_(config.fit_evidence == FitEvidence::image), raster_(Raster::open(file, policy)) {
    const auto& info = raster_.info();
    const auto inverted = geometry::inverse(info.affine);
    if (!info.crs.known() || !info.has_georeference || !inverted || band_ >= info.bands.size())
      throw Error::failed("layer " + objects.layer + ": width.fit: " + file.string() + " has " +
                          std::to_string(info.bands.size()) + " bands" +
                          (info.crs.known() ? "" : " and no CRS") +
                          "; give a raster that has band " + std::to_string(band_ + 1) + " and says where it lies");
    pixel_from_map_ = *inverted;
  }

  /// The fit of an object's longest line, and its middle in degrees.
  struct Fit {
    geometry::RoadFit road;
    std::vector<geometry::LonLat> centre;
  };
  [[nodiscard]] std::optional<Fit> fit(const LabelObject& object,
                                                     double sigma_log) const {
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
    if (is_image_) {
      config.least_noise = kTexture, config.soft_share = 0, config.edge_sigma_m = kImageEdgeM;
      config.crown = 0, config.cross_slope_sigma = config.crown_sigma = kTintSigma;
    }
    const auto window = window_around(
        *line, (2 * config.most_offset_m + 4 * object.half_width_m + 10) / config.pixel_m);
    if (window.width < 2 || window.height < 2 ||
        static_cast<double>(window.width) * static_cast<double>(window.height) > kMostPixels)
      return std::nullopt;
    Ground ground(raster_, pixel_from_map_, window, band_);
    if (is_image_) ground.standardize();
    MapLine metres;
    for (const MapXY p : *line) metres.push_back(plane.metres(p));
    Fit out{geometry::fit_road(metres, [&](MapXY p) { return ground.at(plane.map(p)); }, {.width_m = 2 * object.half_width_m, .width_sigma_log = sigma_log}, config), {}};
    for (const MapXY p : out.road.centre)
      if (const auto place = geometry::geographic(plane.map(p), info.crs)) out.centre.push_back(*place);
    return out;
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
  std::size_t band_;
  bool is_image_;
  Raster raster_;
  geometry::Affine pixel_from_map_;
};

}  // namespace

std::vector<FittedLine> fit_widths(LabelObjects& objects, const std::filesystem::path& raster, const WidthConfig& config, const OpenPolicy& policy) {
  tbb::enumerable_thread_specific<std::optional<Fits>> fits;
  std::vector<FittedLine> centres(objects.objects.size());
  const auto fit_one = [&](LabelObject& object, FittedLine& centre) {
    if (object.lines.empty() || object.is_rejected) return;
    auto& row = objects.rows[object.feature];
    auto& mine = fits.local();
    if (!mine) mine.emplace(objects, raster, config, policy);
    const double prior_m = 2 * object.half_width_m;
    auto fit = mine->fit(object, row.width_sigma_m.value_or(prior_m / 4) / prior_m);
    if (fit) row.width_sigma_m = fit->road.width_sigma_m;
    if (!fit || !fit->road.is_fitted) return;
    row.source = "prior: " + row.source.value_or("");
    row.rule = "fitted";
    row.width_m = fit->road.width_m;
    row.offset_m = fit->road.offset_m;
    object.half_width_m = object.half_width_end_m = fit->road.width_m / 2;
    centre = {object.feature, std::move(fit->centre), fit->road.contrast};
  };
  try {
    if (!objects.objects.empty()) fits.local().emplace(objects, raster, config, policy);
    tbb::parallel_for(std::size_t{0}, objects.objects.size(), [&](std::size_t k) { fit_one(objects.objects[k], centres[k]); });
  } catch (const index::ItemError& error) {
    throw Error::failed("layer " + objects.layer + ": width.fit: cannot read " + raster.string() +
                        ": " + error.what() + "; repair the file, or name another in the job");
  }
  std::erase_if(centres, [](const FittedLine& line) { return line.centre.size() < 2; });
  return centres;
}

}  // namespace tilewright::pipeline
