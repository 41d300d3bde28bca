// SPDX-License-Identifier: Apache-2.0
// Burns lines with a width in ground metres: every pixel centre is measured against its segment.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "geometry/span_bits.h"

namespace tilewright::geometry {
namespace {

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
  double half_a = 0, half_b = 0;  ///< half widths at its ends
  std::vector<FlatEnd> ends{};    ///< that are near enough to cut it
  [[nodiscard]] double widest() const { return std::max(half_a, half_b); }
};

double widest_half(const WideLine& line) {
  return line.half_widths_m.empty() ? line.half_width_m : *std::max_element(line.half_widths_m.begin(), line.half_widths_m.end());
}

double dot(MapXY p, MapXY q) { return p.x * q.x + p.y * q.y; }
double cross(MapXY p, MapXY q) { return p.x * q.y - p.y * q.x; }

/// Real columns of a row, closed; none if high < low.
struct Columns {
  double low, high;
};

/// Intervals of a row of pixels. What is too near to a border to be sure of makes `is_sure` false.
class RowCut {
 public:
  RowCut(double width, double step_m) : width_(width), step_m_(step_m), per_ss_(1 / (step_m * step_m)) {}
  void next_row() { is_sure_ = true; }

  [[nodiscard]] Columns all() const { return {-2, width_ + 1}; }
  /// A slope, and its inverse where a border is not along the row.
  struct Slope {
    double value, inverse;
  };
  static Slope slope_of(double value, double step_m) { return {value, std::abs(value) > kLeastSlope * step_m ? 1 / value : 0}; }
  /// Keeps columns k with from <= value + k * slope <= to.
  void cut(Columns& columns, double value, Slope along, double from, double to) {
    const double slope = along.value;
    if (along.inverse != 0) {
      const double k0 = (from - value) * along.inverse, k1 = (to - value) * along.inverse;
      columns.low = std::max(columns.low, std::min(k0, k1));
      columns.high = std::min(columns.high, std::max(k0, k1));
      return;
    }
    const double margin = kNear * step_m_ + std::abs(slope) * (width_ + 4);
    if (from - value > margin || value - to > margin) columns = {1, 0};
    else if (!(value - from > margin && to - value > margin)) is_sure_ = false;
  }
  /// Columns k with |at + k * step| <= radius.
  Columns disc(MapXY at, MapXY step, double radius) {
    const double ss = step_m_ * step_m_, across = cross(at, step);
    const double left = radius * radius - across * across * per_ss_;
    if (std::abs(left) <= kTangent * (radius * radius + ss)) is_sure_ = false;
    if (left <= 0) return {1, 0};
    const double middle = -dot(at, step) * per_ss_, half = std::sqrt(left * per_ss_);
    return {std::max(middle - half, -2.0), std::min(middle + half, width_ + 1)};
  }
  /// Of parts of one convex shape.
  void unite(Columns& columns, Columns more) {
    check_gap(columns);
    check_gap(more);
    if (more.high < more.low) return;
    if (columns.high < columns.low) columns = more;
    else columns = {std::min(columns.low, more.low), std::max(columns.high, more.high)};
  }
  /// Whole columns [first, end) within [0, width).
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> pixels(const Columns& columns) {
    check_gap(columns);
    if (!is_sure_) return std::nullopt;
    if (columns.high < columns.low) return std::pair<std::int64_t, std::int64_t>{0, 0};
    const double low = std::max(columns.low, -1.5), high = std::min(columns.high, width_ + 0.5);
    const auto first = static_cast<std::int64_t>(low + 2) - 1, last = static_cast<std::int64_t>(high + 2) - 2;  // above low, at most high
    const double above = static_cast<double>(first) - low, below = high - static_cast<double>(last);
    if (above < kNear || above > 1 - kNear || below < kNear || below > 1 - kNear) return std::nullopt;
    return std::pair{std::max<std::int64_t>(first, 0), std::min(last + 1, static_cast<std::int64_t>(width_))};
  }

