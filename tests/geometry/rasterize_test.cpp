// SPDX-License-Identifier: Apache-2.0
// The rasterizer against brute force over pixel centres, windows against the mosaic.
#include "geometry/rasterize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "geometry/buffer.h"

namespace tilewright::geometry {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes filled(const Affine& affine, Window window, const MapMultiPolygon& polygons) {
  Bytes pixels(static_cast<std::size_t>(window.width * window.height));
  const auto count = fill_polygons({{affine, window}, pixels}, polygons, std::uint8_t{1});
  EXPECT_EQ(count, std::count(pixels.begin(), pixels.end(), 1));
  return pixels;
}

/// The rule of the header, per pixel: count edges whose rows hold the centre (top in, bottom out)
/// and that have the centre on them or to their right.
bool inside(const MapMultiPolygon& polygons, MapXY p) {
  int crossings = 0;
  const auto count = [&](const std::vector<MapXY>& ring) {
    for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
      MapXY top = ring[k], bottom = ring[k + 1];
      if (top.y < bottom.y) std::swap(top, bottom);
      if (!(p.y <= top.y && p.y > bottom.y)) continue;
      const long double cross = static_cast<long double>(bottom.x - top.x) * (p.y - top.y) -
                                static_cast<long double>(bottom.y - top.y) * (p.x - top.x);
      if (cross >= 0) ++crossings;  // to the right of the downward edge, or on it
    }
  };
  for (const MapPolygon& polygon : polygons) {
    count(polygon.outer);
    for (const auto& hole : polygon.holes) count(hole);
  }
  return crossings % 2 == 1;
}

MapMultiPolygon random_polygon(std::mt19937& random, bool on_centres) {
  while (true) {
    std::vector<MapXY> points;
    const int corners = 3 + static_cast<int>(random() % 9);
    for (int c = 0; c < corners; ++c)
      points.push_back(on_centres ? MapXY{(random() % 61) / 2.0, -((random() % 61) / 2.0)}
                                  : MapXY{random() / 1.4e8, -(random() / 1.4e8)});
    points.push_back(points.front());
    GatedPolygons gated = gate({MapPolygon{std::move(points), {}}});
    if (!gated.polygons.empty()) return gated.polygons;
  }
}

TEST(FillPolygons, EqualsBruteForceAlsoOnTies) {
  std::mt19937 random(51);
  const Affine affine{1, 0, 0, 0, -1, 0};
  const Window window{0, 0, 31, 31};
  for (int k = 0; k < 2400; ++k) {
    const MapMultiPolygon polygons = random_polygon(random, k % 2 == 0);
    const Bytes mask = filled(affine, window, polygons);
    for (int row = 0; row < 31; ++row)
      for (int col = 0; col < 31; ++col)
        ASSERT_EQ(mask[static_cast<std::size_t>(row * 31 + col)] != 0,
                  inside(polygons, affine.map_from_pixel({col + 0.5, row + 0.5})))
            << "polygon " << k << " pixel " << col << ", " << row;
  }
}

TEST(FillPolygons, LeftAndTopEdgesAreInRightAndBottomAreOut) {
  const MapMultiPolygon square{MapPolygon{{{1.5, -3.5}, {3.5, -3.5}, {3.5, -1.5}, {1.5, -1.5}, {1.5, -3.5}}, {}}};
  const Bytes mask = filled({1, 0, 0, 0, -1, 0}, {0, 0, 5, 5}, square);
  const Bytes expected{0, 0, 0, 0, 0,
                       0, 1, 1, 0, 0,
                       0, 1, 1, 0, 0,
                       0, 0, 0, 0, 0,
                       0, 0, 0, 0, 0};
  EXPECT_EQ(mask, expected);
}

