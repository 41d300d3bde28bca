// SPDX-License-Identifier: Apache-2.0
// Edges that the sweep line crosses, from right (below) to left (above) as seen along them. Points
// are ordered by x, then y, so that vertical edges are like all others.
#include "geometry/plane_sweep.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <set>

namespace tilewright::geometry {
namespace {

/// Is f, which begins at or after e, above e where it begins? Edges that begin at one point: by
/// where they go.
bool is_above(const GridEdge& e, const GridEdge& f) {
  const int begin = orientation(e.a, e.b, f.a);
  return begin != 0 ? begin > 0 : orientation(e.a, e.b, f.b) > 0;
}

struct Lower {
  const std::vector<GridEdge>* edges;
  bool operator()(std::uint32_t i, std::uint32_t j) const {
    if (i == j) return false;
    const GridEdge &e = (*edges)[i], &f = (*edges)[j];
    return e.a <= f.a ? is_above(e, f) : !is_above(f, e);
  }
};

bool lies_within(const GridEdge& e, GridPoint p) {
  return e.a < p && p < e.b && orientation(e.a, e.b, p) == 0;
}

/// Do they share a point that is not an end of both?
bool meet_inside(const GridEdge& e, const GridEdge& f) {
  if (lies_within(e, f.a) || lies_within(e, f.b) || lies_within(f, e.a) || lies_within(f, e.b))
    return true;
  return orientation(e.a, e.b, f.a) * orientation(e.a, e.b, f.b) < 0 &&
         orientation(f.a, f.b, e.a) * orientation(f.a, f.b, e.b) < 0;
}

class Sweep {
 public:
  explicit Sweep(const std::vector<GridEdge>& edges)
      : edges_(edges), line_(Lower{&edges}), places_(edges.size(), line_.end()) {}

  bool run() {
    const auto by_begin = order([&](std::uint32_t i) { return edges_[i].a; }),
               by_end = order([&](std::uint32_t i) { return edges_[i].b; });
    std::size_t ended = 0;
    for (const std::uint32_t next : by_begin) {
      for (; ended < by_end.size() && edges_[by_end[ended]].b <= edges_[next].a; ++ended)
        if (!leave(by_end[ended])) return false;
      if (!enter(next)) return false;
    }
    for (; ended < by_end.size(); ++ended)
      if (!leave(by_end[ended])) return false;
    return true;
  }

 private:
  using Line = std::set<std::uint32_t, Lower>;

  template <class PointOf>
  [[nodiscard]] std::vector<std::uint32_t> order(PointOf point_of) const {
    std::vector<std::uint32_t> indices(edges_.size());
    std::iota(indices.begin(), indices.end(), 0U);
    std::sort(indices.begin(), indices.end(),
              [&](std::uint32_t i, std::uint32_t j) { return point_of(i) < point_of(j); });
    return indices;
  }
  /// False if it meets a neighbour.
  bool enter(std::uint32_t i) {
    const auto [at, is_new] = line_.insert(i);
    if (!is_new) return false;  // it lies on another one
    places_[i] = at;
    return (at == line_.begin() || !meet_inside(edges_[*std::prev(at)], edges_[i])) &&
           (std::next(at) == line_.end() || !meet_inside(edges_[i], edges_[*std::next(at)]));
  }
  /// False if those that become neighbours meet.
  bool leave(std::uint32_t i) {
    const auto above = line_.erase(places_[i]);
    return above == line_.begin() || above == line_.end() ||
           !meet_inside(edges_[*std::prev(above)], edges_[*above]);
  }

  const std::vector<GridEdge>& edges_;
  Line line_;
  std::vector<Line::iterator> places_;
};

}  // namespace

bool meet_at_ends_only(const std::vector<GridEdge>& edges) { return Sweep(edges).run(); }

}  // namespace tilewright::geometry
