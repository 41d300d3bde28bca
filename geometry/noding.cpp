// SPDX-License-Identifier: Apache-2.0
// Finds all meetings of segments with a uniform grid of cells and exact integer predicates.
#include "geometry/noding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "geometry/plane_sweep.h"

namespace tilewright::geometry {
namespace {

__extension__ using Wide = __int128;
constexpr int kGridBits = 46;
constexpr int kMaxRounds = 64;
constexpr std::int64_t kMaxPairs = 400'000'000;
constexpr std::size_t kMaxEntries = 24'000'000;  // 8 bytes each
constexpr std::size_t kBruteForceEdges = 24, kCrowd = 64;  // edges a cell before it is divided
constexpr int kMaxDepth = 8;
constexpr std::size_t kSweptEdges = 10'000;  // more of them, mostly valid, are looked at without pairs first

struct Split {
  std::uint32_t edge;
  GridPoint at;
};

Wide cross(GridPoint a, GridPoint b, GridPoint c) {
  return static_cast<Wide>(b.x - a.x) * (c.y - a.y) - static_cast<Wide>(b.y - a.y) * (c.x - a.x);
}
int sign(Wide value) { return (value > 0) - (value < 0); }

/// True if `p`, known to lie on the line of `e`, is strictly between its ends.
bool strictly_between(const GridEdge& e, GridPoint p) { return e.a < p && p < e.b; }

GridPoint crossing(const GridEdge& e, const GridEdge& f) {
  const auto to_a = static_cast<long double>(cross(f.a, f.b, e.a));
  const auto to_b = static_cast<long double>(cross(f.a, f.b, e.b));
  const long double t = to_a / (to_a - to_b);
  return {e.a.x + std::llroundl(t * static_cast<long double>(e.b.x - e.a.x)),
          e.a.y + std::llroundl(t * static_cast<long double>(e.b.y - e.a.y))};
}

bool boxes_apart(const GridEdge& e, const GridEdge& f) {
  const auto [e_low, e_high] = std::minmax(e.a.y, e.b.y);
  const auto [f_low, f_high] = std::minmax(f.a.y, f.b.y);
  return e.b.x < f.a.x || f.b.x < e.a.x || e_high < f_low || f_high < e_low;
}

/// Collects the splits that two edges cause in each other.
class Meetings {
 public:
  explicit Meetings(const std::vector<GridEdge>& edges) : edges_(edges) {}

  void test(std::uint32_t i, std::uint32_t j) {
    const GridEdge &e = edges_[i], &f = edges_[j];
    ++pairs_;
    if (boxes_apart(e, f)) return;
    const int fa = orientation(e.a, e.b, f.a), fb = orientation(e.a, e.b, f.b);
    if (fa * fb > 0) return;
    const int ea = orientation(f.a, f.b, e.a), eb = orientation(f.a, f.b, e.b);
    if (ea * eb > 0) return;
    if (fa == 0) split(i, f.a);
    if (fb == 0) split(i, f.b);
    if (ea == 0) split(j, e.a);
    if (eb == 0) split(j, e.b);
    if (fa * fb < 0 && ea * eb < 0) {
      const GridPoint p = crossing(e, f);
      if (p != e.a && p != e.b) splits_.push_back({i, p});
      if (p != f.a && p != f.b) splits_.push_back({j, p});
    }
  }

  [[nodiscard]] std::vector<Split>& splits() { return splits_; }
  [[nodiscard]] bool too_many() const { return pairs_ > kMaxPairs; }

 private:
  void split(std::uint32_t edge, GridPoint p) {
    if (strictly_between(edges_[edge], p)) splits_.push_back({edge, p});
  }
  const std::vector<GridEdge>& edges_;
  std::vector<Split> splits_;
  std::int64_t pairs_ = 0;
};

/// A rectangle of grid points, closed.
struct Region {
  GridPoint low, high;
};

Region region_of(const std::vector<GridEdge>& edges) {
  Region all{edges[0].a, edges[0].b};
  for (const GridEdge& e : edges) {
    all.low = {std::min(all.low.x, e.a.x), std::min({all.low.y, e.a.y, e.b.y})};
    all.high = {std::max(all.high.x, e.b.x), std::max({all.high.y, e.a.y, e.b.y})};
  }
  return all;
}

/// Uniform cells over a region; each edge is listed in the cells that it may touch. Cells that stay
/// crowded, because the corners lie in few spots of the region, are divided again.
class CellIndex {
 public:
  CellIndex(const std::vector<GridEdge>& edges, const std::vector<std::uint32_t>& chosen, const Region& region)
      : edges_(edges), low_(region.low) {
    side_ = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::sqrt(static_cast<double>(chosen.size()))), 1, 4096);
    width_ = (region.high.x - region.low.x) / side_ + 1;
    height_ = (region.high.y - region.low.y) / side_ + 1;
    for (const std::uint32_t i : chosen)
      if (!is_full()) list(edges[i], i);
    std::sort(entries_.begin(), entries_.end());
  }

