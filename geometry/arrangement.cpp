// SPDX-License-Identifier: Apache-2.0
// Half-edges, their cycles, the winding numbers of the faces, and the boundary of selected faces.
#include "geometry/arrangement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

namespace tilewright::geometry {
namespace {

__extension__ using Wide = __int128;
using Index = std::uint32_t;
constexpr Index kNone = ~Index{0};

struct Label {
  int first = 0, second = 0;
};

/// Edges by rows, for rays that run to the left. Rows hold about as many ends each, so that corners
/// crowded at a few heights do not share one row.
class RowIndex {
 public:
  template <class EndsOf>
  RowIndex(std::size_t edge_count, EndsOf ends_of) {
    if (edge_count == 0) return;
    std::vector<std::int64_t> heights;
    heights.reserve(edge_count * 2);
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto [a, b] = ends_of(e);
      heights.push_back(a.y);
      heights.push_back(b.y);
    }
    std::sort(heights.begin(), heights.end());
    const auto step = static_cast<std::size_t>(std::sqrt(static_cast<double>(heights.size()))) + 1;
    for (std::size_t k = 0; k < heights.size(); k += step) bottoms_.push_back(heights[k]);
    bottoms_.erase(std::unique(bottoms_.begin(), bottoms_.end()), bottoms_.end());
    rows_.resize(bottoms_.size());
    for (std::size_t e = 0; e < edge_count; ++e) {
      const auto [a, b] = ends_of(e);
      if (a.y == b.y) continue;
      const auto [bottom, top] = std::minmax(a.y, b.y);
      for (std::size_t r = row_above(bottom) - 1; r < row_above(top); ++r)
        rows_[r].push_back(static_cast<Index>(e));
    }
  }
  [[nodiscard]] const std::vector<Index>& at(std::int64_t y) const {
    const std::size_t above = row_above(y);
    return above > 0 ? rows_[above - 1] : none_;
  }

 private:
  /// The first row that begins above a height.
  [[nodiscard]] std::size_t row_above(std::int64_t y) const {
    return static_cast<std::size_t>(std::upper_bound(bottoms_.begin(), bottoms_.end(), y) - bottoms_.begin());
  }
  std::vector<std::int64_t> bottoms_;
  std::vector<std::vector<Index>> rows_;
  std::vector<Index> none_;
};

/// True if the ray from just above `p` to the left crosses a - b.
bool crossed_by_ray(GridPoint a, GridPoint b, GridPoint p) {
  if ((a.y <= p.y) == (b.y <= p.y)) return false;
  return orientation(a, b, p) * (a.y < b.y ? 1 : -1) < 0;  // p on the right of the upward edge
}

class Arrangement {
 public:
  explicit Arrangement(const std::vector<GridEdge>& edges) : edges_(edges) {
    collect_vertices();
    sort_around_vertices();
    find_cycles();
    label_faces();
  }
  GridRings rings(FaceRule rule) const;

 private:
  // Half-edge 2e runs from a to b of edge e, 2e + 1 back.
  [[nodiscard]] Index from(Index h) const { return ends_[h]; }
  [[nodiscard]] Index to(Index h) const { return ends_[h ^ 1U]; }
  /// The half-edge before `h` in counter-clockwise order around its start.
  [[nodiscard]] Index clockwise_of(Index h) const {
    const Index v = from(h), begin = first_out_[v], count = first_out_[v + 1] - begin;
    return out_[begin + (place_[h] + count - 1) % count];
  }

  void collect_vertices();
  void sort_around_vertices();
  void find_cycles();
  void label_faces();
  [[nodiscard]] Label outside_of(GridPoint leftmost, const RowIndex& rows) const;
  void spread_labels(Index cycle, Label label, const std::vector<std::vector<Index>>& members);
  [[nodiscard]] std::vector<GridRing> boundary_rings(FaceRule rule) const;
  void split_at_repeats(const std::vector<Index>& vertices, int cycle,
                        std::vector<GridRing>& rings) const;