 private:
  // Rounding moves borders by far less than these, in pixels and as shares of a radius.
  static constexpr double kNear = 1e-4, kLeastSlope = 1e-5, kTangent = 1e-5;
  void check_gap(const Columns& columns) {
    if (std::abs(columns.high - columns.low) < kNear) is_sure_ = false;
  }
  double width_, step_m_, per_ss_;
  bool is_sure_ = true;
};

class LineRaster {
 public:
  LineRaster(const RasterFrame& frame, const WideLine& line)
      : frame_(frame), line_(line), widest_(widest_half(line)), reach_(reach(line.scale, widest_)) {
    const auto inverted = inverse(frame.affine);
    if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
    pixel_from_map_ = *inverted;
  }

  /// All pixels of the line, without overlaps.
  SpanBits spans() {
    const auto parts = segments();
    SpanBits bits(box_of(parts));
    for (std::size_t k = 0; k < parts.size(); ++k) {
      // The next segment draws the disc of its start; flat ends may cut one of the two only.
      const bool is_joined = k + 1 < parts.size() && parts[k].ends.empty() && parts[k + 1].ends.empty();
      add(parts[k], !is_joined, bits);
    }
    return bits;
  }

 private:
  [[nodiscard]] MapXY ground(MapXY from, MapXY to) const {
    return line_.scale.metres({to.x - from.x, to.y - from.y});
  }

  [[nodiscard]] double half_at(std::size_t vertex) const { return line_.half_widths_m.empty() ? line_.half_width_m : line_.half_widths_m[vertex]; }