  /// True if the edges lie in too many cells: a bundle of long ones.
  [[nodiscard]] bool is_full() const { return entries_.size() > kMaxEntries; }

  /// False if there are too many pairs to look at.
  bool test_pairs(Meetings& meetings, int depth) const {
    for (std::size_t begin = 0; begin < entries_.size() && !meetings.too_many();) {
      std::size_t end = begin;
      while (end < entries_.size() && entries_[end].first == entries_[begin].first) ++end;
      const bool divided = end - begin > kCrowd && depth < kMaxDepth && divide(begin, end, meetings, depth);
      for (std::size_t i = begin; i < end && !divided && !meetings.too_many(); ++i)
        for (std::size_t j = i + 1; j < end; ++j)
          meetings.test(entries_[i].second, entries_[j].second);
      begin = end;
    }
    return !meetings.too_many();
  }

 private:
  /// False if finer cells are of no use.
  bool divide(std::size_t begin, std::size_t end, Meetings& meetings, int depth) const {
    std::vector<std::uint32_t> here;
    for (std::size_t k = begin; k < end; ++k) here.push_back(entries_[k].second);
    const std::int64_t column = entries_[begin].first / side_, row = entries_[begin].first % side_;
    const GridPoint low{low_.x + column * width_, low_.y + row * height_};
    const CellIndex finer(edges_, here, {low, {low.x + width_ - 1, low.y + height_ - 1}});
    if (finer.is_full()) return false;
    finer.test_pairs(meetings, depth + 1);
    return true;
  }
  void list(const GridEdge& e, std::uint32_t index) {
    const std::int64_t first = std::max<std::int64_t>(e.a.x - low_.x, 0) / width_;
    const std::int64_t last = std::min((e.b.x - low_.x) / width_, side_ - 1);
    for (std::int64_t column = first; column <= last; ++column) {
      const auto [bottom, top] = rows_in_column(e, column);
      for (std::int64_t row = bottom; row <= top; ++row)
        entries_.emplace_back(static_cast<std::uint32_t>(column * side_ + row), index);
    }
  }
  /// Rows that the edge may touch inside a column, with a margin for the rounding of its line.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> rows_in_column(const GridEdge& e,
                                                                    std::int64_t column) const {
    double y0 = static_cast<double>(e.a.y), y1 = static_cast<double>(e.b.y);
    if (e.a.x != e.b.x) {
      const double slope = (y1 - y0) / static_cast<double>(e.b.x - e.a.x);
      const std::int64_t left = std::max(e.a.x, low_.x + column * width_);
      const std::int64_t right = std::min(e.b.x, low_.x + (column + 1) * width_);
      const double start = y0;
      y0 = start + slope * static_cast<double>(left - e.a.x);
      y1 = start + slope * static_cast<double>(right - e.a.x);
    }
    const double base = static_cast<double>(low_.y), cell = static_cast<double>(height_);
    const auto bottom = static_cast<std::int64_t>(std::floor((std::min(y0, y1) - 4 - base) / cell));
    const auto top = static_cast<std::int64_t>(std::floor((std::max(y0, y1) + 4 - base) / cell));
    return {std::max<std::int64_t>(bottom, 0), std::min<std::int64_t>(top, side_ - 1)};
  }

  const std::vector<GridEdge>& edges_;
  GridPoint low_;
  std::int64_t side_ = 1, width_ = 1, height_ = 1;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> entries_;  ///< cell, edge
};