  const std::vector<GridEdge>& edges_;
  std::vector<GridPoint> vertices_;
  std::vector<Index> ends_;       ///< start vertex of each half-edge
  std::vector<Index> first_out_;  ///< per vertex: where its half-edges begin in out_
  std::vector<Index> out_;        ///< half-edges counter-clockwise from direction -90 degrees
  std::vector<Index> place_;      ///< of each half-edge among those of its start
  std::vector<Index> cycle_;      ///< face cycle on the left of each half-edge
  std::vector<Label> labels_;     ///< per cycle
  std::vector<char> labelled_;
};

void Arrangement::collect_vertices() {
  vertices_.reserve(edges_.size() * 2);
  for (const GridEdge& e : edges_) {
    vertices_.push_back(e.a);
    vertices_.push_back(e.b);
  }
  std::sort(vertices_.begin(), vertices_.end());
  vertices_.erase(std::unique(vertices_.begin(), vertices_.end()), vertices_.end());
  const auto index_of = [&](GridPoint p) {
    return static_cast<Index>(std::lower_bound(vertices_.begin(), vertices_.end(), p) -
                              vertices_.begin());
  };
  ends_.reserve(edges_.size() * 2);
  for (const GridEdge& e : edges_) {
    ends_.push_back(index_of(e.a));
    ends_.push_back(index_of(e.b));
  }
}

void Arrangement::sort_around_vertices() {
  first_out_.assign(vertices_.size() + 1, 0);
  for (const Index v : ends_) ++first_out_[v + 1];
  std::partial_sum(first_out_.begin(), first_out_.end(), first_out_.begin());
  out_.resize(ends_.size());
  place_.resize(ends_.size());
  std::vector<Index> filled(first_out_.begin(), first_out_.end() - 1);
  for (Index h = 0; h < ends_.size(); ++h) out_[filled[from(h)]++] = h;
  const auto goes_right = [&](Index h) { return vertices_[from(h)] < vertices_[to(h)]; };
  const auto before = [&](Index h, Index k) {
    if (goes_right(h) != goes_right(k)) return goes_right(h);
    return orientation(vertices_[from(h)], vertices_[to(h)], vertices_[to(k)]) > 0;
  };
  for (Index v = 0; v < vertices_.size(); ++v) {
    std::sort(out_.begin() + first_out_[v], out_.begin() + first_out_[v + 1], before);
    for (Index k = first_out_[v]; k < first_out_[v + 1]; ++k) place_[out_[k]] = k - first_out_[v];
  }
}

void Arrangement::find_cycles() {
  cycle_.assign(ends_.size(), kNone);
  Index count = 0;
  for (Index start = 0; start < ends_.size(); ++start) {
    if (cycle_[start] != kNone) continue;
    for (Index h = start; cycle_[h] == kNone; h = clockwise_of(h ^ 1U)) cycle_[h] = count;
    ++count;
  }
  labels_.resize(count);
  labelled_.assign(count, 0);
}

Label Arrangement::outside_of(GridPoint leftmost, const RowIndex& rows) const {
  Label label;
  for (const Index e : rows.at(leftmost.y)) {
    const GridEdge& edge = edges_[e];
    if (!crossed_by_ray(edge.a, edge.b, leftmost)) continue;
    const int upward = edge.a.y < edge.b.y ? 1 : -1;
    label.first -= upward * edge.first;
    label.second -= upward * edge.second;
  }
  return label;
}

void Arrangement::spread_labels(Index cycle, Label label,
                                const std::vector<std::vector<Index>>& members) {
  std::vector<Index> open{cycle};
  labels_[cycle] = label;
  labelled_[cycle] = 1;
  while (!open.empty()) {
    const Index here = open.back();
    open.pop_back();
    for (const Index h : members[here]) {
      const Index there = cycle_[h ^ 1U];
      if (labelled_[there]) continue;
      const GridEdge& e = edges_[h / 2];
      const int side = h % 2 == 0 ? 1 : -1;  // left minus right as seen along h
      labels_[there] = {labels_[here].first - side * e.first,
                        labels_[here].second - side * e.second};
      labelled_[there] = 1;
      open.push_back(there);
    }
  }
}

void Arrangement::label_faces() {
  std::vector<std::vector<Index>> members(labels_.size());
  for (Index h = 0; h < cycle_.size(); ++h) members[cycle_[h]].push_back(h);
  const RowIndex rows(edges_.size(), [&](std::size_t e) {
    return std::pair(edges_[e].a, edges_[e].b);
  });
  // Vertices are sorted: the first unlabelled one is the leftmost of its component, and the face
  // to its left lies counter-clockwise of its last half-edge.
  for (Index v = 0; v < vertices_.size(); ++v) {
    const Index outer = cycle_[out_[first_out_[v + 1] - 1]];
    if (!labelled_[outer]) spread_labels(outer, outside_of(vertices_[v], rows), members);
  }
}

void Arrangement::split_at_repeats(const std::vector<Index>& vertices, int cycle,
                                   std::vector<GridRing>& rings) const {
  std::vector<Index> path;
  std::map<Index, std::size_t> position;
  for (const Index v : vertices) {
    const auto seen = position.find(v);
    if (seen != position.end()) {
      GridRing ring{{}, cycle};
      for (std::size_t k = seen->second; k < path.size(); ++k) {
        ring.points.push_back(vertices_[path[k]]);
        if (k > seen->second) position.erase(path[k]);
      }
      path.resize(seen->second + 1);
      rings.push_back(std::move(ring));
      continue;
    }
    position[v] = path.size();
    path.push_back(v);
  }
  GridRing ring{{}, cycle};
  for (const Index v : path) ring.points.push_back(vertices_[v]);
  rings.push_back(std::move(ring));
}

std::vector<GridRing> Arrangement::boundary_rings(FaceRule rule) const {
  std::vector<char> boundary(ends_.size());
  const auto inside = [&](Index h) {
    return rule(labels_[cycle_[h]].first, labels_[cycle_[h]].second);
  };
  for (Index h = 0; h < ends_.size(); ++h) boundary[h] = inside(h) && !inside(h ^ 1U) ? 1 : 0;
  std::vector<GridRing> rings;
  int cycle = 0;
  for (Index start = 0; start < ends_.size(); ++start) {
    if (boundary[start] != 1) continue;
    std::vector<Index> walked;
    for (Index h = start; boundary[h] == 1;) {
      boundary[h] = 2;
      walked.push_back(from(h));
      h = clockwise_of(h ^ 1U);
      while (boundary[h] == 0) h = clockwise_of(h);
    }
    split_at_repeats(walked, cycle++, rings);
  }
  return rings;
}

Wide twice_area(const GridRing& ring) {
  Wide sum = 0;
  const GridPoint o = ring.points[0];
  for (std::size_t k = 1; k + 1 < ring.points.size(); ++k) {
    const GridPoint p = ring.points[k], q = ring.points[k + 1];
    sum += static_cast<Wide>(p.x - o.x) * (q.y - o.y) - static_cast<Wide>(p.y - o.y) * (q.x - o.x);
  }
  return sum;
}

/// Finds the outer ring of each hole: of its own cycle, else the smallest one around it.
class HoleOwners {
 public:
  explicit HoleOwners(const std::vector<GridRing>& outer)
      : edges_(edges_of(outer)),
        rows_(edges_.size(), [&](std::size_t e) {
          return std::pair(edges_[e].a, edges_[e].b);
        }) {
    for (std::size_t r = 0; r < outer.size(); ++r) {
      areas_.push_back(twice_area(outer[r]));
      by_cycle_.emplace(outer[r].cycle, r);
    }
  }

