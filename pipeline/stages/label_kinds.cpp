// SPDX-License-Identifier: Apache-2.0
// Kinds are functions of the object ids of a window and of a halo as wide as the kind looks.
#include "pipeline/stages/label_kinds.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <span>

#include "geometry/distance.h"
#include "geometry/error.h"
#include "pipeline/stages/whole_grid.h"

namespace tilewright::pipeline {
namespace {

using geometry::kUnknownObject;
using geometry::kUnknownPixel;
using geometry::MapXY;

constexpr std::int64_t kScaleBlockPx =
    128;  // metres a map unit are taken at the middle of such absolute blocks
constexpr double kMostReachPx = 2048;

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

template <class T, class IsPositive, class IsIgnored>
DrawnArray counted(const std::vector<T>& values, std::int64_t object_count, IsPositive is_positive,
                   IsIgnored is_ignored) {
  return {.bytes = bytes_of(values),
          .pixels = static_cast<std::int64_t>(values.size()),
          .positive = std::ranges::count_if(values, is_positive),
          .ignored = std::ranges::count_if(values, is_ignored),
          .object_count = object_count};
}

DrawnArray counted_bytes(const std::vector<std::uint8_t>& values, std::int64_t object_count) {
  return counted(
      values, object_count, [](auto v) { return v != 0 && v != kUnknownPixel; },
      [](auto v) { return v == kUnknownPixel; });
}
DrawnArray counted_floats(const std::vector<float>& values, std::int64_t object_count) {
  return counted(
      values, object_count, [](auto v) { return v > 0; }, [](auto v) { return std::isnan(v); });
}

std::int64_t objects_in(std::span<const std::uint32_t> ids) {
  std::set<std::uint32_t> found(ids.begin(), ids.end());
  return static_cast<std::int64_t>(found.size()) -
         static_cast<std::int64_t>(found.count(0) + found.count(kUnknownObject));
}

/// The window itself out of an array that is larger by `halo` pixels on each side.
template <class T>
std::vector<T> cut(const std::vector<T>& grown, const geometry::Window& window, std::int64_t halo) {
  std::vector<T> out;
  out.reserve(static_cast<std::size_t>(window.width * window.height));
  for (std::int64_t row = 0; row < window.height; ++row) {
    const auto first = grown.begin() + (row + halo) * (window.width + 2 * halo) + halo;
    out.insert(out.end(), first, first + window.width);
  }
  return out;
}

DrawnArray draw_classes(const LayerDrawing& layer, const LayerConfig&, const LabelGround&,
                        std::size_t window, std::size_t period) {
  const auto mask = layer.classes(window, period);
  return counted_bytes(mask.pixels, mask.object_count);
}

DrawnArray draw_instances(const LayerDrawing& layer, const LayerConfig&, const LabelGround&,
                          std::size_t window, std::size_t period) {
  const auto ids = layer.ids(window, period, 0);
  return counted(
      ids, objects_in(ids), [](auto v) { return v != 0 && v != kUnknownObject; },
      [](auto v) { return v == kUnknownObject; });
}

/// A map of ids within a reach of pixels: a boundary or contact.
template <class Map>
DrawnArray draw_near(const LayerDrawing& layer, const LabelGround& ground, std::size_t window,
                     std::size_t period, int reach_px, Map map) {
  const auto& size = ground.windows[window].frame.window;
  const auto ids = layer.ids(window, period, reach_px);
  const geometry::IdImage image{size.width + 2 * reach_px, size.height + 2 * reach_px, ids};
  return counted_bytes(cut(map(image, reach_px), size, reach_px),
                       objects_in(cut(ids, size, reach_px)));
}

DrawnArray draw_boundary(const LayerDrawing& layer, const LayerConfig& config,
                         const LabelGround& ground, std::size_t window, std::size_t period) {
  return draw_near(layer, ground, window, period, config.boundary_px, geometry::boundary_band);
}
DrawnArray draw_contact(const LayerDrawing& layer, const LayerConfig& config,
                        const LabelGround& ground, std::size_t window, std::size_t period) {
  return draw_near(layer, ground, window, period, config.contact_px, geometry::contact);
}

/// Sides of a pixel and what they measure on the ground. In a lattice the sides are map units,
/// times the scale of the absolute block that a pixel lies in, so that abutting windows agree; a
/// whole chip has one scale, that of its middle.
class GroundPixel {
 public:
  GroundPixel(const LabelGround& ground, const LabelWindow& window) : window_(window) {
    const auto& crs = ground.zones[window.zone];
    const auto& size = window.frame.window;
    const auto& a = window.frame.affine;
    if (is_whole(window.location_id)) {
      const auto scale =
          geometry::ground_scale(a.map_from_pixel({static_cast<double>(size.width) / 2,
                                                   static_cast<double>(size.height) / 2}),
                                 crs);
      const MapXY east = scale.metres({a.a, a.d}), north = scale.metres({a.b, a.e});
      pixel_ = {std::hypot(east.x, east.y), std::hypot(north.x, north.y)};
      return;
    }
    pixel_ = {std::abs(a.a), std::abs(a.e)};
    for (auto row = block(size.row); row <= block(size.row + size.height - 1); ++row)
      for (auto col = block(size.col); col <= block(size.col + size.width - 1); ++col) {
        const auto middle = [](std::int64_t b) {
          return (static_cast<double>(b) + 0.5) * static_cast<double>(kScaleBlockPx);
        };
        const auto s = geometry::ground_scale(a.map_from_pixel({middle(col), middle(row)}), crs);
        const double scale = std::sqrt(std::abs(s.east_x * s.north_y - s.east_y * s.north_x));
        scales_[{col, row}] = scale;
        least_ = least_ == 0 ? scale : std::min(least_, scale);
      }
  }