  [[nodiscard]] std::vector<Segment> segments() const {
    std::vector<Segment> result;
    for (std::size_t k = 0; k + 1 < line_.line.size(); ++k) {
      const MapXY step = ground(line_.line[k], line_.line[k + 1]);
      const double length = std::hypot(step.x, step.y);
      if (length > 0)
        result.push_back({line_.line[k], {step.x / length, step.y / length}, length, half_at(k), half_at(k + 1)});
    }
    if (result.empty()) {  // a disc
      if (!line_.line.empty() && line_.round_start && line_.round_end) result.push_back({line_.line.front(), {1, 0}, 0, half_at(0), half_at(0)});
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
    for (std::size_t k = 0; k < segments.size() && along <= widest_; ++k) {
      Segment& segment = segments[from_back ? segments.size() - 1 - k : k];
      segment.ends.push_back(end);
      along += segment.length_m;
    }
  }

  /// The window of all segments.
  [[nodiscard]] Window box_of(const std::vector<Segment>& segments) const {
    Window all;
    for (const Segment& segment : segments) {
      const Window w = window_around(segment.a, end_of(segment));
      if (w.empty()) continue;
      if (all.empty()) {
        all = w;
        continue;
      }
      const auto col = std::min(all.col, w.col), row = std::min(all.row, w.row);
      all = {col, row, std::max(all.col + all.width, w.col + w.width) - col, std::max(all.row + all.height, w.row + w.height) - row};
    }
    return all;
  }

  void add(const Segment& segment, bool has_end_disc, SpanBits& bits) const {
    const Window box = window_around(segment.a, end_of(segment));
    if (box.empty()) return;
    const MapXY corner = offset(segment, {box.col, box.row}), step = column_step(), down = row_step();
    const double step_m = std::hypot(step.x, step.y);
    RowCut cut(static_cast<double>(box.width), step_m);
    const auto across = RowCut::slope_of(cross(segment.direction, step), step_m), along = RowCut::slope_of(dot(segment.direction, step), step_m);
    for (std::int64_t row = box.row; row < box.row + box.height; ++row) {
      const auto below = static_cast<double>(row - box.row);
      cut.next_row();
      const auto sure = sure_columns(segment, {corner.x + below * down.x, corner.y + below * down.y}, step, {across, along, step_m, has_end_disc}, cut);
      if (sure) {
        if (sure->first < sure->second) bits.add(row, box.col + sure->first, box.col + sure->second);
      } else {
        add_pieces(segment, row, box, bits);
      }
    }
  }
  /// Pixel by pixel: where rounding might decide, and where a width changes, so that a row may meet the
  /// segment twice.
  void add_pieces(const Segment& segment, std::int64_t row, const Window& box, SpanBits& bits) const {
    const auto [col, col_end] = candidates(segment, row, box);
    for (auto begin = col; begin < col_end; ++begin) {
      if (!is_inside(segment, {begin, row})) continue;
      auto end = begin + 1;
      while (end < col_end && is_inside(segment, {end, row})) ++end;
      bits.add(row, begin, end);
      begin = end;
    }
  }

  /// Metres on the ground from a pixel to the next one of its row, and to the one below.
  [[nodiscard]] MapXY column_step() const { return line_.scale.metres({frame_.affine.a, frame_.affine.d}); }
  [[nodiscard]] MapXY row_step() const { return line_.scale.metres({frame_.affine.b, frame_.affine.e}); }

  struct Slopes {
    RowCut::Slope across, along;
    double step_m;
    bool has_end_disc;
  };

  /// Columns [first, end) of a row of pixels inside the segment, found from equations: the offset of column k
  /// from the segment's start is `at` + k * `step`. nullopt where a border lies nearer to a centre than rounding
  /// allows, or runs along the row.
  [[nodiscard]] std::optional<std::pair<std::int64_t, std::int64_t>> sure_columns(const Segment& s, MapXY at, MapXY step, const Slopes& slopes, RowCut& row) const {
    if (s.half_a != s.half_b) return std::nullopt;
    Columns whole = row.all();
    if (s.length_m > 0) {
      row.cut(whole, cross(s.direction, at), slopes.across, -s.half_a, s.half_a);
      row.cut(whole, dot(s.direction, at), slopes.along, 0, s.length_m);
    } else {
      whole = {1, 0};
    }
    const MapXY from_end{at.x - s.length_m * s.direction.x, at.y - s.length_m * s.direction.y};
    row.unite(whole, row.disc(at, step, s.half_a));
    if (s.length_m > 0 && slopes.has_end_disc) row.unite(whole, row.disc(from_end, step, s.half_a));
    for (const FlatEnd& end : s.ends) {
      const MapXY beside = ground(end.at, s.a);
      row.cut(whole, dot(end.outward, {at.x + beside.x, at.y + beside.y}), RowCut::slope_of(dot(end.outward, step), slopes.step_m), -1e300, 0);
    }
    return row.pixels(whole);
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
    const double w = s.widest();
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

  static double half_near(const Segment& s, double along) {
    if (s.half_a == s.half_b) return s.half_a;
    return s.half_a + (s.half_b - s.half_a) * std::clamp(along / s.length_m, 0.0, 1.0);
  }

  [[nodiscard]] bool is_inside(const Segment& s, Pixel pixel) const {
    const MapXY p = offset(s, pixel);
    const double along = dot(s.direction, p);
    const double beyond = along < 0 ? along : std::max(along - s.length_m, 0.0);
    const double across = cross(s.direction, p);
    const double half = half_near(s, along);
    if (beyond * beyond + across * across > half * half) return false;
    return std::all_of(s.ends.begin(), s.ends.end(), [&](const FlatEnd& end) {
      return dot(end.outward, ground(end.at, centre(pixel))) <= 0;
    });
  }

  RasterFrame frame_;
  const WideLine& line_;
  double widest_;
  MapXY reach_;
  Affine pixel_from_map_;
};

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const WideLine& line, T value) {
  const Window& window = mask.frame.window;
  std::int64_t count = 0;
  LineRaster(mask.frame, line).spans().for_each([&](std::int64_t row, std::int64_t col, std::int64_t col_end) {
    T* first = mask.pixels.data() + (row - window.row) * window.width + (col - window.col);
    std::fill(first, first + (col_end - col), value);
    count += col_end - col;
  });
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
  const MapXY r = reach(line.scale, widest_half(line));
  return {box.min_x - r.x, box.min_y - r.y, box.max_x + r.x, box.max_y + r.y};
}

}  // namespace tilewright::geometry