  [[nodiscard]] std::size_t owner(const GridRing& hole) const {
    if (const auto own = by_cycle_.find(hole.cycle); own != by_cycle_.end()) return own->second;
    const GridPoint leftmost = hole.points[0];
    std::map<std::size_t, int> crossings;
    for (const Index e : rows_.at(leftmost.y))
      if (crossed_by_ray(edges_[e].a, edges_[e].b, leftmost)) ++crossings[edges_[e].ring];
    std::size_t best = 0;
    bool found = false;
    for (const auto& [ring, count] : crossings)
      if (count % 2 == 1 && (!found || areas_[ring] < areas_[best])) {
        best = ring;
        found = true;
      }
    return best;
  }

 private:
  struct RingEdge {
    GridPoint a, b;
    std::size_t ring;
  };
  static std::vector<RingEdge> edges_of(const std::vector<GridRing>& rings) {
    std::vector<RingEdge> edges;
    for (std::size_t r = 0; r < rings.size(); ++r) {
      const auto& points = rings[r].points;
      for (std::size_t k = 0; k < points.size(); ++k)
        edges.push_back({points[k], points[(k + 1) % points.size()], r});
    }
    return edges;
  }
  std::vector<RingEdge> edges_;
  RowIndex rows_;
  std::vector<Wide> areas_;
  std::map<int, std::size_t> by_cycle_;
};

GridRings Arrangement::rings(FaceRule rule) const {
  GridRings result;
  std::vector<GridRing> holes;
  for (GridRing& ring : boundary_rings(rule)) {
    const auto smallest = std::min_element(ring.points.begin(), ring.points.end());
    std::rotate(ring.points.begin(), smallest, ring.points.end());
    (twice_area(ring) > 0 ? result.outer : holes).push_back(std::move(ring));
  }
  const auto by_points = [](const GridRing& a, const GridRing& b) { return a.points < b.points; };
  std::sort(result.outer.begin(), result.outer.end(), by_points);
  std::sort(holes.begin(), holes.end(), by_points);
  result.holes.resize(result.outer.size());
  if (result.outer.empty()) return result;
  const HoleOwners owners(result.outer);
  for (GridRing& hole : holes) result.holes[owners.owner(hole)].push_back(std::move(hole));
  return result;
}

}  // namespace

GridRings rings_of(const std::vector<GridEdge>& edges, FaceRule rule) {
  if (edges.empty()) return {};
  return Arrangement(edges).rings(rule);
}

}  // namespace tilewright::geometry
