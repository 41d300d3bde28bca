// SPDX-License-Identifier: Apache-2.0
// Fitted widths and offsets on 200 generated segments with curbs, ditches and embankments.
#include "geometry/road_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace tilewright::geometry {
namespace {

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
  Segment(std::mt19937& random, double class_width_m, Edge edge, const Setting& setting = {})
      : class_width_m_(class_width_m), edge_(edge) {
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
    const double t = (y - true_y(x)) * std::cos(std::atan(bend_ / 60 * std::cos(x / 60 + phase_)));
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
  [[nodiscard]] Heights raster(double pixel_m, double noise_m, std::mt19937& random) const {
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
            sum += z(out.x0 + (static_cast<double>(c) + u) * pixel_m,
                     out.y0 + (static_cast<double>(r) + v) * pixel_m) /
                   4;
        out.z.push_back(sum + noise_m * noise(random));
      }
    return out;
  }

 private:
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

struct Figures {
  double median_error = 0, within = 0, covered = 0, iou = 0, table_iou = 0, fitted = 0;
};

double iou_of(const Segment& segment, const RoadFit& fit) {
  Overlap overlap;
  for (const auto& station : fit.stations) {
    const double y = station.on_line.y + station.offset_m * station.normal.y,
                 x = station.on_line.x + station.offset_m * station.normal.x;
    overlap.add(segment.true_y(x), segment.width_m(), y, fit.width_m);
  }
  return overlap.iou();
}

Figures measured(int count, double pixel_m, double noise_m, unsigned seed, const Setting& setting = {}) {
  std::mt19937 random(seed);
  const auto& classes = setting.classes_m;
  std::vector<double> errors;
  Figures figures;
  for (int k = 0; k < count; ++k) {
    const Segment segment(random, classes[static_cast<std::size_t>(k) % classes.size()], static_cast<Edge>(k % 3), setting);
    const auto heights = segment.raster(pixel_m, noise_m, random);
    RoadFitConfig config;
    config.pixel_m = pixel_m;
    const RoadFit fit = fit_road(
        segment.mapped(), heights,
        {.width_m = segment.class_width_m(), .width_sigma_log = 0.25, .offset_sigma_m = 2}, config);
    RoadFit table = fit;
    table.width_m = segment.class_width_m();
    for (auto& station : table.stations) station.offset_m = 0;
    const double iou = iou_of(segment, fit), table_iou = iou_of(segment, table),
                 error = fit.width_m - segment.width_m();
    errors.push_back(std::abs(error));
    figures.covered += (std::abs(error) <= fit.width_sigma_m ? 1.0 : 0.0) / count;
    figures.within += (std::abs(error) <= 1.5 ? 1.0 : 0.0) / count;
    figures.fitted += (fit.is_fitted ? 1.0 : 0.0) / count;
    figures.iou += iou / count, figures.table_iou += table_iou / count;
  }
  std::nth_element(errors.begin(), errors.begin() + count / 2, errors.end());
  figures.median_error = errors[static_cast<std::size_t>(count / 2)];
  return figures;
}

TEST(RoadFit, FindsTheWidthOf200Segments) {
  const auto figures = measured(200, 1, 0.03, 91);
  EXPECT_LE(figures.median_error, 0.6);
  EXPECT_GE(figures.within, 0.9);
  EXPECT_GE(figures.covered, 0.60);
  EXPECT_LE(figures.covered, 0.76);
  EXPECT_GE(figures.iou, figures.table_iou + 0.08);
  EXPECT_GT(figures.fitted, 0.99);
  RecordProperty("median_error_m", std::to_string(figures.median_error));
  RecordProperty("within_1.5_m", std::to_string(figures.within));
  RecordProperty("interval_covers", std::to_string(figures.covered));
  RecordProperty("iou", std::to_string(figures.iou));
  RecordProperty("table_iou", std::to_string(figures.table_iou));
}

/// Seeds and settings that nothing was tuned on: other classes, wider spread, a worse map, sharper bends, other ground.
TEST(RoadFit, HoldsOnSegmentsThatItWasNotTunedOn) {
  const Setting other{.classes_m = {4, 5.5, 7, 9, 11}, .spread_log = 0.28, .map_error_m = 1.8, .bend_m = 9, .bumps_m = 0.05};
  double worst_median = 0, least_within = 1, least_gain = 1, covered = 0;
  for (const unsigned seed : {20011U, 20012U, 20013U}) {
    const auto figures = measured(60, 1, 0.05, seed, other);
    std::printf("holdout %u: median error %.2f m, within 1.5 m %.0f %%, 68 %% interval covers %.0f %%, IoU %.3f against %.3f of the table\n", seed,
                figures.median_error, 100 * figures.within, 100 * figures.covered, figures.iou, figures.table_iou);
    worst_median = std::max(worst_median, figures.median_error);
    least_within = std::min(least_within, figures.within);
    least_gain = std::min(least_gain, figures.iou - figures.table_iou);
    covered += figures.covered / 3;
  }
  EXPECT_LE(worst_median, 0.6);
  EXPECT_GE(least_within, 0.85);
  EXPECT_GE(least_gain, 0.08);
  EXPECT_GE(covered, 0.5);
}

TEST(RoadFit, IsBetterThanTheTableAtEveryNoise) {
  for (const auto& [pixel_m, noise_m] : {std::pair{1.0, 0.08}, {0.5, 0.03}, {0.5, 0.08}}) {
    const auto figures = measured(20, pixel_m, noise_m, 92);
    EXPECT_GE(figures.iou, figures.table_iou + 0.08);
  }
}

TEST(RoadFit, KeepsThePriorWhereTheGroundShowsNothing) {
  std::mt19937 random(93);
  for (int k = 0; k < 10; ++k) {
    const Segment flat(random, 6, Edge::none);
    std::normal_distribution<double> noise(0, 0.03);
    Heights street = flat.raster(1, 0, random);
    for (auto& z : street.z) z = noise(random);
    const auto fit = fit_road(flat.mapped(), street, {.width_m = 6});
    EXPECT_FALSE(fit.is_fitted) << fit.contrast;
    EXPECT_EQ(fit.width_m, 6);
    EXPECT_EQ(fit.offset_m, 0);
  }
  const auto none =
      fit_road({{0, 0}, {100, 0}}, [](MapXY) { return std::nan(""); }, {.width_m = 7});
  EXPECT_FALSE(none.is_fitted);
  EXPECT_EQ(none.width_m, 7);
  EXPECT_FALSE(fit_road({{5, 5}, {5, 5}}, [](MapXY) { return 1.0; }, {}).is_fitted);
}

}  // namespace
}  // namespace tilewright::geometry
