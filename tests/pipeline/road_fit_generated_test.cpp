// SPDX-License-Identifier: Apache-2.0
// `width.fit` on 200 generated segments as a layer reads them, from terrain and from an image: SCIENCE's goals for widths.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "geometry/crs.h"
#include "pipeline/stages/label_fit.h"
#include "tests/geometry/road_segments.h"
#include "tests/pipeline/label_world.h"

namespace tilewright::pipeline {
namespace {

using geometry::MapXY;
using geometry::Segment;

constexpr int kCount = 200, kColumns = 10;
constexpr double kWidthM = 280, kHeightM = 100, kX0 = 500000, kY0 = 5000000;

/// Where a place of segment `k` lies on the map: cells of 280 x 100 m, ten in a row.
MapXY on_map(int k, MapXY p, double pixel_m) {
  return {kX0 + k % kColumns * kWidthM + p.x + 40 + pixel_m / 2, kY0 + k / kColumns * kHeightM + p.y + 50 + pixel_m / 2};
}

struct Figures {
  double median_error = 0, within = 0, covered = 0, iou = 0, table_iou = 0, fitted = 0, worse = 0;
};

/// Segments with one raster and one file of lines, whose width is that of their class.
class Town {
 public:
  Town(FitEvidence evidence, double pixel_m, double noise, unsigned seed) : evidence_(evidence), pixel_m_(pixel_m) {
    std::mt19937 random(seed);
    const std::array classes_m{3.5, 5.0, 6.5, 8.0, 10.0};
    TinyRaster raster;
    raster.width = static_cast<int>(std::lround(kColumns * kWidthM / pixel_m)), raster.height = static_cast<int>(std::lround(kCount / kColumns * kHeightM / pixel_m));
    raster.type = GDT_Float32;
    raster.transform = std::vector<double>{kX0, pixel_m, 0, kY0 + kCount / kColumns * kHeightM, 0, -pixel_m};
    std::vector<float> pixels(static_cast<std::size_t>(raster.width) * static_cast<std::size_t>(raster.height));
    Features roads;
    for (int k = 0; k < kCount; ++k) {
      const double class_m = classes_m[static_cast<std::size_t>(k) % classes_m.size()];
      segments_.emplace_back(random, class_m, static_cast<geometry::Edge>(k % 3));
      const Segment& segment = segments_.back();
      const auto cell = segment.raster(pixel_m, noise, random, [&](double x, double y) { return evidence == FitEvidence::image ? segment.tone(x, y) : segment.z(x, y); });
      for (std::int64_t r = 0; r < cell.height; ++r)
        for (std::int64_t c = 0; c < cell.width; ++c)
          pixels[static_cast<std::size_t>((raster.height - 1 - (k / kColumns * cell.height + r)) * raster.width + k % kColumns * cell.width + c)] =
              static_cast<float>(cell.z[static_cast<std::size_t>(r * cell.width + c)]);
      std::vector<MapXY> line;
      for (const MapXY p : segment.mapped()) line.push_back(on_map(k, p, pixel_m));
      roads.line(line, "\"kind\":\"" + std::to_string(class_m) + "\"");
    }
    raster.pixel = [&](int, int col, int row) { return pixels[static_cast<std::size_t>(row) * static_cast<std::size_t>(raster.width) + static_cast<std::size_t>(col)]; };
    write_raster(folder_ / "ground.tif", raster);
    folder_.write("roads.geojson", roads.text());
    std::string table = "class,metres\n";
    for (const double class_m : classes_m) table += std::to_string(class_m) + "," + std::to_string(class_m) + "\n";
    folder_.write("table.csv", table);
  }