TEST(FillPolygons, AbuttingPolygonsNeitherOverlapNorLeaveGaps) {
  std::mt19937 random(53);
  for (int k = 0; k < 300; ++k) {
    // A fan of triangles around one inner point tiles its square.
    const MapXY centre{1 + random() % 58 / 2.0, -(1 + random() % 58 / 2.0)};
    const std::vector<MapXY> rim{{0, -30}, {15.5, -30}, {30, -30}, {30, -7.5}, {30, 0}, {11, 0}, {0, 0}};
    std::vector<int> hits(900);
    for (std::size_t t = 0; t < rim.size(); ++t) {
      const MapPolygon triangle{{centre, rim[t], rim[(t + 1) % rim.size()], centre}, {}};
      const Bytes mask = filled({1, 0, 0, 0, -1, 0}, {0, 0, 30, 30}, {triangle});
      for (std::size_t i = 0; i < mask.size(); ++i) hits[i] += mask[i];
    }
    for (const int hit : hits) ASSERT_EQ(hit, 1);
  }
}

TEST(FillPolygons, WindowsEqualTheCutOfTheMosaic) {
  std::mt19937 random(59);
  for (const Affine affine : {Affine{0.3, 0, 500000.1, 0, -0.3, 4600000.7}, Affine{0.2, 0.1, 7, 0.1, -0.3, 9},
                              Affine{0.5, 0, -3, 0, 0.5, -20}})
    for (int k = 0; k < 100; ++k) {
      MapMultiPolygon polygons = random_polygon(random, false);
      for (MapXY& p : polygons[0].outer) p = affine.map_from_pixel({p.x * 3 - 10, -p.y * 3 - 10});
      polygons.resize(1);
      polygons[0].holes.clear();
      const Bytes whole = filled(affine, {-20, -20, 120, 120}, polygons);
      for (int tile = 0; tile < 4; ++tile) {
        const Window window{-20 + 60 * (tile % 2), -20 + 60 * (tile / 2), 60, 60};
        const Bytes part = filled(affine, window, polygons);
        for (int row = 0; row < 60; ++row)
          for (int col = 0; col < 60; ++col)
            ASSERT_EQ(part[static_cast<std::size_t>(row * 60 + col)],
                      whole[static_cast<std::size_t>((window.row + 20 + row) * 120 + window.col + 20 + col)]);
      }
    }
}

WideLine straight(double angle, double length, double width) {
  const MapXY d{std::cos(angle) * length / 2, std::sin(angle) * length / 2};
  return {{{-d.x, -d.y}, {d.x, d.y}}, width / 2, false, false, {}};
}
double painted_area(const WideLine& line, double resolution) {
  const Affine affine{resolution, 0, 0, 0, -resolution, 0};
  const auto half = static_cast<std::int64_t>(80 / resolution);
  Bytes pixels(static_cast<std::size_t>(4 * half * half));
  const auto count = fill_line({{affine, {-half, -half, 2 * half, 2 * half}}, pixels}, line, std::uint8_t{1});
  EXPECT_EQ(count, std::count(pixels.begin(), pixels.end(), 1));
  return static_cast<double>(count) * resolution * resolution;
}

TEST(FillLine, AHundredMetresOfRoadHaveTheAreaOfItsWidth) {
  for (const double resolution : {0.25, 0.5, 1.0})
    for (const double width : {3.0, 7.0, 12.5})
      for (const double angle : {0.0, 0.3, 0.785, 1.2}) {
        const double perimeter = 2 * (100 + width);
        EXPECT_NEAR(painted_area(straight(angle, 100, width), resolution), 100 * width,
                    perimeter * resolution / 2);
      }
}

TEST(FillLine, AreaIsInvariantToRotation) {
  const double reference = 100 * 7.0;
  for (int degrees = 0; degrees < 180; degrees += 7) {
    WideLine line = straight(degrees * std::numbers::pi / 180, 100, 7);
    for (MapXY& p : line.line) p.x += 0.013 * degrees;  // off the lattice
    EXPECT_NEAR(painted_area(line, 0.5) / reference, 1, 0.02) << degrees;
  }
}

