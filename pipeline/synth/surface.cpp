// SPDX-License-Identifier: Apache-2.0
// Elevation and cover: a fractal relief with roads on it, roofs and crowns above it.
#include <algorithm>
#include <cmath>

#include "geometry/crs.h"
#include "geometry/rasterize.h"
#include "pipeline/synth/random.h"
#include "pipeline/synth/relief.h"
#include "pipeline/synth/render.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;

constexpr double kNoise = 0.08;  // metres, one sigma

class Painter {
 public:
  explicit Painter(const World& world)
      : world_(world), size_(world.area.size_px), relief_{mixed(world.seed, 10), 420, 7, 0.5}, crown_{mixed(world.seed, 11), 4, 2, 0.5} {
    const auto pixels = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
    out_.elevation_m.resize(pixels);
    out_.cover.resize(pixels, Cover::ground);
    out_.roof.resize(pixels, 0);
  }

  Surface run() {
    for (int row = 0; row < size_; ++row)
      for (int col = 0; col < size_; ++col) out_.elevation_m[at(col, row)] = static_cast<float>(ground(place(col, row)));
    paint_roads();
    for (const auto& tree : world_.trees) paint_tree(tree);
    for (const auto& building : world_.buildings) paint_building(building);
    Random noise(world_.seed, 12);
    for (auto& z : out_.elevation_m) z += static_cast<float>(kNoise * noise.normal());
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::size_t at(int col, int row) const { return static_cast<std::size_t>(row) * static_cast<std::size_t>(size_) + static_cast<std::size_t>(col); }
  [[nodiscard]] MapXY place(int col, int row) const { return world_.area.affine().map_from_pixel({col + 0.5, row + 0.5}); }
  [[nodiscard]] double ground(MapXY p) const { return 420 + 7 * relief_.at(p); }

  /// Calls paint(pixel index, place) for every pixel centre within radius of the centre.
  template <class Paint>
  void around(MapXY centre, double radius_m, Paint paint) {
    const int col = static_cast<int>(std::floor(centre.x - world_.area.min_x)), row = static_cast<int>(std::floor(world_.area.max_y - centre.y));
    const int reach = static_cast<int>(std::ceil(radius_m)) + 1;
    for (int r = std::max(0, row - reach); r <= std::min(size_ - 1, row + reach); ++r)
      for (int c = std::max(0, col - reach); c <= std::min(size_ - 1, col + reach); ++c) paint(at(c, r), place(c, r));
  }

  void paint_roads() {
    std::vector<std::uint8_t> mask(out_.cover.size(), 0);
    const geometry::MaskBuffer<std::uint8_t> buffer{{world_.area.affine(), {0, 0, size_, size_}}, mask};
    const auto crs = geometry::Crs::from_epsg(world_.area.epsg);
    for (const auto& road : world_.roads) {
      const auto& middle = road.line[road.line.size() / 2];
      geometry::fill_line(buffer, {road.line, road.width_m / 2, false, false, geometry::ground_scale(middle, crs)}, 1);
    }
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (mask[i]) out_.cover[i] = Cover::road;
  }

  void paint_tree(const Tree& tree) {
    around(tree.centre, tree.radius_m, [&](std::size_t i, MapXY p) {
      const double r = std::hypot(p.x - tree.centre.x, p.y - tree.centre.y) / tree.radius_m;
      if (r >= 1) return;
      const double crown = tree.height_m * std::sqrt(1 - r * r) * (0.85 + 0.15 * crown_.at(p));
      out_.elevation_m[i] = std::max(out_.elevation_m[i], static_cast<float>(ground(p) + crown));
      out_.cover[i] = Cover::tree;
    });
  }

  void paint_building(const Building& building) {
    const double base = ground(building.shape.centre);
    const auto colour = static_cast<std::uint8_t>(1 + mixed(world_.seed, static_cast<std::uint64_t>(&building - world_.buildings.data())) % 255);
    around(building.shape.centre, building.shape.radius_m(), [&](std::size_t i, MapXY p) {
      const auto local = building.shape.local(p);
      if (!building.shape.contains(local)) return;
      const double gable = building.ridge_m * (1 - std::abs(local.y) / building.shape.half_width_m);
      out_.elevation_m[i] = static_cast<float>(base + building.height_m + gable);
      out_.cover[i] = Cover::roof;
      out_.roof[i] = colour;
    });
  }

  const World& world_;
  int size_;
  FractalField relief_, crown_;
  Surface out_;
};

}  // namespace

Surface render_surface(const World& world) { return Painter(world).run(); }

}  // namespace tilewright::pipeline
