// SPDX-License-Identifier: Apache-2.0
// A hundred thousand random polygons and every generated nasty one against brute force: no wrong
// pixel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "geometry/rasterize.h"

namespace tilewright::geometry {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Ring = std::vector<MapXY>;
__extension__ using Wide = __float128;

/// The rule of rasterize.h in 113 bits: an edge counts where its rows hold the centre (top in,
/// bottom out) and the centre lies on it or to its right.
void count_crossings(const Ring& ring, MapXY p, int& crossings) {
  for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
    MapXY top = ring[k], bottom = ring[k + 1];
    if (top.y < bottom.y) std::swap(top, bottom);
    if (!(p.y <= top.y && p.y > bottom.y)) continue;
    if (p.x < std::min(top.x, bottom.x)) continue;
    if (p.x > std::max(top.x, bottom.x)) {
      ++crossings;
      continue;
    }
    const Wide cross = (Wide(bottom.x) - top.x) * (Wide(p.y) - top.y) -
                       (Wide(bottom.y) - top.y) * (Wide(p.x) - top.x);
    if (cross >= 0) ++crossings;
  }
}
bool inside(const MapMultiPolygon& polygons, MapXY p) {
  int crossings = 0;
  for (const MapPolygon& polygon : polygons) {
    count_crossings(polygon.outer, p, crossings);
    for (const auto& hole : polygon.holes) count_crossings(hole, p, crossings);
  }
  return crossings % 2 == 1;
}

std::int64_t wrong_pixels(const RasterFrame& frame, const MapMultiPolygon& polygons) {
  const Window& w = frame.window;
  Bytes pixels(static_cast<std::size_t>(w.width * w.height));
  fill_polygons({frame, pixels}, polygons, std::uint8_t{1});
  std::int64_t wrong = 0;
  for (std::int64_t row = 0; row < w.height; ++row)
    for (std::int64_t col = 0; col < w.width; ++col) {
      const MapXY centre = frame.affine.map_from_pixel(
          {static_cast<double>(w.col + col) + 0.5, static_cast<double>(w.row + row) + 0.5});
      wrong +=
          (pixels[static_cast<std::size_t>(row * w.width + col)] != 0) != inside(polygons, centre)
              ? 1
              : 0;
    }
  return wrong;
}

class Shapes {
 public:
  explicit Shapes(unsigned seed) : random_(seed) {}
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random_);
  }
  unsigned below(unsigned count) { return static_cast<unsigned>(random_() % count); }

  /// One of: rotated rectangle, star, tangle, comb, sliver, with or without a hole; half of them on
  /// a lattice of half pixels.
  MapMultiPolygon next() {
    MapPolygon polygon{ring(), {}};
    if (below(4) == 0) polygon.holes.push_back(ring());
    MapMultiPolygon all{std::move(polygon)};
    if (below(6) == 0) all.push_back({ring(), {}});
    if (below(2) == 0)
      for (auto& part : all) {
        snap(part.outer);
        for (auto& hole : part.holes) snap(hole);
      }
    return all;
  }

 private:
  Ring ring() {
    Ring out;
    switch (below(5)) {
      case 0:
        out = rectangle(uniform(0.5, 14), uniform(0.5, 14));
        break;
      case 1:
        out = star(3 + below(20));
        break;
      case 2:
        for (unsigned k = 0, count = 3 + below(9); k < count; ++k)
          out.push_back({uniform(-4, 28), uniform(-28, 4)});
        break;
      case 3:
        out = comb(2 + below(6));
        break;
      default:
        out = rectangle(uniform(0.5, 20), 0.001);
        break;
    }
    if (below(2) == 0) std::ranges::reverse(out);
    out.push_back(out.front());
    return out;
  }
  Ring rectangle(double half_width, double half_height) {
    const double x = uniform(0, 24), y = uniform(-24, 0),
                 angle = below(8) == 0 ? 0 : uniform(0, std::numbers::pi);
    Ring out;
    for (const auto& [a, b] : {std::pair{-1, -1}, {1, -1}, {1, 1}, {-1, 1}})
      out.push_back({x + a * half_width * std::cos(angle) - b * half_height * std::sin(angle),
                     y + a * half_width * std::sin(angle) + b * half_height * std::cos(angle)});
    return out;
  }
  Ring star(unsigned corners) {
    const double x = uniform(0, 24), y = uniform(-24, 0);
    Ring out;
    for (unsigned k = 0; k < corners; ++k) {
      const double angle = 2 * std::numbers::pi * k / corners, radius = uniform(0.5, 16);
      out.push_back({x + radius * std::cos(angle), y + radius * std::sin(angle)});
    }
    return out;
  }
  Ring comb(unsigned teeth) {
    const double x = uniform(-4, 4), y = uniform(-24, -16), pitch = uniform(0.3, 4);
    Ring out{{x, y}, {x + pitch * teeth, y}};
    for (unsigned k = teeth; k > 0; --k) {
      out.push_back({x + pitch * k, y + uniform(4, 20)});
      out.push_back({x + pitch * (k - 0.5), y + uniform(0.1, 3)});
    }
    return out;
  }
  static void snap(Ring& ring) {
    for (MapXY& p : ring) p = {std::round(p.x * 2) / 2, std::round(p.y * 2) / 2};
  }
  std::mt19937_64 random_;
};