double distance_m(const WideLine& line, MapXY p, bool& beyond_flat_end) {
  double best = 1e300;
  beyond_flat_end = false;
  for (std::size_t k = 0; k + 1 < line.line.size(); ++k) {
    const MapXY b = line.scale.metres({line.line[k + 1].x - line.line[k].x, line.line[k + 1].y - line.line[k].y});
    const MapXY q = line.scale.metres({p.x - line.line[k].x, p.y - line.line[k].y});
    const double t = (q.x * b.x + q.y * b.y) / (b.x * b.x + b.y * b.y), s = std::clamp(t, 0.0, 1.0);
    best = std::min(best, std::hypot(q.x - s * b.x, q.y - s * b.y));
    if (k == 0 && !line.round_start && t < 1e-9) beyond_flat_end = true;
    if (k + 2 == line.line.size() && !line.round_end && t > 1 - 1e-9) beyond_flat_end = true;
  }
  return best;
}

TEST(FillLine, HoldsExactlyTheCentresWithinTheGroundDistance) {
  std::mt19937 random(61);
  for (int k = 0; k < 400; ++k) {
    WideLine line;
    const int points = 2 + static_cast<int>(random() % 3);
    // Each step leads to the right, so that the line never comes back behind its own ends.
    for (int c = 0; c < points; ++c) line.line.push_back({5.0 + 12 * c, -5.0 - random() % 30});
    line.half_width_m = 0.5 + random() % 40 / 10.0;
    line.round_start = k % 2 == 0;
    line.round_end = k % 3 == 0;
    if (k % 4 == 0) line.scale = {0.6, 0.05, -0.1, 0.9};
    Bytes pixels(50 * 45);
    const Affine affine = k % 5 == 0 ? Affine{0.9, 0.1, -1, 0.05, -0.95, 0} : Affine{1, 0, 0, 0, -1, 0};
    fill_line({{affine, {0, 0, 50, 45}}, pixels}, line, std::uint8_t{1});
    for (int row = 0; row < 45; ++row)
      for (int col = 0; col < 50; ++col) {
        bool beyond = false;
        const double distance = distance_m(line, affine.map_from_pixel({col + 0.5, row + 0.5}), beyond);
        if (std::abs(distance - line.half_width_m) < 1e-9) continue;
        const bool near = distance < line.half_width_m;
        const bool painted = pixels[static_cast<std::size_t>(row * 50 + col)] != 0;
        ASSERT_TRUE(near || !painted) << k << ": " << col << ", " << row;
        ASSERT_TRUE(painted || beyond || !near) << k << ": " << col << ", " << row;
      }
  }
}

TEST(FillLine, FlatEndsStopAtTheEndRoundOnesGoOn) {
  WideLine line{{{10, -10}, {30, -10}}, 4, false, true, {}};
  Bytes pixels(40 * 20);
  const Affine affine{1, 0, 0, 0, -1, 0};
  fill_line({{affine, {0, 0, 40, 20}}, pixels}, line, std::uint8_t{1});
  EXPECT_EQ(pixels[10 * 40 + 9], 0);
  EXPECT_EQ(pixels[10 * 40 + 10], 1);
  EXPECT_EQ(pixels[10 * 40 + 32], 1);
  // A tiny first segment does not let the round join show beyond the flat end.
  line.line = {{10, -10}, {10.01, -10}, {30, -10}};
  Bytes again(40 * 20);
  fill_line({{affine, {0, 0, 40, 20}}, again}, line, std::uint8_t{1});
  EXPECT_EQ(again, pixels);
}

