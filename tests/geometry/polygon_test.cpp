// SPDX-License-Identifier: Apache-2.0
// Overlays and the gate, against pixel counts, point sampling and Boost.Geometry.
#include "geometry/polygon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/geometry.hpp>
#include <boost/geometry/geometries/multi_polygon.hpp>
#include <boost/geometry/geometries/point_xy.hpp>
#include <boost/geometry/geometries/polygon.hpp>
#include <chrono>
#include <cmath>
#include <ctime>
#include <limits>
#include <numbers>
#include <random>

#include "geometry/bitmask.h"

namespace tilewright::geometry {
namespace {

namespace bg = boost::geometry;
using BoostPolygon = bg::model::polygon<bg::model::d2::point_xy<double>, false>;
using BoostMulti = bg::model::multi_polygon<BoostPolygon>;

BoostMulti to_boost(const MapMultiPolygon& polygons) {
  BoostMulti result;
  for (const MapPolygon& p : polygons) {
    BoostPolygon q;
    for (const MapXY& v : p.outer) bg::append(q.outer(), bg::model::d2::point_xy<double>(v.x, v.y));
    for (const auto& hole : p.holes) {
      q.inners().emplace_back();
      for (const MapXY& v : hole)
        bg::append(q.inners().back(), bg::model::d2::point_xy<double>(v.x, v.y));
    }
    result.push_back(q);
  }
  return result;
}

MapPolygon ring(std::vector<MapXY> points) {
  points.push_back(points.front());
  return {std::move(points), {}};
}
MapMultiPolygon square(double x, double y, double size) {
  return {ring({{x, y}, {x + size, y}, {x + size, y + size}, {x, y + size}})};
}

/// Star-shaped, so simple and counter-clockwise.
MapMultiPolygon random_star(std::mt19937& random, int corners, MapXY centre, double radius,
                            double least_share = 0.2) {
  std::uniform_real_distribution<double> share(least_share, 1.0);
  std::vector<MapXY> points;
  for (int k = 0; k < corners; ++k) {
    const double angle = 2 * std::numbers::pi * k / corners, r = radius * share(random);
    points.push_back({centre.x + r * std::cos(angle), centre.y + r * std::sin(angle)});
  }
  return {ring(std::move(points))};
}

Bitmask random_mask(std::mt19937& random, double share) {
  Bitmask mask(20, 20);
  std::bernoulli_distribution is_set(share);
  for (int row = 0; row < 20; ++row)
    for (int col = 0; col < 20; ++col) mask.set(col, row, is_set(random));
  return mask;
}
MapMultiPolygon in_map(const Bitmask& mask) {
  return map_from_pixel({1, 0, 0, 0, -1, 0}, outline(mask));
}

TEST(Overlay, OfOutlinesEqualsOutlineOfCombinedMasks) {
  std::mt19937 random(11);
  for (int k = 0; k < 200; ++k) {
    const Bitmask a = random_mask(random, 0.6), b = random_mask(random, 0.6);
    const MapMultiPolygon pa = in_map(a), pb = in_map(b);
    const MapMultiPolygon both = intersection(pa, pb), any = unite({pa, pb});
    ASSERT_EQ(planar_area(both), static_cast<double>((a & b).count()));
    ASSERT_EQ(planar_area(any), static_cast<double>((a | b).count()));
    ASSERT_EQ(planar_area(difference(pa, pb)), static_cast<double>(a.count() - (a & b).count()));
    for (int row = 0; row < 20; ++row)
      for (int col = 0; col < 20; ++col)
        ASSERT_EQ(contains(both, {col + 0.5, -row - 0.5}), a.get(col, row) && b.get(col, row));
    ASSERT_TRUE(bg::is_valid(to_boost(both)));
    ASSERT_TRUE(bg::is_valid(to_boost(any)));
  }
}

TEST(Overlay, AgreesWithBoostOnRandomStars) {
  std::mt19937 random(13);
  for (int k = 0; k < 500; ++k) {
    const MapMultiPolygon a = random_star(random, 3 + k % 40, {500000, 4.6e6}, 300);
    const MapMultiPolygon b = random_star(random, 3 + k % 33, {500100, 4.6e6 + 50}, 250);
    BoostMulti expected;
    bg::intersection(to_boost(a), to_boost(b), expected);
    const MapMultiPolygon both = intersection(a, b);
    ASSERT_NEAR(planar_area(both), bg::area(expected), 1e-6 * planar_area(a));  // Boost rescales
    ASSERT_NEAR(planar_area(unite({a, b})), planar_area(a) + planar_area(b) - planar_area(both), 1e-5);
    ASSERT_TRUE(both.empty() || bg::is_valid(to_boost(both)));
    ASSERT_EQ(planar_area(both), planar_area(intersection(b, a)));
  }
}

/// Sutherland and Hodgman in long double around the first corner.
long double clipped_area(const MapPolygon& subject, const MapPolygon& convex) {
  struct P { long double x, y; };
  const MapXY o = subject.outer[0];
  std::vector<P> points;
  for (std::size_t k = 0; k + 1 < subject.outer.size(); ++k)
    points.push_back({static_cast<long double>(subject.outer[k].x) - o.x, static_cast<long double>(subject.outer[k].y) - o.y});
  for (std::size_t e = 0; e + 1 < convex.outer.size() && !points.empty(); ++e) {
    const P a{static_cast<long double>(convex.outer[e].x) - o.x, static_cast<long double>(convex.outer[e].y) - o.y};
    const P b{static_cast<long double>(convex.outer[e + 1].x) - o.x, static_cast<long double>(convex.outer[e + 1].y) - o.y};
    const auto side = [&](P p) { return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x); };
    std::vector<P> kept;
    for (std::size_t k = 0; k < points.size(); ++k) {
      const P p = points[k], q = points[(k + 1) % points.size()];
      const long double sp = side(p), sq = side(q);
      if (sp >= 0) kept.push_back(p);
      if ((sp > 0 && sq < 0) || (sp < 0 && sq > 0))
        kept.push_back({p.x + (q.x - p.x) * sp / (sp - sq), p.y + (q.y - p.y) * sp / (sp - sq)});
    }
    points = kept;
  }
  long double sum = 0;
  for (std::size_t k = 0; k < points.size(); ++k)
    sum += points[k].x * points[(k + 1) % points.size()].y - points[k].y * points[(k + 1) % points.size()].x;
  return sum / 2;
}

TEST(Overlay, HasTheAreaOfAClipInHigherPrecision) {
  std::mt19937 random(14);
  for (int k = 0; k < 500; ++k) {
    const MapMultiPolygon a = random_star(random, 5 + k % 60, {500000, 4.6e6}, 3000);
    MapMultiPolygon b = random_star(random, 30, {501000, 4.6e6 + 500}, 2500);
    b = convex_hull(b[0].outer);
    ASSERT_NEAR(planar_area(intersection(a, b)), static_cast<double>(clipped_area(a[0], b[0])),
                1e-9 * planar_area(a));
  }
}

TEST(Overlay, TouchingPolygonsShareNothing) {
  EXPECT_TRUE(intersection(square(0, 0, 1), square(1, 0, 1)).empty());
  EXPECT_TRUE(intersection(square(0, 0, 1), square(1, 1, 1)).empty());
  EXPECT_EQ(unite({square(0, 0, 1), square(1, 0, 1)}).size(), 1U);
}

TEST(Overlay, KeepsHolesWithTheInnermostPolygonAroundThem) {
  const auto frame = [](double from) {
    MapMultiPolygon p = square(from, from, 20 - 2 * from);
    p[0].holes.push_back(square(from + 1, from + 1, 18 - 2 * from)[0].outer);
    std::reverse(p[0].holes[0].begin(), p[0].holes[0].end());
    return p;
  };
  const MapMultiPolygon nested = unite({frame(0), frame(2), frame(4), frame(6)});
  ASSERT_EQ(nested.size(), 4U);
  for (const MapPolygon& p : nested) {
    ASSERT_EQ(p.holes.size(), 1U);
    EXPECT_NEAR(p.holes[0][0].x - p.outer[0].x, 1, 1e-9);
  }
  const auto traced = outline(bitmask_from_ascii("#####\n#...#\n#.#.#\n#...#\n#####"));
  ASSERT_EQ(traced.size(), 2U);
  EXPECT_EQ(traced[0].holes.size() + traced[1].holes.size(), 1U);
}

TEST(Overlay, OfAPolygonWithItselfIsItself) {
  std::mt19937 random(17);
  for (int k = 0; k < 100; ++k) {
    const MapMultiPolygon a = random_star(random, 20, {1000, 1000}, 77);
    EXPECT_EQ(intersection(a, a).at(0).outer.size(), a[0].outer.size());
    EXPECT_NEAR(planar_area(intersection(a, a)), planar_area(a), 1e-9);
    EXPECT_NEAR(planar_area(unite({a, a})), planar_area(a), 1e-9);
    EXPECT_TRUE(difference(a, a).empty());
  }
}

bool even_odd(const std::vector<MapXY>& points, MapXY p) {
  bool inside = false;
  for (std::size_t k = 0, j = points.size() - 1; k < points.size(); j = k++)
    if ((points[k].y > p.y) != (points[j].y > p.y) &&
        p.x < (points[j].x - points[k].x) * (p.y - points[k].y) / (points[j].y - points[k].y) + points[k].x)
      inside = !inside;
  return inside;
}

TEST(Gate, RebuildsRandomTanglesByTheEvenOddRule) {
  std::mt19937 random(19);
  int repaired = 0;
  for (int k = 0; k < 1500; ++k) {
    std::vector<MapXY> points;
    const int corners = 4 + static_cast<int>(random() % 20);
    const bool on_grid = k % 2 == 0;  // many coincident edges and vertices
    for (int c = 0; c < corners; ++c)
      points.push_back(on_grid ? MapXY{static_cast<double>(random() % 6), static_cast<double>(random() % 6)}
                               : MapXY{random() / 4e8, random() / 4e8});
    const GatedPolygons gated = gate({ring(points)});
    if (gated.outcome == Gate::rejected) {
      ASSERT_STREQ(gated.reason, "no area");
      continue;
    }
    repaired += gated.outcome == Gate::repaired;
    ASSERT_TRUE(bg::is_valid(to_boost(gated.polygons))) << bg::wkt(to_boost(gated.polygons));
    for (int s = 0; s < 60; ++s) {
      const MapXY p{random() / 4e8 + 1e-4, random() / 4e8 + 1e-4};
      ASSERT_EQ(contains(gated.polygons, p), even_odd(points, p));
    }
  }
  EXPECT_GT(repaired, 1000);
}

TEST(Gate, LeavesValidPolygonsAlone) {
  std::mt19937 random(23);
  for (int k = 0; k < 200; ++k) {
    const MapMultiPolygon star = random_star(random, 3 + k, {4.5e5, 5.1e6}, 100);
    const GatedPolygons gated = gate(star);
    ASSERT_EQ(gated.outcome, Gate::ok);
    ASSERT_EQ(gated.polygons, star);
  }
  MapMultiPolygon holed = square(0, 0, 10);
  holed[0].holes.push_back({{2, 2}, {2, 4}, {4, 4}, {4, 2}, {2, 2}});
  holed.push_back(square(20, 0, 5)[0]);
  EXPECT_EQ(gate(holed).outcome, Gate::ok);
  EXPECT_EQ(gate(holed).polygons, holed);
}

TEST(Gate, ClosesAndOrientsWithoutCallingItRepair) {
  const GatedPolygons gated = gate({MapPolygon{{{0, 0}, {0, 2}, {2, 2}, {2, 2}, {2, 0}}, {}}});
  EXPECT_EQ(gated.outcome, Gate::ok);
  EXPECT_EQ(planar_area(gated.polygons), 4);
  EXPECT_EQ(gated.polygons[0].outer.front(), gated.polygons[0].outer.back());
}

TEST(Gate, TellsApartWhatIsWrong) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(gate({}).outcome, Gate::empty);
  EXPECT_STREQ(gate({ring({{0, 0}, {1, nan}, {1, 1}})}).reason, "not finite");
  EXPECT_EQ(gate({ring({{0, 0}, {1e300, 0}, {1, 1}})}).outcome, Gate::rejected);
  EXPECT_STREQ(gate({ring({{0, 0}, {1, 1}, {2, 2}})}).reason, "no area");
  EXPECT_STREQ(gate({ring({{0, 0}, {1, 1}})}).reason, "no area");
  const GatedPolygons bow_tie = gate({ring({{0, 0}, {2, 2}, {2, 0}, {0, 2}})});
  EXPECT_EQ(bow_tie.outcome, Gate::repaired);
  EXPECT_EQ(bow_tie.polygons.size(), 2U);
  EXPECT_EQ(planar_area(bow_tie.polygons), 2);
  MapMultiPolygon many{MapPolygon{std::vector<MapXY>(1'000'001, {0, 0}), {}}};
  EXPECT_EQ(gate(std::move(many)).outcome, Gate::rejected);
}

