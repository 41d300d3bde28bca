// SPDX-License-Identifier: Apache-2.0
// Optical scenes: reflectance of each cover with seasons, shade, clouds and a turned footprint.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "pipeline/synth/random.h"
#include "pipeline/synth/relief.h"
#include "pipeline/synth/render.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;
using Spectrum = std::array<double, kOpticalBands>;  // reflectance of blue, green, red, nir

constexpr Spectrum kGrass = {0.04, 0.08, 0.05, 0.38}, kSoil = {0.09, 0.13, 0.18, 0.26}, kTree = {0.025, 0.05, 0.03, 0.45},
                   kRoad = {0.11, 0.12, 0.13, 0.15}, kCloud = {0.62, 0.63, 0.64, 0.66};

Spectrum blend(const Spectrum& a, const Spectrum& b, double t) {
  Spectrum out{};
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = std::lerp(a[k], b[k], t);
  return out;
}

Spectrum roof_spectrum(std::uint8_t colour) {
  const double tile = (colour % 16) / 15.0, bright = 0.7 + 0.6 * (colour / 16) / 15.0;
  Spectrum out = blend({0.16, 0.17, 0.18, 0.20}, {0.08, 0.11, 0.24, 0.30}, tile);
  for (auto& value : out) value *= bright;
  return out;
}

/// 1 in summer, 0 in winter.
double greenness(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  const auto of_year = (day - std::chrono::sys_days(date.year() / std::chrono::January / 1)).count();
  return 0.5 - 0.5 * std::cos(2 * 3.14159265358979 * (static_cast<double>(of_year) - 15) / 365);
}

class Camera {
 public:
  Camera(const World& world, const Surface& surface, const ScenePlan& plan)
      : world_(world), surface_(surface), plan_(plan), fields_{mixed(world.seed, 20), 90, 4, 0.55},
        clouds_{mixed(plan.seed, 21), 160, 4, 0.5}, noise_(plan.seed, 22) {}

  Scene shoot() {
    const auto n = static_cast<std::size_t>(plan_.size_px) * static_cast<std::size_t>(plan_.size_px);
    Scene scene{std::vector<std::uint16_t>(kOpticalBands * n, 0), std::vector<std::uint8_t>(n, 0)};
    for (int row = 0; row < plan_.size_px; ++row)
      for (int col = 0; col < plan_.size_px; ++col) {
        const auto place = plan_.affine.map_from_pixel({col + 0.5, row + 0.5});
        if (!is_inside(col + 0.5, row + 0.5) || !is_known(place)) continue;
        const auto i = static_cast<std::size_t>(row) * static_cast<std::size_t>(plan_.size_px) + static_cast<std::size_t>(col);
        auto spectrum = ground(place);
        const double cloud = clouds_.at(place) - plan_.cloud_level;
        if (cloud > -0.1) spectrum = blend(spectrum, kCloud, std::clamp((cloud + 0.1) / 0.2, 0.0, 1.0));
        scene.quality[i] = cloud > -0.05;
        for (std::size_t k = 0; k < spectrum.size(); ++k) scene.pixels[k * n + i] = quantized(spectrum[k]);
      }
    return scene;
  }

 private:
  /// The footprint is a square turned inside its box.
  [[nodiscard]] bool is_inside(double col, double row) const {
    const double half = plan_.size_px / 2.0, c = std::cos(plan_.turn), s = std::sin(plan_.turn);
    const double reach = half / (std::abs(c) + std::abs(s)) * 1.06;
    return std::abs(c * (col - half) + s * (row - half)) < reach && std::abs(-s * (col - half) + c * (row - half)) < reach;
  }

  /// Nothing is drawn beyond the area.
  [[nodiscard]] bool is_known(MapXY place) const {
    const auto& area = world_.area;
    return place.x > area.min_x && place.x < area.min_x + area.size_px && place.y < area.max_y && place.y > area.max_y - area.size_px;
  }

  [[nodiscard]] Spectrum ground(MapXY place) const {
    const auto [min_x, max_y, size] = std::tuple(world_.area.min_x, world_.area.max_y, world_.area.size_px);
    const int col = std::clamp(static_cast<int>(std::floor(place.x - min_x)), 0, size - 1);
    const int row = std::clamp(static_cast<int>(std::floor(max_y - place.y)), 0, size - 1);
    const auto at = [&](int c, int r) { return static_cast<std::size_t>(r) * static_cast<std::size_t>(size) + static_cast<std::size_t>(c); };
    const auto i = at(col, row);
    Spectrum out{};
    switch (surface_.cover[i]) {
      case Cover::road: out = kRoad; break;
      case Cover::roof: out = roof_spectrum(surface_.roof[i]); break;
      case Cover::tree: out = blend(kSoil, kTree, 0.4 + 0.6 * greenness(plan_.day)); break;
      case Cover::ground: out = blend(kSoil, kGrass, std::clamp(0.3 + 0.8 * fields_.at(place), 0.0, 1.0) * (0.3 + 0.7 * greenness(plan_.day)));
    }
    const double slope = surface_.elevation_m[at(std::min(col + 1, size - 1), row)] - surface_.elevation_m[at(std::max(col - 1, 0), row)];
    for (auto& value : out) value *= 1 + 0.12 * std::tanh(slope);
    return out;
  }

  std::uint16_t quantized(double reflectance) {
    return static_cast<std::uint16_t>(std::clamp(std::lround(10000 * reflectance * (1 + 0.02 * noise_.normal())), 1L, 65535L));
  }

  const World& world_;
  const Surface& surface_;
  const ScenePlan& plan_;
  FractalField fields_, clouds_;
  Random noise_;
};

}  // namespace

std::vector<ScenePlan> plan_scenes(const World& world, int count) {
  std::vector<ScenePlan> plans;
  Random random(world.seed, 5);
  const auto first = std::chrono::sys_days(std::chrono::year(2023) / 3 / 12) + std::chrono::days(world.area.name == "w" ? 0 : 2);
  for (int i = 0; i < count; ++i) {
    ScenePlan plan;
    plan.day = first + std::chrono::days(240 * i / count);
    const std::chrono::year_month_day date(plan.day);
    char text[16];
    std::snprintf(text, sizeof text, "%04d%02u%02u", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    plan.name = "optical_" + world.area.name + "_" + text;
    plan.size_px = world.area.size_px;
    const int reach = world.area.size_px / 12;
    const double off_lattice = i + 1 == count ? 0.4 : 0;
    plan.affine = {1, 0, world.area.min_x + random.integer(-reach, reach) + off_lattice, 0, -1, world.area.max_y + random.integer(-reach, reach)};
    plan.turn = random.uniform(0.09, 0.22) * (random.chance(0.5) ? 1 : -1);
    plan.cloud_level = i % 2 == 1 ? random.uniform(0.25, 0.6) : 9;
    plan.seed = mixed(world.seed, 100 + static_cast<std::uint64_t>(i));
    plans.push_back(std::move(plan));
  }
  return plans;
}

Scene render_scene(const World& world, const Surface& surface, const ScenePlan& plan) { return Camera(world, surface, plan).shoot(); }

}  // namespace tilewright::pipeline
