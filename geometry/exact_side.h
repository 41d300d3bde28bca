// SPDX-License-Identifier: Apache-2.0
// On which side of a directed edge a point lies, exactly, with ties broken by a tiny shift.
//
// Two operands, A and B. B is thought of as moved by (e1, e2), e1 >> e2 > 0 infinitely small: then
// no point lies on an edge of the other operand, and every answer is that of one true arrangement.
#pragma once

#include <cmath>
#include <cstdint>

#include "geometry/grid.h"

namespace tilewright::geometry {

/// Coordinates are multiples of 2^-50 degrees below 512: sides are exact in 128-bit integers.
inline double on_exact_lattice(double degrees) {
  constexpr double kSteps = 1125899906842624.0;  // 2^50; doubles of 4 and more are multiples already
  return std::abs(degrees) < 4 ? std::nearbyint(degrees * kSteps) / kSteps : degrees;
}

/// Twice the signed area of p, q, r: its sign is exact, its value good to a few ulp.
inline double exact_turn(LonLat p, LonLat q, LonLat r) {
  const double left = (q.lon_deg - p.lon_deg) * (r.lat_deg - p.lat_deg);
  const double right = (q.lat_deg - p.lat_deg) * (r.lon_deg - p.lon_deg);
  const double turn = left - right;
  if (std::abs(turn) > 4e-16 * (std::abs(left) + std::abs(right))) return turn;  // 3.33e-16: Shewchuk
  __extension__ using Wide = __int128;
  constexpr double kSteps = 1125899906842624.0;
  const auto steps = [](double degrees) { return static_cast<std::int64_t>(degrees * kSteps); };
  const std::int64_t px = steps(p.lon_deg), py = steps(p.lat_deg);
  const Wide exact = static_cast<Wide>(steps(q.lon_deg) - px) * (steps(r.lat_deg) - py) - static_cast<Wide>(steps(q.lat_deg) - py) * (steps(r.lon_deg) - px);
  return static_cast<double>(exact) / kSteps / kSteps;
}

struct Side {
  bool left;     ///< after the shift
  double turn;   ///< before it
};
/// Where a point of A lies, seen along an edge of B.
inline Side side_of_a(LonLat b0, LonLat b1, LonLat a) {
  const double turn = exact_turn(b0, b1, a);
  if (turn != 0) return {turn > 0, turn};
  return {b1.lat_deg != b0.lat_deg ? b1.lat_deg > b0.lat_deg : b1.lon_deg < b0.lon_deg, 0};
}
/// Where a point of B lies, seen along an edge of A.
inline Side side_of_b(LonLat a0, LonLat a1, LonLat b) {
  const double turn = exact_turn(a0, a1, b);
  if (turn != 0) return {turn > 0, turn};
  return {a1.lat_deg != a0.lat_deg ? a1.lat_deg < a0.lat_deg : a1.lon_deg > a0.lon_deg, 0};
}

}  // namespace tilewright::geometry
