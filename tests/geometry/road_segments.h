// SPDX-License-Identifier: Apache-2.0
// Generated segments of road with curbs, ditches and embankments, as terrain and as an image, and how well a fit covers them.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "geometry/polygon.h"

namespace tilewright::geometry {

enum class Edge { curb, ditch, embankment, none };

/// A raster of heights with bilinear values between its centres.
struct Heights {
  double pixel_m = 1, x0 = 0, y0 = 0;  ///< centre of the first pixel
  std::int64_t width = 0, height = 0;
  std::vector<double> z;
  double operator()(MapXY p) const {
    const double col = (p.x - x0) / pixel_m, row = (p.y - y0) / pixel_m;
    const auto c = static_cast<std::int64_t>(std::floor(col)),
               r = static_cast<std::int64_t>(std::floor(row));
    if (c < 0 || r < 0 || c + 1 >= width || r + 1 >= height) return std::nan("");
    const double u = col - static_cast<double>(c), v = row - static_cast<double>(r);
    const auto at = [&](std::int64_t cc, std::int64_t rr) {
      return z[static_cast<std::size_t>(rr * width + cc)];
    };
    return (1 - v) * ((1 - u) * at(c, r) + u * at(c + 1, r)) +
           v * ((1 - u) * at(c, r + 1) + u * at(c + 1, r + 1));
  }
};

/// What segments are drawn from. The defaults are those that the fit was tuned on.
struct Setting {
  std::vector<double> classes_m{3.5, 5, 6.5, 8, 10};
  double spread_log = 0.22, map_error_m = 1.2, bend_m = 6, bumps_m = 0.035;
};

/// Straight along x with a bend; what the map says of it lies off by about 1.2 m.
class Segment {
 public:
  Segment(std::mt19937& random, double class_width_m, Edge edge, const Setting& setting = {}) : class_width_m_(class_width_m), edge_(edge) {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform(0, 1);
    width_m_ = std::clamp(class_width_m * std::exp(setting.spread_log * normal(random)), 2.5, 16.0);
    bend_ = setting.bend_m * normal(random), phase_ = 6.28 * uniform(random);
    shift_ = normal(random) * setting.map_error_m * 0.8, drift_ = normal(random) * setting.map_error_m * 0.6 * 1.41,
    drift_phase_ = 6.28 * uniform(random);
    crown_ = 0.015 + 0.015 * uniform(random), tilt_ = 0.01 * normal(random),
    grade_ = 0.03 * normal(random);
    height_ = edge == Edge::curb ? 0.10 + 0.06 * uniform(random) : 0.4 + 0.8 * uniform(random);
    side_ = uniform(random) < 0.5 ? -1 : 1;
    for (auto& wave : relief_)
      wave = {(uniform(random) - 0.5) * 0.16, (uniform(random) - 0.5) * 0.16,
              6.28 * uniform(random), 0.5 * normal(random)};
    for (auto& wave : bumps_)
      wave = {(uniform(random) - 0.5) * 3, (uniform(random) - 0.5) * 3, 6.28 * uniform(random),
              setting.bumps_m * normal(random)};
    paint(random);
  }
  static constexpr double kLength = 200;
  [[nodiscard]] double width_m() const { return width_m_; }
  [[nodiscard]] double class_width_m() const { return class_width_m_; }
  [[nodiscard]] double true_y(double x) const { return bend_ * std::sin(x / 60 + phase_); }
  [[nodiscard]] double mapped_y(double x) const {
    return true_y(x) + shift_ + drift_ * std::sin(x / 45 + drift_phase_);
  }
  [[nodiscard]] MapLine mapped() const {
    MapLine line;
    for (double x = 0; x <= kLength; x += 10) line.push_back({x, mapped_y(x)});
    return line;
  }
  [[nodiscard]] double z(double x, double y) const {
    const double t = across(x, y);
    const double out = std::abs(t) - width_m_ / 2, base = grade_ * x + waves(relief_, x, true_y(x));
    const double edge_z = -crown_ * std::min(std::abs(t), width_m_ / 2) +
                          tilt_ * std::clamp(t, -width_m_ / 2, width_m_ / 2);
    if (out <= 0) return base + edge_z;
    const double far = std::min(1.0, out / 12);
    const double ground =
        (1 - far) * base + far * (grade_ * x + waves(relief_, x, y)) + waves(bumps_, x, y);
    switch (edge_) {
      case Edge::curb:
        return ground + edge_z + height_ * std::min(1.0, out / 0.2);
      case Edge::ditch:
        return ground + edge_z - height_ * std::max(0.0, 1 - std::abs(out - 1.2) / 1.2);
      case Edge::embankment:
        return ground + edge_z + (t * side_ > 0 ? 1 : -1) * height_ * std::min(1.0, out / 2);
      case Edge::none:
        break;
    }
    return base + edge_z - 0.02 * out;
  }
  /// Brightness, about 0 to 1: asphalt with patches, a broken line in the middle and cars; beside a curb a pavement, beside a ditch
  /// grass, beside an embankment trees whose shadows lie over the edge.
  [[nodiscard]] double tone(double x, double y) const {
    const double t = across(x, y), out = std::abs(t) - width_m_ / 2;
    if (out <= 0) {
      double value = road_tone_ + 0.1 * waves(relief_, x, y);
      if (width_m_ > 5.5 && std::abs(t) < 0.08 && std::fmod(x + 1000, 9) < 4) value += 0.3;
      for (const auto& car : cars_)
        if (std::abs(x - car.x) < 2.2 && std::abs(t - car.t * width_m_) < 0.9) value = car.tone;
      if (edge_ == Edge::embankment && t * side_ > 0 && out > -1.5 && std::sin(x / 7 + drift_phase_) > 0.6) value -= 0.12;
      return value;
    }
    if (edge_ == Edge::curb && out < 2) return road_tone_ + beside_tone_ / 2 + 0.1 * waves(bumps_, x, y);
    return road_tone_ + beside_tone_ + 1.5 * waves(bumps_, x, y) + 0.1 * waves(relief_, x, y);
  }
  template <class Value>
  [[nodiscard]] Heights raster(double pixel_m, double noise_m, std::mt19937& random, Value value) const {
    std::normal_distribution<double> noise;
    Heights out{pixel_m,
                -40,
                -50,
                static_cast<std::int64_t>(280 / pixel_m),
                static_cast<std::int64_t>(100 / pixel_m),
                {}};
    for (std::int64_t r = 0; r < out.height; ++r)
      for (std::int64_t c = 0; c < out.width; ++c) {
        double sum = 0;  // a pixel is the mean of its ground
        for (const double v : {-0.25, 0.25})
          for (const double u : {-0.25, 0.25})
            sum += value(out.x0 + (static_cast<double>(c) + u) * pixel_m, out.y0 + (static_cast<double>(r) + v) * pixel_m) / 4;
        out.z.push_back(sum + noise_m * noise(random));
      }
    return out;
  }
  [[nodiscard]] Heights raster(double pixel_m, double noise_m, std::mt19937& random) const {
    return raster(pixel_m, noise_m, random, [this](double x, double y) { return z(x, y); });
  }

