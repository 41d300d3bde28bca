// SPDX-License-Identifier: Apache-2.0
// Quadrilaterals of the segments and discs of the joins, in metres around the line's first point, united.
#include "geometry/buffer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "geometry/error.h"

namespace tilewright::geometry {
namespace {

MapPolygon closed(std::vector<MapXY> ring) {
  ring.push_back(ring.front());
  return {std::move(ring), {}};
}

/// The line in metres on the ground.
struct GroundLine {
  std::vector<MapXY> points;
  std::vector<double> halves;
};

GroundLine ground_of(const WideLine& line) {
  GroundLine out;
  for (std::size_t k = 0; k < line.line.size(); ++k) {
    const MapXY p = line.scale.metres({line.line[k].x - line.line.front().x, line.line[k].y - line.line.front().y});
    const double half = line.half_widths_m.empty() ? line.half_width_m : line.half_widths_m[k];
    if (!out.points.empty() && out.points.back() == p) out.halves.back() = half;
    else out.points.push_back(p), out.halves.push_back(half);
  }
  return out;
}

class Pieces {
 public:
  Pieces(const GroundLine& line, int quadrant) : line_(line), quadrant_(quadrant) {}

  [[nodiscard]] MapMultiPolygon disc(std::size_t k) const {
    std::vector<MapXY> ring;
    const int corners = 4 * quadrant_;
    for (int n = 0; n < corners; ++n) {
      const double angle = 2 * std::numbers::pi * n / corners;
      ring.push_back({line_.points[k].x + line_.halves[k] * std::cos(angle), line_.points[k].y + line_.halves[k] * std::sin(angle)});
    }
    return line_.halves[k] > 0 ? MapMultiPolygon{closed(std::move(ring))} : MapMultiPolygon{};
  }
  [[nodiscard]] MapMultiPolygon segment(std::size_t k) const {
    const MapXY a = line_.points[k], b = line_.points[k + 1], n = normal(a, b);
    const double ha = line_.halves[k], hb = line_.halves[k + 1];
    if (!(ha > 0 || hb > 0)) return {};
    return gate({closed({{a.x - n.x * ha, a.y - n.y * ha}, {b.x - n.x * hb, b.y - n.y * hb}, {b.x + n.x * hb, b.y + n.y * hb}, {a.x + n.x * ha, a.y + n.y * ha}})}).polygons;
  }
  /// What lies beyond the end at `end`, seen from `before`: a square that holds all that could be near.
  [[nodiscard]] MapMultiPolygon beyond(std::size_t end, std::size_t before, double reach) const {
    const MapXY e = line_.points[end], n = normal(line_.points[before], e), d{n.y, -n.x};
    return {closed({{e.x - n.x * reach, e.y - n.y * reach}, {e.x - n.x * reach + d.x * reach, e.y - n.y * reach + d.y * reach},
                    {e.x + n.x * reach + d.x * reach, e.y + n.y * reach + d.y * reach}, {e.x + n.x * reach, e.y + n.y * reach}})};
  }

 private:
  static MapXY normal(MapXY a, MapXY b) {
    const double size = std::hypot(b.x - a.x, b.y - a.y);
    return {-(b.y - a.y) / size, (b.x - a.x) / size};
  }
  const GroundLine& line_;
  int quadrant_;
};

/// An end cuts the pieces that begin within the widest half width along the line from it, as fill_line does.
MapMultiPolygon cut_at(const Pieces& pieces, const GroundLine& line, const WideLine& wide, std::size_t k, MapMultiPolygon piece) {
  const double widest = *std::max_element(line.halves.begin(), line.halves.end());
  const auto along = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (auto n = from; n < to; ++n) sum += std::hypot(line.points[n + 1].x - line.points[n].x, line.points[n + 1].y - line.points[n].y);
    return sum;
  };
  const auto last = line.points.size() - 1;
  if (!wide.round_start && along(0, k) <= widest) piece = difference(piece, pieces.beyond(0, 1, 4 * widest));
  if (!wide.round_end && along(std::min(k + 1, last), last) <= widest) piece = difference(piece, pieces.beyond(last, last - 1, 4 * widest));
  return piece;
}

MapMultiPolygon on_map(MapMultiPolygon polygons, const WideLine& line) {
  const auto& s = line.scale;
  const double determinant = s.east_x * s.north_y - s.east_y * s.north_x;
  if (!std::isfinite(determinant) || determinant == 0) throw Error::failed("the outline of a wide line: the ground scale at its place is singular");
  const auto move = [&](std::vector<MapXY>& ring) {
    for (MapXY& p : ring)
      p = {line.line.front().x + (s.north_y * p.x - s.east_y * p.y) / determinant, line.line.front().y + (s.east_x * p.y - s.north_x * p.x) / determinant};
  };
  for (MapPolygon& polygon : polygons) {
    move(polygon.outer);
    for (auto& hole : polygon.holes) move(hole);
  }
  return polygons;
}

}  // namespace

MapMultiPolygon buffer(const WideLine& wide, int quadrant) {
  if (wide.line.empty()) return {};
  const GroundLine line = ground_of(wide);
  const Pieces pieces(line, std::max(quadrant, 2));
  const std::size_t count = line.points.size();
  if (count < 2) return on_map(wide.round_start && wide.round_end ? pieces.disc(0) : MapMultiPolygon{}, wide);
  std::vector<MapMultiPolygon> parts;
  for (std::size_t k = 0; k + 1 < count; ++k) {
    parts.push_back(cut_at(pieces, line, wide, k, pieces.segment(k)));
    if (k > 0) parts.push_back(cut_at(pieces, line, wide, k, pieces.disc(k)));
  }
  if (wide.round_start) parts.push_back(pieces.disc(0));
  if (wide.round_end) parts.push_back(pieces.disc(count - 1));
  std::erase_if(parts, [](const MapMultiPolygon& part) { return part.empty(); });
  return on_map(unite(parts), wide);
}

}  // namespace tilewright::geometry
