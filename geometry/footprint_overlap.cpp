// SPDX-License-Identifier: Apache-2.0
// Walks along both outlines from crossing to crossing and adds what lies below the pieces inside.
#include "geometry/footprint_overlap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "geometry/edge_box.h"
#include "geometry/exact_side.h"

namespace tilewright::geometry {
namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNearTie = 1e-9;           // crossings of an edge nearer than this may come in any order

}  // namespace

/// One pair of footprints. Memory is kept per thread.
class OverlapWalk {
 public:
  double area(const PreparedFootprint& a, const PreparedFootprint& b);

 private:
  /// Where the outlines cross: an edge of each and the position along it.
  struct Crossing {
    std::uint32_t edge[2];
    double along[2];
    bool enters[2];  ///< the outline of this operand goes into the other operand
    LonLat at;
  };
  void meet(int level_a, std::uint32_t a, int level_b, std::uint32_t b);
  void meet_edges(std::uint32_t block_a, std::uint32_t block_b);
  void cross(std::uint32_t edge_a, std::uint32_t edge_b);
  bool meet_small();
  void add_crossing(std::uint32_t edge_a, std::uint32_t edge_b, const double (&a)[2], const double (&b)[2], bool a_enters);
  [[nodiscard]] bool starts_inside(int side, const PreparedFootprint::Ring& ring, std::size_t first, std::size_t last) const;
  [[nodiscard]] bool is_inside(int side, LonLat p) const;
  /// What lies below the pieces of a ring (or of all rings) inside the other operand, over the
  /// parallel of the first operand.
  double below_inside(int side);
  double below_inside(int side, const PreparedFootprint::Ring& ring, std::size_t first, std::size_t last);

  const PreparedFootprint* of_[2] = {};
  double tolerance_ = 0;
  std::vector<Crossing> crossings_;
};

void OverlapWalk::meet(int level_a, std::uint32_t a, int level_b, std::uint32_t b) {
  const auto &boxes_a = of_[0]->boxes_, &boxes_b = of_[1]->boxes_;
  if (apart(boxes_a[static_cast<std::size_t>(level_a)][a], boxes_b[static_cast<std::size_t>(level_b)][b])) return;
  if (level_a == 0 && level_b == 0) return meet_edges(a, b);
  if (level_a >= level_b) {
    const auto below = static_cast<std::uint32_t>(boxes_a[static_cast<std::size_t>(level_a) - 1].size());
    for (std::uint32_t n = a * kFan; n < std::min(below, (a + 1) * kFan); ++n) meet(level_a - 1, n, level_b, b);
  } else {
    const auto below = static_cast<std::uint32_t>(boxes_b[static_cast<std::size_t>(level_b) - 1].size());
    for (std::uint32_t n = b * kFan; n < std::min(below, (b + 1) * kFan); ++n) meet(level_a, a, level_b - 1, n);
  }
}

void OverlapWalk::meet_edges(std::uint32_t block_a, std::uint32_t block_b) {
  const auto &a = *of_[0], &b = *of_[1];
  const auto end_a = std::min<std::uint32_t>((block_a + 1) * kFan, static_cast<std::uint32_t>(a.points_.size()) - 1);
  const auto end_b = std::min<std::uint32_t>((block_b + 1) * kFan, static_cast<std::uint32_t>(b.points_.size()) - 1);
  const Box& box_b = b.boxes_[0][block_b];
  for (std::uint32_t i = block_a * kFan; i < end_a; ++i) {
    const Box box = box_of(a.points_[i], a.points_[i + 1]);
    if (apart(box, box_b) || a.is_gap(i)) continue;
    for (std::uint32_t j = block_b * kFan; j < end_b; ++j)
      if (!apart(box, box_of(b.points_[j], b.points_[j + 1])) && !b.is_gap(j)) cross(i, j);
  }
}

void OverlapWalk::cross(std::uint32_t edge_a, std::uint32_t edge_b) {
  const LonLat a0 = of_[0]->points_[edge_a], a1 = of_[0]->points_[edge_a + 1];
  const LonLat b0 = of_[1]->points_[edge_b], b1 = of_[1]->points_[edge_b + 1];
  const Side a_from = side_of_a(b0, b1, a0), a_to = side_of_a(b0, b1, a1);
  if (a_from.left == a_to.left) return;
  const Side b_from = side_of_b(a0, a1, b0), b_to = side_of_b(a0, a1, b1);
  if (b_from.left == b_to.left) return;
  add_crossing(edge_a, edge_b, {a_from.turn, a_to.turn}, {b_from.turn, b_to.turn}, a_to.left);
}

/// `a`: turns of both ends of the edge of A seen along that of B, and the other way round.
void OverlapWalk::add_crossing(std::uint32_t edge_a, std::uint32_t edge_b, const double (&a)[2], const double (&b)[2], bool a_enters) {
  const LonLat from = of_[0]->points_[edge_a], to = of_[0]->points_[edge_a + 1];
  const double t = a[0] / (a[0] - a[1]), u = b[0] / (b[0] - b[1]);
  const LonLat at{from.lon_deg + t * (to.lon_deg - from.lon_deg), from.lat_deg + t * (to.lat_deg - from.lat_deg)};
  crossings_.push_back({{edge_a, edge_b}, {t, u}, {a_enters, !a_enters}, at});
}