TEST(FillLine, WindowsEqualTheCutOfTheMosaic) {
  std::mt19937 random(67);
  const Affine affine{0.3, 0, 500000.1, 0, -0.3, 4600000.7};
  for (int k = 0; k < 100; ++k) {
    WideLine line{{}, 0.2 + random() % 30 / 10.0, k % 2 == 0, k % 3 == 0, {0.7, 0, 0, 1.1}};
    for (int c = 0; c < 4; ++c)
      line.line.push_back(affine.map_from_pixel({static_cast<double>(random() % 100), static_cast<double>(random() % 100)}));
    Bytes whole(100 * 100);
    fill_line({{affine, {0, 0, 100, 100}}, whole}, line, std::uint8_t{1});
    for (int tile = 0; tile < 4; ++tile) {
      const Window window{50 * (tile % 2), 50 * (tile / 2), 50, 50};
      Bytes part(50 * 50);
      fill_line({{affine, window}, part}, line, std::uint8_t{1});
      for (int row = 0; row < 50; ++row)
        for (int col = 0; col < 50; ++col)
          ASSERT_EQ(part[static_cast<std::size_t>(row * 50 + col)],
                    whole[static_cast<std::size_t>((window.row + row) * 100 + window.col + col)]);
    }
  }
}

/// Is the centre within the half width of any segment, taken at the nearest place of that segment?
bool within_taper(const WideLine& line, MapXY p, double slack) {
  for (std::size_t k = 0; k + 1 < line.line.size(); ++k) {
    const MapXY b = line.scale.metres({line.line[k + 1].x - line.line[k].x, line.line[k + 1].y - line.line[k].y});
    const MapXY q = line.scale.metres({p.x - line.line[k].x, p.y - line.line[k].y});
    const double s = std::clamp((q.x * b.x + q.y * b.y) / (b.x * b.x + b.y * b.y), 0.0, 1.0);
    const double half = line.half_widths_m[k] + s * (line.half_widths_m[k + 1] - line.half_widths_m[k]);
    if (std::hypot(q.x - s * b.x, q.y - s * b.y) <= half + slack) return true;
  }
  return false;
}

TEST(FillLine, AWidthThatChangesIsTakenAtEachPlaceOfTheLine) {
  std::mt19937 random(71);
  const Affine affine{1, 0, 0, 0, -1, 0};
  std::int64_t painted = 0;
  for (int k = 0; k < 300; ++k) {
    WideLine line{{}, 0, true, true, k % 3 == 0 ? GroundScale{0.6, 0.05, -0.1, 0.9} : GroundScale{}, {}};
    for (int c = 0; c < 2 + k % 3; ++c) {
      line.line.push_back({static_cast<double>(random() % 60), -static_cast<double>(random() % 60)});
      line.half_widths_m.push_back(random() % 90 / 10.0);
    }
    Bytes whole(60 * 60);
    painted += fill_line({{affine, {0, 0, 60, 60}}, whole}, line, std::uint8_t{1});
    for (int row = 0; row < 60; ++row)
      for (int col = 0; col < 60; ++col) {
        const MapXY p = affine.map_from_pixel({col + 0.5, row + 0.5});
        const bool is_painted = whole[static_cast<std::size_t>(row * 60 + col)] != 0;
        ASSERT_TRUE(is_painted || !within_taper(line, p, -1e-9)) << k << ": " << col << ", " << row;
        ASSERT_TRUE(!is_painted || within_taper(line, p, 1e-9)) << k << ": " << col << ", " << row;
      }
    for (int tile = 0; tile < 9; ++tile) {
      const Window window{20 * (tile % 3), 20 * (tile / 3), 20, 20};
      Bytes part(20 * 20);
      fill_line({{affine, window}, part}, line, std::uint8_t{1});
      for (int row = 0; row < 20; ++row)
        for (int col = 0; col < 20; ++col)
          ASSERT_EQ(part[static_cast<std::size_t>(row * 20 + col)], whole[static_cast<std::size_t>((window.row + row) * 60 + window.col + col)]);
    }
  }
  EXPECT_GT(painted, 100000);
}