 private:
  /// Distance to the left of the true middle.
  [[nodiscard]] double across(double x, double y) const { return (y - true_y(x)) * std::cos(std::atan(bend_ / 60 * std::cos(x / 60 + phase_))); }
  /// Of a generator of its own, so that the ground stays as it was.
  void paint(const std::mt19937& random) {
    std::mt19937 own = random;
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform(0, 1);
    road_tone_ = 0.3 + 0.1 * uniform(own);
    beside_tone_ = (uniform(own) < 0.5 ? -1 : 1) * (edge_ == Edge::curb ? 0.06 + 0.1 * uniform(own) : 0.04 + 0.12 * uniform(own));
    for (auto& car : cars_) car = {kLength * uniform(own), uniform(own) < 0.5 ? -0.25 : 0.25, 0.1 + 0.7 * uniform(own)};
  }
  struct Wave {
    double kx = 0, ky = 0, phase = 0, size = 0;
  };
  template <std::size_t N>
  static double waves(const std::array<Wave, N>& all, double x, double y) {
    double sum = 0;
    for (const auto& wave : all)
      sum += wave.size * std::sin(wave.kx * x + wave.ky * y + wave.phase);
    return sum;
  }
  double class_width_m_, width_m_ = 0, bend_ = 0, phase_ = 0, shift_ = 0, drift_ = 0,
                         drift_phase_ = 0, crown_ = 0, tilt_ = 0, grade_ = 0, height_ = 0,
                         side_ = 1;
  Edge edge_;
  std::array<Wave, 6> relief_;
  std::array<Wave, 12> bumps_;
  struct Car {
    double x = 0, t = 0, tone = 0;
  };
  double road_tone_ = 0, beside_tone_ = 0;
  std::array<Car, 4> cars_;
};

/// Overlap of two roads along a segment, both given by middle and width across.
class Overlap {
 public:
  void add(double middle_a, double width_a, double middle_b, double width_b) {
    const double low = std::max(middle_a - width_a / 2, middle_b - width_b / 2),
                 high = std::min(middle_a + width_a / 2, middle_b + width_b / 2);
    const double both = std::max(0.0, high - low);
    inside_ += both, any_ += width_a + width_b - both;
  }
  [[nodiscard]] double iou() const { return inside_ / any_; }

 private:
  double inside_ = 0, any_ = 0;
};

}  // namespace tilewright::geometry