/// Two doubles in a register: every processor that we build for has such.
using Two [[gnu::vector_size(16)]] = double;
using TwoBits [[gnu::vector_size(16)]] = long long;
Two two(const double* values) {
  Two result;
  std::memcpy(&result, values, sizeof result);
  return result;
}
Two magnitude(Two v) { return reinterpret_cast<Two>(reinterpret_cast<TwoBits>(v) & 0x7fffffffffffffffLL); }

unsigned sign_bits(TwoBits v) {
#if defined(__SSE2__)
  return static_cast<unsigned>(__builtin_ia32_movmskpd(reinterpret_cast<Two>(v)));
#else
  return (v[0] < 0 ? 1U : 0U) | (v[1] < 0 ? 2U : 0U);
#endif
}

/// Sides of all corners of one ring along all edges of another.
struct PreparedFootprint::SideTable {
  double turn[kFan][kFan];  ///< per edge, per corner
  unsigned left[kFan];      ///< per edge: bit k is set if corner k lies to the left
  unsigned changes[kFan];   ///< bit k is set if corner k and the next lie on different sides

  /// False where a double cannot tell a side.
  bool fill(const FewCorners& edges, const FewCorners& corners) {
    if (corners.count == 0) return false;
    TwoBits certain = {-1, -1};
    const unsigned all = (1U << corners.count) - 1;
    for (unsigned e = 0; e < edges.count; ++e) {
      const unsigned to = edges.after(e);
      const double x0 = edges.lon[e], y0 = edges.lat[e], x = edges.lon[to] - x0, y = edges.lat[to] - y0;
      unsigned sides = 0;
      for (unsigned k = 0; k < corners.count; k += 2) {
        const Two l = x * (two(corners.lat + k) - y0), r = y * (two(corners.lon + k) - x0), difference = l - r;
        std::memcpy(turn[e] + k, &difference, sizeof difference);
        certain &= magnitude(difference) > 4e-16 * (magnitude(l) + magnitude(r));
        sides |= sign_bits(difference > 0) << k;
      }
      left[e] = sides & all;
      changes[e] = left[e] ^ (left[e] >> 1 | (left[e] & 1U) << (corners.count - 1));
    }
    return sign_bits(certain) == 3;
  }
};

/// Two outlines of a few corners: every edge against every other. False if a double cannot decide.
bool OverlapWalk::meet_small() {
  const auto &a = of_[0]->few_, &b = of_[1]->few_;
  PreparedFootprint::SideTable of_a, of_b;
  if (!of_a.fill(b, a) || !of_b.fill(a, b)) return false;
  for (unsigned i = 0; i < a.count; ++i) {
    for (unsigned open = of_b.changes[i]; open != 0; open &= open - 1) {
      const auto j = static_cast<unsigned>(__builtin_ctz(open));
      if ((of_a.changes[j] >> i & 1U) == 0) continue;
      const unsigned to_i = a.after(i), to_j = b.after(j);
      add_crossing(i, j, {of_a.turn[j][i], of_a.turn[j][to_i]}, {of_b.turn[i][j], of_b.turn[i][to_j]}, (of_a.left[j] >> to_i & 1U) != 0);
    }
  }
  return true;
}

/// Parity of the edges of the other operand that a ray to the west meets.
bool OverlapWalk::is_inside(int side, LonLat p) const {
  const PreparedFootprint& other = *of_[1 - side];
  bool inside = false;
  const auto look = [&](std::uint32_t e) {
    const LonLat q = other.points_[e], r = other.points_[e + 1];
    const bool q_above = side == 0 ? q.lat_deg >= p.lat_deg : q.lat_deg > p.lat_deg;
    const bool r_above = side == 0 ? r.lat_deg >= p.lat_deg : r.lat_deg > p.lat_deg;
    if (q_above == r_above || std::min(q.lon_deg, r.lon_deg) > p.lon_deg) return;
    const bool left = side == 0 ? side_of_a(q, r, p).left : side_of_b(q, r, p).left;
    inside ^= left != r_above;  // the edge lies to the west of p
  };
  const auto visit = [&](const auto& self, std::size_t level, std::size_t n) -> void {
    const Box& box = other.boxes_[level][n];
    if (p.lat_deg < box.min_y || p.lat_deg > box.max_y || p.lon_deg < box.min_x) return;
    const std::size_t end = (n + 1) * kFan;
    if (level > 0) {
      for (std::size_t k = n * kFan; k < std::min(end, other.boxes_[level - 1].size()); ++k) self(self, level - 1, k);
      return;
    }
    for (std::size_t e = n * kFan; e < std::min(end, other.points_.size() - 1); ++e)
      if (!other.is_gap(static_cast<std::uint32_t>(e))) look(static_cast<std::uint32_t>(e));
  };
  visit(visit, other.boxes_.size() - 1, 0);
  return inside;
}

