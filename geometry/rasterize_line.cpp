// SPDX-License-Identifier: Apache-2.0
// Burns lines with a width in ground metres: every pixel centre is measured against its segment.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "geometry/error.h"
#include "geometry/rasterize.h"

namespace tilewright::geometry {
namespace {

struct Run {
  std::int64_t row, col, col_end;
  auto operator<=>(const Run&) const = default;
};

/// Map units on each side of the line that its width reaches.
MapXY reach(const GroundScale& s, double half_width_m) {
  const double determinant = s.east_x * s.north_y - s.east_y * s.north_x;
  if (!std::isfinite(determinant) || determinant == 0)
    throw Error::failed("drawing a wide line: the ground scale at its place is singular");
  return {half_width_m * std::hypot(s.north_y, s.east_y) / std::abs(determinant),
          half_width_m * std::hypot(s.east_x, s.north_x) / std::abs(determinant)};
}

/// A flat end: nothing lies beyond its normal.
struct FlatEnd {
  MapXY at, outward;  ///< map place; ground direction out of the line, unit length
};

struct Segment {
  MapXY a;                    ///< map units
  MapXY direction;            ///< ground metres, unit length
  double length_m = 0;
  std::vector<FlatEnd> ends;  ///< that are near enough to cut it
};

double dot(MapXY p, MapXY q) { return p.x * q.x + p.y * q.y; }
double cross(MapXY p, MapXY q) { return p.x * q.y - p.y * q.x; }

class LineRaster {
 public:
  LineRaster(const RasterFrame& frame, const WideLine& line)
      : frame_(frame), line_(line), reach_(reach(line.scale, line.half_width_m)) {
    const auto inverted = inverse(frame.affine);
    if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
    pixel_from_map_ = *inverted;
  }

  /// Sorted runs without overlaps.
  std::vector<Run> runs() {
    for (const Segment& segment : segments()) add(segment);
    std::sort(runs_.begin(), runs_.end());
    std::vector<Run> merged;
    for (const Run& run : runs_) {
      if (!merged.empty() && merged.back().row == run.row && run.col <= merged.back().col_end)
        merged.back().col_end = std::max(merged.back().col_end, run.col_end);
      else
        merged.push_back(run);
    }
    return merged;
  }

 private:
  [[nodiscard]] MapXY ground(MapXY from, MapXY to) const {
    return line_.scale.metres({to.x - from.x, to.y - from.y});
  }

  [[nodiscard]] std::vector<Segment> segments() const {
    std::vector<Segment> result;
    for (std::size_t k = 0; k + 1 < line_.line.size(); ++k) {
      const MapXY step = ground(line_.line[k], line_.line[k + 1]);
      const double length = std::hypot(step.x, step.y);
      if (length > 0)
        result.push_back({line_.line[k], {step.x / length, step.y / length}, length, {}});
    }
    if (result.empty()) {  // a disc
      if (!line_.line.empty() && line_.round_start && line_.round_end) result.push_back({line_.line.front(), {1, 0}, 0, {}});
      return result;
    }
    if (!line_.round_start) {
      const MapXY d = result.front().direction;
      cut_near(result, {line_.line.front(), {-d.x, -d.y}}, false);
    }
    if (!line_.round_end) cut_near(result, {line_.line.back(), result.back().direction}, true);
    return result;
  }
  /// An end cuts the segments that begin within the half width along the line from it.
  void cut_near(std::vector<Segment>& segments, const FlatEnd& end, bool from_back) const {
    double along = 0;
    for (std::size_t k = 0; k < segments.size() && along <= line_.half_width_m; ++k) {
      Segment& segment = segments[from_back ? segments.size() - 1 - k : k];
      segment.ends.push_back(end);
      along += segment.length_m;
    }
  }

  void add(const Segment& segment) {
    const MapXY b = end_of(segment);
    const Window box = window_around(segment.a, b);
    for (std::int64_t row = box.row; row < box.row + box.height; ++row) {
      auto [col, col_end] = candidates(segment, row, box);
      while (col < col_end && !is_inside(segment, {col, row})) ++col;
      while (col < col_end && !is_inside(segment, {col_end - 1, row})) --col_end;
      if (col < col_end) runs_.push_back({row, col, col_end});
    }
  }
  struct Pixel {
    std::int64_t col, row;
  };

  [[nodiscard]] MapXY end_of(const Segment& segment) const {
    const GroundScale& s = line_.scale;
    const double determinant = s.east_x * s.north_y - s.east_y * s.north_x;
    const MapXY m{segment.direction.x * segment.length_m, segment.direction.y * segment.length_m};
    return {segment.a.x + (s.north_y * m.x - s.east_y * m.y) / determinant,
            segment.a.y + (s.east_x * m.y - s.north_x * m.x) / determinant};
  }