TEST(FillLine, LinesOfSeveralWidthsCloseTheirJunctionAndAreFlatWhereTheyEnd) {
  const Affine affine{0.25, 0, 0, 0, -0.25, 0};
  const MapXY node{30, -30};
  const struct { double angle, half; } arms[] = {{0.2, 5}, {1.9, 2}, {3.6, 3.5}, {5.1, 1}};
  Bytes pixels(240 * 240);
  for (const auto& arm : arms)
    fill_line({{affine, {0, 0, 240, 240}}, pixels}, {{node, {node.x + 20 * std::cos(arm.angle), node.y + 20 * std::sin(arm.angle)}}, arm.half, true, false, {}, {}}, std::uint8_t{1});
  for (int row = 0; row < 240; ++row)
    for (int col = 0; col < 240; ++col) {
      const MapXY p = affine.map_from_pixel({col + 0.5, row + 0.5}), q{p.x - node.x, p.y - node.y};
      bool inside = false, on_edge = false;
      for (const auto& arm : arms) {
        const double along = q.x * std::cos(arm.angle) + q.y * std::sin(arm.angle), across = q.y * std::cos(arm.angle) - q.x * std::sin(arm.angle);
        const double distance = along < 0 ? std::hypot(along, across) : std::abs(across);
        inside |= along <= 20 && distance <= arm.half;
        on_edge |= std::abs(distance - arm.half) < 1e-9 || std::abs(along - 20) < 1e-9;
      }
      if (!on_edge) {
        ASSERT_EQ(pixels[static_cast<std::size_t>(row * 240 + col)] != 0, inside) << col << ", " << row;
      }
    }
}

TEST(Buffer, PaintsWhatTheLinePaints) {
  std::mt19937 random(73);
  const Affine affine{0.5, 0, 0, 0, -0.5, 0};
  for (int k = 0; k < 60; ++k) {
    WideLine line{{}, 1.0 + random() % 50 / 10.0, k % 2 == 0, k % 3 == 0, k % 4 == 0 ? GroundScale{0.7, 0.05, -0.1, 1.1} : GroundScale{}, {}};
    for (int c = 0; c < 2 + k % 4; ++c) line.line.push_back({20.0 + random() % 60, -20.0 - random() % 60});
    if (k % 5 == 0)
      for (std::size_t c = 0; c < line.line.size(); ++c) line.half_widths_m.push_back(1.0 + random() % 60 / 10.0);
    Bytes by_distance(200 * 200), by_polygon(200 * 200);
    fill_line({{affine, {0, 0, 200, 200}}, by_distance}, line, std::uint8_t{1});
    const auto outline = buffer(line, 32);
    fill_polygons({{affine, {0, 0, 200, 200}}, by_polygon}, outline, std::uint8_t{1});
    std::int64_t both = 0, any = 0;
    for (std::size_t n = 0; n < by_distance.size(); ++n) both += by_distance[n] & by_polygon[n], any += by_distance[n] | by_polygon[n];
    ASSERT_GT(any, 0);
    EXPECT_GT(static_cast<double>(both) / static_cast<double>(any), 0.985) << k;
  }
  EXPECT_NEAR(planar_area(buffer({{{0, 0}, {100, 0}}, 3, false, false, {}, {}})), 600, 1e-6);
  EXPECT_NEAR(planar_area(buffer({{{0, 0}, {100, 0}}, 3, true, true, {}, {}}, 64)), 600 + std::numbers::pi * 9, 0.02);
  EXPECT_NEAR(planar_area(buffer({{{0, 0}, {100, 0}}, 3, false, false, {0.5, 0, 0, 1}, {}})), 600, 1e-6) << "a map unit is half a metre to the east: 100 x 6 units";
  EXPECT_TRUE(buffer({{{5, 5}, {5, 5}}, 3, false, true, {}, {}}).empty());
}

TEST(FillLine, BoundsHoldTheLineWithItsWidth) {
  const WideLine line{{{0, 0}, {10, 0}}, 3, true, true, {0.5, 0, 0, 1}};
  EXPECT_EQ(bounds(line), (Box{-6, -3, 16, 3}));
}

}  // namespace
}  // namespace tilewright::geometry