  [[nodiscard]] geometry::PixelSize sides() const { return pixel_; }
  /// A little more, in units of the sides, than what measures `metres` anywhere in the window.
  [[nodiscard]] double reach(double metres) const {
    return 1.01 * metres / (scales_.empty() ? 1 : least_);
  }
  [[nodiscard]] std::int64_t reach_px(double metres) const {
    const double reach_px = reach(metres) / std::min(pixel_.east_m, pixel_.north_m);
    if (!(reach_px <= kMostReachPx))
      throw Error::failed(
          "location " + window_.location_id + ": distance_m: " + std::to_string(metres) + " is " +
          std::to_string(reach_px) + " of its pixels, at most " + std::to_string(kMostReachPx) +
          " can be searched; give a smaller distance_m");
    return static_cast<std::int64_t>(std::ceil(reach_px));
  }
  /// Of a pixel of the window, counted from its upper-left one.
  [[nodiscard]] double scale(std::int64_t col, std::int64_t row) const {
    return scales_.empty() ? 1
                           : scales_.at({block(window_.frame.window.col + col),
                                         block(window_.frame.window.row + row)});
  }

 private:
  static std::int64_t block(std::int64_t pixel) {
    return pixel >= 0 ? pixel / kScaleBlockPx : -((kScaleBlockPx - 1 - pixel) / kScaleBlockPx);
  }

  const LabelWindow& window_;
  geometry::PixelSize pixel_;
  std::map<std::pair<std::int64_t, std::int64_t>, double> scales_;
  double least_ = 0;
};

DrawnArray draw_distance(const LayerDrawing& layer, const LayerConfig& config,
                         const LabelGround& ground, std::size_t window, std::size_t period) {
  const auto& size = ground.windows[window].frame.window;
  const GroundPixel pixel(ground, ground.windows[window]);
  const auto halo = pixel.reach_px(config.distance_m);
  const auto ids = layer.ids(window, period, halo);
  const geometry::IdImage image{size.width + 2 * halo, size.height + 2 * halo, ids};
  auto distances =
      cut(geometry::signed_distance_m(image, pixel.sides(), pixel.reach(config.distance_m)), size,
          halo);
  for (std::int64_t row = 0; row < size.height; ++row)
    for (std::int64_t col = 0; col < size.width; ++col) {
      float& d = distances[static_cast<std::size_t>(row * size.width + col)];
      d = static_cast<float>(std::clamp(static_cast<double>(d) * pixel.scale(col, row),
                                        -config.distance_m, config.distance_m));
    }
  return counted_floats(distances, objects_in(cut(ids, size, halo)));
}

DrawnArray draw_coverage(const LayerDrawing& layer, const LayerConfig&, const LabelGround&,
                         std::size_t window, std::size_t period) {
  const auto mask = layer.coverage(window, period);
  return counted_floats(mask.shares, mask.object_count);
}

DrawnArray draw_touched(const LayerDrawing& layer, const LayerConfig&, const LabelGround&, std::size_t window, std::size_t period) {
  const auto mask = layer.touched(window, period);
  return counted_bytes(mask.pixels, mask.object_count);
}

constexpr MaskKind kKinds[] = {{"", shard::DType::u8, false, draw_classes},
                               {"instances", shard::DType::u32, true, draw_instances},
                               {"boundary", shard::DType::u8, false, draw_boundary},
                               {"contact", shard::DType::u8, true, draw_contact},
                               {"distance", shard::DType::f32, false, draw_distance},
                               {"coverage", shard::DType::f32, true, draw_coverage},
                               {"touched", shard::DType::u8, true, draw_touched}};

}  // namespace

std::vector<const MaskKind*> kinds_of(const LayerConfig& config) {
  std::vector<const MaskKind*> kinds;
  for (const MaskKind& kind : kKinds)
    if (kind.name.empty() || std::ranges::find(config.kinds, kind.name) != config.kinds.end())
      kinds.push_back(&kind);
  return kinds;
}

std::string series_name(const std::string& layer, const MaskKind& kind) {
  return kind.name.empty() ? layer : layer + "_" + std::string(kind.name);
}

Halo halo_of(const LayerConfig& config) {
  Halo halo;
  for (const MaskKind* kind : kinds_of(config)) {
    if (kind->name == "distance") halo.metres = config.distance_m;
    if (kind->name == "boundary") halo.pixels = std::max(halo.pixels, config.boundary_px);
    if (kind->name == "contact") halo.pixels = std::max(halo.pixels, config.contact_px);
  }
  return halo;
}

}  // namespace tilewright::pipeline