TEST(Gate, NeverAddsWhatAHoleTakesAway) {
  MapMultiPolygon outside = square(0, 0, 4);
  outside[0].holes.push_back(square(10, 10, 2)[0].outer);
  EXPECT_EQ(planar_area(gate(outside).polygons), 16);
  MapMultiPolygon all = square(0, 0, 4);
  all[0].holes.push_back(all[0].outer);
  EXPECT_EQ(gate(all).outcome, Gate::rejected);
  MapMultiPolygon overlapping = square(0, 0, 4);
  overlapping.push_back(square(2, 2, 4)[0]);
  EXPECT_EQ(planar_area(gate(overlapping).polygons), 28);
  MapMultiPolygon crossing = square(0, 0, 4);
  crossing[0].holes.push_back(square(2, 2, 4)[0].outer);
  EXPECT_EQ(planar_area(gate(crossing).polygons), 12);
}

TEST(Gate, ManyVerticesAreFast) {
  std::mt19937 random(29);
  const MapMultiPolygon star = random_star(random, 200'000, {5e5, 4e6}, 1e5, 0.999);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(gate(star).outcome, Gate::ok);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 15.0);
}

/// A large square with a speckled corner of 200,000 vertices: uniform cells would all be in one spot.
TEST(Overlay, OfCornersCrowdedInOneSpotStaysNearLinear) {
  std::mt19937 random(31);
  Bitmask mask(520, 520);
  std::bernoulli_distribution is_set(0.5);
  for (int row = 0; row < 520; ++row)
    for (int col = 0; col < 520; ++col) mask.set(col, row, is_set(random));
  MapMultiPolygon speckled = in_map(mask);
  std::size_t corners = 0;
  for (const auto& polygon : speckled) {
    corners += polygon.outer.size();
    for (const auto& hole : polygon.holes) corners += hole.size();
  }
  ASSERT_GT(corners, 200'000U);
  const double speckles = planar_area(speckled);
  speckled.push_back(square(600, 0, 100'000)[0]);
  MapMultiPolygon moved = speckled;
  for (auto& polygon : moved) {
    for (auto& p : polygon.outer) p = {p.x + 0.25, p.y + 0.25};
    for (auto& hole : polygon.holes)
      for (auto& p : hole) p = {p.x + 0.25, p.y + 0.25};
  }
  const auto start = std::chrono::steady_clock::now();
  const double both = planar_area(intersection(speckled, moved));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  RecordProperty("seconds", std::to_string(seconds.count()));
  EXPECT_GT(both, 1e10 - 200'000 + speckles / 2);
  EXPECT_LT(both, 1e10 + speckles);
  EXPECT_LT(seconds.count(), 20.0);
}

TEST(Gate, AMillionSpikesCostAnErrorNotTheMachine) {
  std::mt19937 random(30);
  const auto start = std::clock();  // of the processor: others may be busy too
  const GatedPolygons gated = gate(random_star(random, 999'000, {5e5, 4e6}, 1e5));
  const double cpu_s = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  EXPECT_TRUE(gated.outcome == Gate::ok || gated.outcome == Gate::rejected);
  EXPECT_LT(cpu_s, 30.0);
}

TEST(ConvexHull, ContainsAllPointsAndTurnsLeft) {
  std::mt19937 random(31);
  std::vector<MapXY> points;
  for (int k = 0; k < 500; ++k) points.push_back({random() / 1e6, random() / 1e6});
  const MapMultiPolygon hull = convex_hull(points);
  ASSERT_EQ(hull.size(), 1U);
  const auto& outer = hull[0].outer;
  for (std::size_t k = 0; k + 1 < outer.size(); ++k)
    for (const MapXY& p : points)
      ASSERT_GE((outer[k + 1].x - outer[k].x) * (p.y - outer[k].y) -
                    (outer[k + 1].y - outer[k].y) * (p.x - outer[k].x), -1e-6);
  EXPECT_TRUE(convex_hull({{0, 0}, {1, 1}, {2, 2}}).empty());
}

TEST(GeodesicArea, SubtractsHolesAndKnowsTheEarth) {
  const GeoPolygon octant{{{0, 0}, {90, 0}, {0, 90}, {0, 0}}, {}};
  EXPECT_NEAR(geodesic_area_m2({octant}), 510065621724078.9 / 8, 1e3);
  GeoPolygon holed{{{0, 0}, {2, 0}, {2, 2}, {0, 2}, {0, 0}}, {{{0, 0}, {0, 1}, {1, 1}, {1, 0}, {0, 0}}}};
  const GeoPolygon whole{holed.outer, {}}, hole{holed.holes[0], {}};
  EXPECT_NEAR(geodesic_area_m2({holed}), geodesic_area_m2({whole}) - geodesic_area_m2({hole}), 1e-3);
  EXPECT_NEAR(geodesic_distance_m({0, 0}, {1, 0}), 111319.49, 0.01);
}

}  // namespace
}  // namespace tilewright::geometry