  [[nodiscard]] Figures measured() const {
    LayerConfig config;
    config.draw = Draw::lines;
    config.width.emplace();
    config.width->classes = WidthClasses{"kind", (folder_ / "table.csv").string()};
    config.width->fit_evidence = evidence_;
    LabelObjects objects = read_label_objects("roads", config, {folder_ / "roads.geojson", folder_ / "table.csv", ""}, {});
    std::map<std::size_t, std::vector<geometry::LonLat>> centres;
    for (auto& line : fit_widths(objects, folder_ / "ground.tif", *config.width, {})) centres[line.feature] = std::move(line.centre);
    Figures figures;
    std::vector<double> errors;
    for (int k = 0; k < kCount; ++k) {
      const auto feature = static_cast<std::size_t>(k);
      const auto& row = objects.rows.at(feature);
      const Segment& segment = segments_[feature];
      const double error = std::abs(*row.width_m - segment.width_m()), table_iou = iou(k, segment.mapped(), segment.class_width_m()),
                   own_iou = centres.contains(feature) ? iou(k, metres(k, centres[feature]), *row.width_m) : table_iou;
      EXPECT_EQ(row.rule == "fitted", centres.contains(feature));
      errors.push_back(error);
      figures.covered += (error <= *row.width_sigma_m ? 1.0 : 0.0) / kCount, figures.within += (error <= 1.5 ? 1.0 : 0.0) / kCount;
      figures.fitted += (row.rule == "fitted" ? 1.0 : 0.0) / kCount, figures.worse += (own_iou < table_iou - 0.01 ? 1.0 : 0.0) / kCount;
      figures.iou += own_iou / kCount, figures.table_iou += table_iou / kCount;
    }
    std::nth_element(errors.begin(), errors.begin() + kCount / 2, errors.end());
    figures.median_error = errors[kCount / 2];
    std::printf("%s, pixels of %g m: median error %.2f m, within 1.5 m %.1f %%, interval covers %.1f %%, IoU %.3f against %.3f of the table, fitted %.1f %%, worse than the table %.1f %%\n",
                evidence_ == FitEvidence::image ? "image" : "elevation", pixel_m_, figures.median_error, 100 * figures.within, 100 * figures.covered, figures.iou, figures.table_iou,
                100 * figures.fitted, 100 * figures.worse);
    return figures;
  }

 private:
  [[nodiscard]] std::vector<MapXY> metres(int k, const std::vector<geometry::LonLat>& centre) const {
    static const geometry::Transform to_map(geometry::wgs84(), geometry::Crs::from_epsg(32633));
    const MapXY origin = on_map(k, {0, 0}, pixel_m_);
    std::vector<MapXY> out;
    for (const auto& place : centre) {
      const MapXY p = *to_map({place.lon_deg, place.lat_deg});
      out.push_back({p.x - origin.x, p.y - origin.y});
    }
    return out;
  }
  /// Of a road along `line`, which runs to the right, with the true one.
  [[nodiscard]] double iou(int k, const std::vector<MapXY>& line, double width_m) const {
    const Segment& segment = segments_[static_cast<std::size_t>(k)];
    geometry::Overlap overlap;
    std::size_t next = 1;
    for (double x = 2; x < Segment::kLength - 2; x += 1) {
      while (next + 1 < line.size() && line[next].x < x) ++next;
      const MapXY a = line[next - 1], b = line[next];
      overlap.add(segment.true_y(x), segment.width_m(), a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y), width_m);
    }
    return overlap.iou();
  }

  FitEvidence evidence_;
  double pixel_m_;
  TemporaryFolder folder_;
  std::vector<Segment> segments_;
};

void expect_goals(const Figures& figures) {
  EXPECT_LE(figures.median_error, 0.6);
  EXPECT_GE(figures.within, 0.9);
  EXPECT_GE(figures.covered, 0.60);
  EXPECT_LE(figures.covered, 0.76);
  EXPECT_GE(figures.iou, figures.table_iou + 0.08);
  EXPECT_LE(figures.worse, 0.1) << "share of segments that the table had drawn better";
}

// Constants were chosen on seed 91; nothing was chosen on the other.
TEST(RoadFitGenerated, ElevationReachesTheGoalsAtEveryNoise) {
  for (const unsigned seed : {91U, 11U})
    for (const double noise_m : {0.03, 0.08}) expect_goals(Town(FitEvidence::elevation, 1, noise_m, seed).measured());
}

TEST(RoadFitGenerated, AnImageReachesTheGoalsAtEveryNoise) {
  for (const unsigned seed : {91U, 11U})
    for (const double noise : {0.01, 0.03}) expect_goals(Town(FitEvidence::image, 1, noise, seed).measured());
}

}  // namespace
}  // namespace tilewright::pipeline
