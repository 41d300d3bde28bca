// SPDX-License-Identifier: Apache-2.0
// Authalic series in tables, the bulge of a short geodesic, and PROJ for long ones.
#include "geometry/edge_area.h"

#include <geodesic.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

namespace tilewright::geometry {
namespace {

using Real = long double;

constexpr Real kA = 6378137.0L, kF = 1 / 298.257223563L, kE2 = kF * (2 - kF);
constexpr Real kPi = 3.141592653589793238462643383279502884L;
constexpr double kRadian = static_cast<double>(kPi / 180);
constexpr int kStepsADegree = 4, kParallels = 180 * kStepsADegree + 1;
constexpr int kTerms = 10;  // e^20 is below one part in 1e21

/// Around one parallel, with latitudes in radians.
struct Node {
  Real below = 0;                 ///< Q: square metres a radian of longitude down to the equator
  std::array<double, 5> slope{};  ///< derivatives of Q, divided by n!: of h, h^2, ... h^5
  std::array<double, 3> bulge_x{};  ///< of the geodesic, by powers of h: times d_lon^3
  std::array<double, 3> bulge_y{};  ///< times d_lon d_lat^2
  double secant2 = 0;               ///< 1 / cos^2 of the latitude, limited
};

/// Q(lat) = sum of C_j sin((2j + 1) lat): the integral of M N cos(lat) from the equator.
std::array<Real, kTerms> sine_series() {
  std::array<Real, kTerms> c{};
  const Real b2 = kA * kA * (1 - kE2);
  Real e2k = 1;
  for (int k = 0; k < kTerms; ++k, e2k *= kE2 / 4) {
    const Real weight = b2 * (k + 1) / (2 * k + 1) * e2k;
    Real binomial = 1;  // C(2k + 1, k - j), from j = k downwards
    for (int j = k; j >= 0; --j) {
      c[static_cast<std::size_t>(j)] += (j % 2 ? -1 : 1) * weight * binomial;
      binomial = binomial * (k + j + 1) / (k - j + 1);
    }
  }
  return c;
}

/// Coefficients of the leading term of the bulge (for lon step x and lat step y, both in radians):
/// geodesics obey lat'' = -(N/M) sin cos - lat'^2 (2 (M/N) tan + 3 e^2 sin cos / (1 - e^2 sin^2)).
struct Bulge {
  Real x, y;
};
Bulge bulge_at(Real lat) {
  const Real s = std::sin(lat), c = std::cos(lat), w = 1 - kE2 * s * s;
  const Real n = kA / std::sqrt(w), m = kA * (1 - kE2) / (w * std::sqrt(w));
  return {n * n * s * c * c / 12, m * n / 12 * (2 * m / n * s + 3 * kE2 * s * c * c / w)};
}

std::unique_ptr<std::array<Node, kParallels>> make_nodes() {
  auto nodes = std::make_unique<std::array<Node, kParallels>>();
  const auto series = sine_series();
  constexpr Real kStep = 1e-4L;
  for (int k = 0; k < kParallels; ++k) {
    Node& node = (*nodes)[static_cast<std::size_t>(k)];
    const Real lat = (Real(k) / kStepsADegree - 90) * kPi / 180;
    for (int j = 0; j < kTerms; ++j) {
      const Real m = 2 * j + 1, sine = std::sin(m * lat), cosine = std::cos(m * lat);
      Real value = series[static_cast<std::size_t>(j)];
      node.below += value * sine;
      const std::array<Real, 5> turned = {cosine, -sine, -cosine, sine, cosine};
      for (int n = 1; n <= 5; ++n) {
        value *= m / n;
        node.slope[static_cast<std::size_t>(n) - 1] += static_cast<double>(value * turned[static_cast<std::size_t>(n) - 1]);
      }
    }
    const Bulge here = bulge_at(lat), north = bulge_at(lat + kStep), south = bulge_at(lat - kStep);
    const auto powers = [](Real low, Real middle, Real high) {
      return std::array{static_cast<double>(middle), static_cast<double>((high - low) / (2 * kStep)),
                        static_cast<double>((high - 2 * middle + low) / (2 * kStep * kStep))};
    };
    node.bulge_x = powers(south.x, here.x, north.x);
    node.bulge_y = powers(south.y, here.y, north.y);
    const Real cosine = std::max(std::abs(std::cos(lat)), 1e-4L);
    node.secant2 = static_cast<double>(1 / (cosine * cosine));
  }
  return nodes;
}

const std::array<Node, kParallels>& nodes() {
  static const auto table = make_nodes();
  return *table;
}
const Node& node_of(Parallel parallel) { return nodes()[static_cast<std::size_t>(parallel.number)]; }

double below_by_proj(LonLat p, LonLat q, Parallel base) {
  struct Ellipsoid : geod_geodesic {
    Ellipsoid() : geod_geodesic() { geod_init(this, static_cast<double>(kA), static_cast<double>(kF)); }
  };
  static const Ellipsoid ellipsoid;
  double area = 0;
  geod_geninverse(&ellipsoid, p.lat_deg, p.lon_deg, q.lat_deg, q.lon_deg, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, &area);
  return static_cast<double>(area - node_of(base).below * (Real(q.lon_deg) - p.lon_deg) * (kPi / 180));
}

}  // namespace

Parallel parallel_near(double lat_deg) {
  return {std::clamp(static_cast<int>(std::lround((lat_deg + 90) * kStepsADegree)), 0, kParallels - 1)};
}

double area_between_m2(Parallel from, Parallel to) { return static_cast<double>(node_of(to).below - node_of(from).below); }

double area_below_edge_m2(LonLat p, LonLat q, Parallel base, double tolerance_m2) {
  const double lon = (q.lon_deg - p.lon_deg) * kRadian, lat = (q.lat_deg - p.lat_deg) * kRadian;
  if (lon == 0) return 0;
  const double middle_deg = p.lat_deg + (q.lat_deg - p.lat_deg) * 0.5;
  const Parallel near = parallel_near(middle_deg);
  const Node& node = node_of(near);
  const double h = (middle_deg - (near.number / static_cast<double>(kStepsADegree) - 90)) * kRadian;
  const auto& c = node.slope;
  const double lat2 = lat * lat, lon2 = lon * lon;
  const auto at = [h](const std::array<double, 3>& power) { return power[0] + h * (power[1] + h * power[2]); };
  const double bulge = lon * (at(node.bulge_x) * lon2 + at(node.bulge_y) * lat2);
  // Against PROJ, the next order is at most 0.13 (d_lon^2 + d_lat^2 / cos^2) of the bulge; the
  // table's parabolas are right to some h^3 / cos^3.
  const double table = h * h * node.secant2, smaller = 0.5 * (lon2 + lat2 * node.secant2) + 8 * table * std::sqrt(table);
  if (std::abs(bulge) * smaller > tolerance_m2 || std::abs(lat) > 0.25 * kRadian) return below_by_proj(p, q, base);
  const double at_middle = h * (c[0] + h * (c[1] + h * (c[2] + h * (c[3] + h * c[4]))));
  const double second = 2 * (c[1] + h * (3 * c[2] + h * (6 * c[3] + h * 10 * c[4]))), fourth = 24 * (c[3] + h * 5 * c[4]);
  const double mean = area_between_m2(base, near) + at_middle + lat2 * (second / 24 + lat2 * fourth / 1920);
  return lon * mean + bulge;
}

}  // namespace tilewright::geometry