/// Sums the weights of equal edges and drops what cancels; true if anything was merged.
bool merge_equal(std::vector<GridEdge>& edges) {
  std::sort(edges.begin(), edges.end(), [](const GridEdge& e, const GridEdge& f) {
    return std::tie(e.a, e.b) < std::tie(f.a, f.b);
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < edges.size();) {
    GridEdge sum = edges[i];
    std::size_t j = i + 1;
    for (; j < edges.size() && edges[j].a == sum.a && edges[j].b == sum.b; ++j) {
      sum.first += edges[j].first;
      sum.second += edges[j].second;
    }
    if (sum.first != 0 || sum.second != 0) edges[kept++] = sum;
    i = j;
  }
  const bool merged = kept != edges.size();
  edges.resize(kept);
  return merged;
}

/// Replaces edges by their pieces; `splits` are in any order, possibly repeated.
std::vector<GridEdge> cut(const std::vector<GridEdge>& edges, std::vector<Split>& splits) {
  const auto along = [&](const Split& s) {
    const GridEdge& e = edges[s.edge];
    return static_cast<Wide>(s.at.x - e.a.x) * (e.b.x - e.a.x) +
           static_cast<Wide>(s.at.y - e.a.y) * (e.b.y - e.a.y);
  };
  std::sort(splits.begin(), splits.end(), [&](const Split& s, const Split& t) {
    if (s.edge != t.edge) return s.edge < t.edge;
    const Wide u = along(s), v = along(t);
    return u != v ? u < v : s.at < t.at;
  });
  std::vector<GridEdge> pieces;
  pieces.reserve(edges.size() + splits.size());
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < edges.size(); ++i) {
    const GridEdge& e = edges[i];
    GridPoint from = e.a;
    for (; next < splits.size() && splits[next].edge == i; ++next) {
      if (splits[next].at == from) continue;
      pieces.push_back(directed(from, splits[next].at, e.first, e.second));
      from = splits[next].at;
    }
    if (from != e.b) pieces.push_back(directed(from, e.b, e.first, e.second));
  }
  return pieces;
}

/// False if there are too many pairs to look at.
bool test_all_pairs(const std::vector<GridEdge>& edges, Meetings& meetings) {
  if (edges.size() <= kBruteForceEdges) {
    for (std::uint32_t i = 0; i < edges.size(); ++i)
      for (std::uint32_t j = i + 1; j < edges.size(); ++j) meetings.test(i, j);
    return true;
  }
  std::vector<std::uint32_t> all(edges.size());
  std::iota(all.begin(), all.end(), 0U);
  const CellIndex cells(edges, all, region_of(edges));
  return !cells.is_full() && cells.test_pairs(meetings, 0);
}

}  // namespace

SnapGrid::SnapGrid(std::vector<MapXY> points) {
  if (points.empty()) return;
  Box box{points[0].x, points[0].y, points[0].x, points[0].y};
  for (const MapXY& p : points) {
    box.min_x = std::min(box.min_x, p.x);
    box.min_y = std::min(box.min_y, p.y);
    box.max_x = std::max(box.max_x, p.x);
    box.max_y = std::max(box.max_y, p.y);
  }
  origin_ = {box.min_x, box.min_y};
  const double extent = std::max(box.max_x - box.min_x, box.max_y - box.min_y);
  int exponent = 0;
  std::frexp(extent > 0 ? extent : 1.0, &exponent);
  scale_ = std::ldexp(1.0, kGridBits - exponent);
  known_.reserve(points.size());
  for (const MapXY& p : points) known_.push_back({snapped(p), p});
  std::sort(known_.begin(), known_.end(), [](const Known& a, const Known& b) {
    return std::tie(a.at, a.point.x, a.point.y) < std::tie(b.at, b.point.x, b.point.y);
  });
}

GridPoint SnapGrid::snapped(MapXY p) const {
  return {std::llround((p.x - origin_.x) * scale_), std::llround((p.y - origin_.y) * scale_)};
}

MapXY SnapGrid::original(GridPoint p) const {
  const auto it = std::lower_bound(known_.begin(), known_.end(), p,
                                   [](const Known& k, GridPoint at) { return k.at < at; });
  if (it != known_.end() && it->at == p) return it->point;
  return {origin_.x + static_cast<double>(p.x) / scale_,
          origin_.y + static_cast<double>(p.y) / scale_};
}

int orientation(GridPoint a, GridPoint b, GridPoint c) { return sign(cross(a, b, c)); }

GridEdge directed(GridPoint from, GridPoint to, int first, int second) {
  if (from < to) return {from, to, first, second};
  return {to, from, -first, -second};
}

Noded node(std::vector<GridEdge> edges) {
  Noded result;
  std::erase_if(edges, [](const GridEdge& e) { return e.a == e.b; });
  result.was_planar = !merge_equal(edges);
  if (edges.size() > kSweptEdges && meet_at_ends_only(edges)) {
    result.edges = std::move(edges);
    return result;
  }
  for (int round = 0; round < kMaxRounds && !edges.empty(); ++round) {
    Meetings meetings(edges);
    result.converged = test_all_pairs(edges, meetings);
    if (!result.converged || meetings.splits().empty()) break;
    result.was_planar = false;
    edges = cut(edges, meetings.splits());
    merge_equal(edges);
    result.converged = round + 1 < kMaxRounds;
  }
  result.edges = std::move(edges);
  return result;
}

}  // namespace tilewright::geometry