TEST(FillPolygonsSlow, AHundredThousandRandomPolygonsHaveNoWrongPixel) {
  Shapes shapes(20'261'126);
  std::int64_t wrong = 0, painted = 0;
  for (int k = 0; k < 100'000; ++k) {
    const MapMultiPolygon polygons = shapes.next();
    const RasterFrame frame{{1, 0, 0, 0, -1, 0}, {0, 0, 24, 24}};
    const auto here = wrong_pixels(frame, polygons);
    EXPECT_EQ(here, 0) << "polygon " << k;
    wrong += here;
    Bytes pixels(24 * 24);
    painted += fill_polygons({frame, pixels}, polygons, std::uint8_t{1});
  }
  std::printf("100,000 polygons, %lld pixels inside, %lld wrong\n", static_cast<long long>(painted),
              static_cast<long long>(wrong));
  EXPECT_GT(painted, 5'000'000);
}

struct Nasty {
  std::string name;
  MapMultiPolygon polygons;
};

// long because: a list of cases, one a line.
std::vector<Nasty> nasties() {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               inf = std::numeric_limits<double>::infinity(),
               tiny = std::numeric_limits<double>::denorm_min();
  const Ring shell{{2, -20}, {20, -20}, {20, -2}, {2, -2}, {2, -20}},
      hole{{6, -16}, {16, -16}, {16, -6}, {6, -6}, {6, -16}},
      inner{{8, -14}, {12, -14}, {12, -9}, {8, -9}, {8, -14}};
  const auto moved = [](Ring ring, double x, double y) {
    for (MapXY& p : ring) p.x += x, p.y += y;
    return ring;
  };
  const auto turned = [](Ring ring) {
    std::ranges::reverse(ring);
    return ring;
  };
  const auto with = [&](const Ring& changed) { return MapMultiPolygon{{changed, {}}}; };
  Ring star, comb{{0, -24}};
  for (int k = 0; k < 40'000; ++k) {
    const double angle = 2 * std::numbers::pi * k / 40'000, radius = k % 2 == 0 ? 11.7 : 5.3;
    star.push_back({12 + radius * std::cos(angle), -12 + radius * std::sin(angle)});
    comb.push_back({24.0 * (k + 1) / 40'001, k % 2 == 0 ? -1.3 : -22.1});
  }
  star.push_back(star.front()), comb.push_back({24, -24}), comb.push_back(comb.front());
  MapPolygon holes{{{0, -24}, {24, -24}, {24, 0}, {0, 0}, {0, -24}}, {}};
  for (int k = 0; k < 2500; ++k)
    holes.holes.push_back(moved({{0.1, -0.3}, {0.3, -0.3}, {0.3, -0.1}, {0.1, -0.1}, {0.1, -0.3}},
                                0.48 * (k % 50),
                                -0.48 * (k / 50)));  // NOLINT(bugprone-integer-division)
  return {
      {"bow-tie", with({{2, -2}, {20, -20}, {20, -2}, {2, -20}, {2, -2}})},
      {"figure 8", with({{2, -2}, {12, -12}, {20, -2}, {20, -20}, {12, -12}, {2, -20}, {2, -2}})},
      {"zero area", with({{2, -2}, {20, -20}, {2, -2}})},
      {"collinear", with({{2, -2}, {10, -2}, {20, -2}, {2, -2}})},
      {"one point", with({{2, -2}})},
      {"two points", with({{2, -2}, {2, -2}})},
      {"three points", with({{2, -2}, {9, -9}, {2, -9}})},
      {"unclosed", with({{2, -20}, {20, -20}, {20, -2}, {2, -2}})},
      {"repeated points",
       with({{2, -20}, {2, -20}, {20, -20}, {20, -2}, {20, -2}, {20, -2}, {2, -2}, {2, -20}})},
      {"spike",
       with({{2, -20}, {20, -20}, {20, -10}, {23.7, -9}, {20, -10}, {20, -2}, {2, -2}, {2, -20}})},
      {"hole is the shell", {{shell, {shell}}}},
      {"hole outside", {{shell, {moved(inner, 13, 9)}}}},
      {"hole across the border", {{shell, {moved(hole, 8, 0)}}}},
      {"nested holes", {{shell, {hole, inner}}}},
      {"touching rings", {{shell, {{{2, -20}, {8, -14}, {8, -8}, {2, -20}}}}}},
      {"inverted orientation", {{turned(shell), {hole}}}},
      {"no rings", {}},
      {"an empty ring", with({})},
      {"two that overlap", {{shell, {}}, {hole, {}}}},
      {"two that touch", {{shell, {}}, {moved(shell, 18, 0), {}}}},
      {"a star", with(star)},
      {"a comb", with(comb)},
      {"many holes", {holes}},
      {"1e-12", with({{5.5, -5.5},
                      {5.5 + 1e-12, -5.5},
                      {5.5 + 1e-12, -5.5 - 1e-12},
                      {5.5, -5.5 - 1e-12},
                      {5.5, -5.5}})},
      {"1e300", with({{2, -20}, {1e300, -20}, {20, -2}, {2, -2}, {2, -20}})},
      {"NaN", with({{2, -20}, {nan, -20}, {20, -2}, {2, -2}, {2, -20}})},
      {"infinite", with({{2, -20}, {20, -inf}, {20, -2}, {2, -2}, {2, -20}})},
      {"minus zero", with({{-0.0, -20}, {20, -20}, {20, -0.0}, {-0.0, 0.0}, {-0.0, -20}})},
      {"subnormal", with({{tiny, -20}, {20, -20}, {20, -tiny}, {tiny, -tiny}, {tiny, -20}})},
      {"corners on centres",
       with({{2.5, -20.5}, {20.5, -20.5}, {20.5, -2.5}, {2.5, -2.5}, {2.5, -20.5}})},
      {"edges through centres", with({{0.5, -0.5}, {20.5, -20.5}, {0.5, -20.5}, {0.5, -0.5}})},
      {"corners on pixel corners", with({{2, -20}, {20, -20}, {11, -2}, {2, -20}})},
      {"a sliver", with({{1, -3.5003}, {23, -3.4999}, {23, -3.4989}, {1, -3.4993}, {1, -3.5003}})},
      {"a sliver down",
       with({{3.4999, -1}, {3.5003, -23}, {3.5013, -23}, {3.5009, -1}, {3.4999, -1}})}};
}

/// What the gate lets through is drawn by the rule; a rejected object has a reason. A single ring
/// that was rebuilt covers what the even-odd rule says of it as it came, up to centres that lie on
/// its edges.
TEST(FillPolygonsSlow, EveryNastyPolygonIsDrawnByTheRuleOrRejectedWithAReason) {
  const RasterFrame frame{{1, 0, 0, 0, -1, 0}, {0, 0, 24, 24}};
  for (const auto& [name, polygons] : nasties()) {
    const GatedPolygons gated = gate(polygons);
    const bool is_drawn = gated.outcome == Gate::ok || gated.outcome == Gate::repaired;
    EXPECT_TRUE(gated.outcome != Gate::rejected || gated.reason[0] != 0) << name;
    EXPECT_EQ(is_drawn, !gated.polygons.empty()) << name;
    EXPECT_EQ(wrong_pixels(frame, gated.polygons), 0) << name;
    std::printf("%s: %s %s\n", name.c_str(),
                gated.outcome == Gate::ok         ? "drawn"
                : gated.outcome == Gate::repaired ? "repaired"
                : gated.outcome == Gate::empty    ? "empty"
                                                  : "rejected:",
                gated.outcome == Gate::rejected ? gated.reason : "");
  }
}

TEST(FillPolygonsSlow, WhatTheGateRebuildsCoversWhatTheTangleCovered) {
  Shapes shapes(7);
  const RasterFrame frame{{1, 0, 0, 0, -1, 0}, {0, 0, 24, 24}};
  int repaired = 0;
  for (int k = 0; k < 20'000; ++k) {
    const MapMultiPolygon all = shapes.next();
    const MapMultiPolygon one{{all.front().outer, {}}};
    const GatedPolygons gated = gate(one);
    if (gated.outcome != Gate::repaired) continue;
    ++repaired;
    Bytes pixels(24 * 24);
    fill_polygons({frame, pixels}, gated.polygons, std::uint8_t{1});
    for (int row = 0; row < 24; ++row)
      for (int col = 0; col < 24; ++col) {
        const MapXY centre{col + 0.5, -row - 0.5};
        const bool is_sure = inside(one, {centre.x - 1e-9, centre.y - 1e-9}) ==
                                 inside(one, {centre.x + 1e-9, centre.y + 1e-9}) &&
                             inside(one, {centre.x - 1e-9, centre.y + 1e-9}) ==
                                 inside(one, {centre.x + 1e-9, centre.y - 1e-9}) &&
                             inside(one, {centre.x + 1e-9, centre.y + 1e-9}) ==
                                 inside(one, {centre.x - 1e-9, centre.y + 1e-9});
        if (is_sure) {
          ASSERT_EQ(pixels[static_cast<std::size_t>(row * 24 + col)] != 0, inside(one, centre))
              << "polygon " << k << " pixel " << col << ", " << row;
        }
      }
  }
  EXPECT_GT(repaired, 3000);
}

MapMultiPolygon closed(std::vector<MapXY> ring) {
  ring.push_back(ring.front());
  return {{std::move(ring), {}}};
}

TEST(GateSlow, StarsAndCombsOfAMillionCornersAreValidInSeconds) {
  std::vector<MapXY> star, comb{{500000, 5000000}};
  constexpr int kCorners = 999'990;
  for (int k = 0; k < kCorners; ++k) {
    const double angle = 2 * std::numbers::pi * k / kCorners, radius = k % 2 == 0 ? 95 : 40;
    star.push_back({500100 + radius * std::cos(angle), 5000100 + radius * std::sin(angle)});
    comb.push_back({500000 + 200.0 * (k + 1) / (kCorners + 1), 5000000.0 + (k % 2 == 0 ? 199 : 3)});
  }
  comb.push_back({500200, 5000000});
  for (const auto& polygon : {closed(star), closed(comb)}) {
    const std::clock_t start = std::clock();
    const auto gated = gate(polygon);
    const double used = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_EQ(gated.outcome, Gate::ok) << gated.reason;
    EXPECT_LT(used, 60);
    std::printf("%zu corners: %.1f s\n", polygon.front().outer.size(), used);
  }
}

}  // namespace
}  // namespace tilewright::geometry