  /// Pixels of the window that may be touched, one more on each side against rounding.
  [[nodiscard]] Window window_around(MapXY a, MapXY b) const {
    const double x0 = std::min(a.x, b.x) - reach_.x, x1 = std::max(a.x, b.x) + reach_.x;
    const double y0 = std::min(a.y, b.y) - reach_.y, y1 = std::max(a.y, b.y) + reach_.y;
    double col0 = std::numeric_limits<double>::infinity(), row0 = col0, col1 = -col0, row1 = -col0;
    for (const MapXY corner : {MapXY{x0, y0}, MapXY{x1, y0}, MapXY{x0, y1}, MapXY{x1, y1}}) {
      const PixelXY p = pixel_from_map(pixel_from_map_, corner);
      col0 = std::min(col0, p.col);
      col1 = std::max(col1, p.col);
      row0 = std::min(row0, p.row);
      row1 = std::max(row1, p.row);
    }
    const auto cut = [](double value, std::int64_t low, std::int64_t high) {
      const auto l = static_cast<double>(low), h = static_cast<double>(high);
      return static_cast<std::int64_t>(std::floor(std::clamp(value, l, h)));
    };
    const Window& w = frame_.window;
    const std::int64_t col = cut(col0 - 1, w.col, w.col + w.width);
    const std::int64_t row = cut(row0 - 1, w.row, w.row + w.height);
    return {col, row, cut(col1 + 2, w.col, w.col + w.width) - col,
            cut(row1 + 2, w.row, w.row + w.height) - row};
  }

  /// Columns of a row inside the oblique rectangle around the capsule: a superset of the run.
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> candidates(const Segment& s, std::int64_t row,
                                                                 const Window& box) const {
    const MapXY start = offset(s, {box.col, row}), next = offset(s, {box.col + 1, row});
    const MapXY step{next.x - start.x, next.y - start.y};
    const double w = line_.half_width_m;
    double low = 0, high = static_cast<double>(box.width);
    narrow(low, high, cross(s.direction, start), cross(s.direction, step), -w, w);
    narrow(low, high, dot(s.direction, start), dot(s.direction, step), -w, s.length_m + w);
    if (!(low <= high)) return {0, 0};
    return {box.col + static_cast<std::int64_t>(std::floor(low)),
            box.col + static_cast<std::int64_t>(std::ceil(high))};
  }
  /// Keeps those k in [low, high] for which from <= value + k * step <= to, with a margin.
  static void narrow(double& low, double& high, double value, double step, double from, double to) {
    if (std::abs(step) < 1e-9 * (to - from)) return;
    const double k0 = (from - value) / step, k1 = (to - value) / step;
    low = std::max(low, std::min(k0, k1) - 1);
    high = std::min(high, std::max(k0, k1) + 2);
  }

  [[nodiscard]] MapXY centre(Pixel p) const {
    return frame_.affine.map_from_pixel(
        {static_cast<double>(p.col) + 0.5, static_cast<double>(p.row) + 0.5});
  }
  [[nodiscard]] MapXY offset(const Segment& s, Pixel p) const { return ground(s.a, centre(p)); }

  [[nodiscard]] bool is_inside(const Segment& s, Pixel pixel) const {
    const MapXY p = offset(s, pixel);
    const double along = dot(s.direction, p);
    const double beyond = along < 0 ? along : std::max(along - s.length_m, 0.0);
    const double across = cross(s.direction, p);
    if (beyond * beyond + across * across > line_.half_width_m * line_.half_width_m) return false;
    return std::all_of(s.ends.begin(), s.ends.end(), [&](const FlatEnd& end) {
      return dot(end.outward, ground(end.at, centre(pixel))) <= 0;
    });
  }

  RasterFrame frame_;
  const WideLine& line_;
  MapXY reach_;
  Affine pixel_from_map_;
  std::vector<Run> runs_;
};

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const WideLine& line, T value) {
  const Window& window = mask.frame.window;
  std::int64_t count = 0;
  for (const Run& run : LineRaster(mask.frame, line).runs()) {
    T* first = mask.pixels.data() + (run.row - window.row) * window.width + (run.col - window.col);
    std::fill(first, first + (run.col_end - run.col), value);
    count += run.col_end - run.col;
  }
  return count;
}

}  // namespace

std::int64_t fill_line(MaskBuffer<std::uint8_t> mask, const WideLine& line, std::uint8_t value) {
  return fill(mask, line, value);
}
std::int64_t fill_line(MaskBuffer<std::uint32_t> mask, const WideLine& line, std::uint32_t value) {
  return fill(mask, line, value);
}

Box bounds(const WideLine& line) {
  Box box = bounds(line.line);
  if (box.empty()) return box;
  const MapXY r = reach(line.scale, line.half_width_m);
  return {box.min_x - r.x, box.min_y - r.y, box.max_x + r.x, box.max_y + r.y};
}

}  // namespace tilewright::geometry