/// The first crossing tells, unless another lies so near that rounding may have swapped them.
bool OverlapWalk::starts_inside(int side, const PreparedFootprint::Ring& ring, std::size_t first, std::size_t last) const {
  if (first == last && apart(ring.box, of_[1 - side]->boxes_.back()[0])) return false;
  const auto is_clear = [&] {
    const Crossing& c = crossings_[first];
    if (last - first < 2 || crossings_[first + 1].edge[side] != c.edge[side]) return true;
    return crossings_[first + 1].along[side] - c.along[side] > kNearTie;
  };
  return first < last && is_clear() ? !crossings_[first].enters[side] : is_inside(side, of_[side]->points_[ring.first]);
}

/// Adds pieces of one ring, corner to corner or cut at crossings.
class PieceSum {
 public:
  PieceSum(const std::vector<LonLat>& points, const std::vector<double>& below, std::uint32_t corner)
      : points_(points), below_(below), corner_(corner), from_(points[corner]) {}
  template <class Below>
  void go_to(std::uint32_t corner, bool inside, const Below& below) {
    if (!at_corner_) {
      ++corner_;
      if (inside) add(points_[corner_], below(from_, points_[corner_]));
      from_ = points_[corner_];
      at_corner_ = true;
    }
    if (inside) add(points_[corner], below_[corner] - below_[corner_]);
    corner_ = corner;
    from_ = points_[corner];
  }
  template <class Below>
  void cross(std::uint32_t edge, LonLat at, bool inside, const Below& below) {
    if (edge > corner_) go_to(edge, inside, below);
    if (inside) add(at, below(from_, at));
    from_ = at;
    at_corner_ = false;
  }
  [[nodiscard]] double below() const { return sum_; }
  [[nodiscard]] double lon_deg() const { return lon_deg_; }

 private:
  void add(LonLat to, double below) {
    sum_ += below;
    lon_deg_ += to.lon_deg - from_.lon_deg;
  }
  const std::vector<LonLat>& points_;
  const std::vector<double>& below_;
  std::uint32_t corner_;  ///< the last one passed
  LonLat from_;
  bool at_corner_ = true;
  double sum_ = 0, lon_deg_ = 0;
};

/// Crossings [first, last) are those of this ring, in order along it.
double OverlapWalk::below_inside(int side, const PreparedFootprint::Ring& ring, std::size_t first, std::size_t last) {
  const PreparedFootprint& of = *of_[side];
  const auto below = [&](LonLat p, LonLat q) { return of.below(p, q, tolerance_); };
  bool inside = starts_inside(side, ring, first, last);
  PieceSum pieces(of.points_, of.below_, ring.first);
  for (std::size_t k = first; k < last; ++k) {
    if (crossings_[k].enters[side] == inside) {  // rounding swapped it with a later one on this edge
      std::size_t other = k + 1;
      while (other < last && crossings_[other].enters[side] == inside) ++other;
      assert(other < last && crossings_[other].edge[side] == crossings_[k].edge[side]);
      if (other < last) std::swap(crossings_[k], crossings_[other]);
    }
    pieces.cross(crossings_[k].edge[side], crossings_[k].at, inside, below);
    inside = !inside;
  }
  pieces.go_to(ring.last, inside, below);
  const double sum = pieces.below();
  const Parallel common = of_[0]->base_;
  if (of.measure_ == Measure::plane_deg2 || of.base_.number == common.number) return sum;
  return sum + area_between_m2(common, of.base_) * pieces.lon_deg() * (kPi / 180);
}

double OverlapWalk::below_inside(int side) {
  const auto before = [side](const Crossing& c, const Crossing& d) {
    return c.edge[side] != d.edge[side] ? c.edge[side] < d.edge[side] : c.along[side] < d.along[side];
  };
  if (!std::ranges::is_sorted(crossings_, before)) std::ranges::sort(crossings_, before);
  double sum = 0;
  std::size_t first = 0;
  for (const auto& ring : of_[side]->rings_) {
    std::size_t last = first;
    while (last < crossings_.size() && crossings_[last].edge[side] < ring.last) ++last;
    sum += below_inside(side, ring, first, last);
    first = last;
  }
  return sum;
}

double OverlapWalk::area(const PreparedFootprint& a, const PreparedFootprint& b) {
  if (a.rings_.empty() || b.rings_.empty()) return 0;
  of_[0] = &a;
  of_[1] = &b;
  tolerance_ = std::min(a.tolerance_, b.tolerance_);
  crossings_.clear();
  if (a.few_.count == 0 || b.few_.count == 0 || !meet_small()) {
    crossings_.clear();
    meet(static_cast<int>(a.boxes_.size()) - 1, 0, static_cast<int>(b.boxes_.size()) - 1, 0);
  }
  return std::max(0.0, -(below_inside(0) + below_inside(1)));
}

double overlap_area(const PreparedFootprint& a, const PreparedFootprint& b) {
  thread_local OverlapWalk walk;
  return walk.area(a, b);
}

}  // namespace tilewright::geometry
