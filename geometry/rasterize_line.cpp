// SPDX-License-Identifier: Apache-2.0
// Burns lines with a width in ground metres: every pixel centre is measured against its segment.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "geometry/error.h"
#include "geometry/rasterize.h"
#include "geometry/scan_columns.h"
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
  MapXY a, b;       ///< map units
  MapXY direction;  ///< ground metres, unit length
  double length_m = 0;
  double half_a = 0, half_b = 0;          ///< half widths at its ends
  bool by_start = false, by_end = false;  ///< the line's flat ends that are near enough to cut it
  Window box{};                           ///< pixels that it may touch
  [[nodiscard]] double widest() const { return std::max(half_a, half_b); }
  [[nodiscard]] bool is_cut() const { return by_start || by_end; }
};

double widest_half(const WideLine& line) {
  return line.half_widths_m.empty()
             ? line.half_width_m
             : *std::max_element(line.half_widths_m.begin(), line.half_widths_m.end());
}

double dot(MapXY p, MapXY q) { return p.x * q.x + p.y * q.y; }
double cross(MapXY p, MapXY q) { return p.x * q.y - p.y * q.x; }

class LineRaster {
 public:
  LineRaster(const RasterFrame& frame, const WideLine& line)
      : frame_(frame),
        line_(line),
        widest_(widest_half(line)),
        reach_(reach(line.scale, widest_)),
        step_(line.scale.metres({frame.affine.a, frame.affine.d})),
        down_(line.scale.metres({frame.affine.b, frame.affine.e})),
        step_m_(std::hypot(step_.x, step_.y)) {
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
      const bool is_joined = k + 1 < parts.size() && !parts[k].is_cut() && !parts[k + 1].is_cut();
      add(parts[k], !is_joined, bits);
    }
    return bits;
  }

 private:
  [[nodiscard]] MapXY ground(MapXY from, MapXY to) const {
    return line_.scale.metres({to.x - from.x, to.y - from.y});
  }

  [[nodiscard]] double half_at(std::size_t vertex) const {
    return line_.half_widths_m.empty() ? line_.half_width_m : line_.half_widths_m[vertex];
  }

  [[nodiscard]] std::vector<Segment> segments() {
    std::vector<Segment> result;
    result.reserve(line_.line.size());
    const auto add = [&](MapXY a, MapXY b, MapXY direction, double length, std::size_t k,
                         std::size_t next) {
      result.push_back({.a = a,
                        .b = b,
                        .direction = direction,
                        .length_m = length,
                        .half_a = half_at(k),
                        .half_b = half_at(next),
                        .box = window_around(a, b)});
    };
    for (std::size_t k = 0; k + 1 < line_.line.size(); ++k) {
      const MapXY step = ground(line_.line[k], line_.line[k + 1]);
      const double length = std::hypot(step.x, step.y);
      if (length > 0)
        add(line_.line[k], line_.line[k + 1], {step.x / length, step.y / length}, length, k, k + 1);
    }
    if (result.empty()) {  // a disc
      if (!line_.line.empty() && line_.round_start && line_.round_end)
        add(line_.line.front(), line_.line.front(), {1, 0}, 0, 0, 0);
      return result;
    }
    const MapXY first = result.front().direction;
    start_ = {line_.line.front(), {-first.x, -first.y}};
    end_ = {line_.line.back(), result.back().direction};
    if (!line_.round_start) cut_near(result, &Segment::by_start, false);
    if (!line_.round_end) cut_near(result, &Segment::by_end, true);
    return result;
  }
  /// An end cuts the segments that begin within the half width along the line from it.
  void cut_near(std::vector<Segment>& segments, bool Segment::*by, bool from_back) const {
    double along = 0;
    for (std::size_t k = 0; k < segments.size() && along <= widest_; ++k) {
      Segment& segment = segments[from_back ? segments.size() - 1 - k : k];
      segment.*by = true;
      along += segment.length_m;
    }
  }

  /// The window of all segments.
  [[nodiscard]] static Window box_of(const std::vector<Segment>& segments) {
    Window all;
    for (const Segment& segment : segments) {
      const Window& w = segment.box;
      if (w.empty()) continue;
      if (all.empty()) {
        all = w;
        continue;
      }
      const auto col = std::min(all.col, w.col), row = std::min(all.row, w.row);
      all = {col, row, std::max(all.col + all.width, w.col + w.width) - col,
             std::max(all.row + all.height, w.row + w.height) - row};
    }
    return all;
  }

  /// What is linear in the row and the column, from its value at the first pixel of `box`.
  [[nodiscard]] RowLine row_line(double value, double down, double slope) const {
    return {value, down, slope, std::abs(slope) > kLeastSlope * step_m_ ? 1 / slope : 0};
  }
  [[nodiscard]] RowDisc row_disc(MapXY at) const {
    const double per_ss = 1 / (step_m_ * step_m_), per_s = 1 / step_m_;
    return {-dot(at, step_) * per_ss, -dot(down_, step_) * per_ss, cross(at, step_) * per_s,
            cross(down_, step_) * per_s};
  }
  [[nodiscard]] CapsuleScan scan_of(const Segment& s, bool has_end_disc) const {
    const MapXY at = offset(s, {s.box.col, s.box.row});
    CapsuleScan scan{
        .across =
            row_line(cross(s.direction, at), cross(s.direction, down_), cross(s.direction, step_)),
        .along = row_line(dot(s.direction, at), dot(s.direction, down_), dot(s.direction, step_)),
        .half = s.half_a,
        .length = s.length_m,
        .start = row_disc(at),
        .end = {},
        .has_end_disc = has_end_disc,
        .step_m = step_m_,
        .width = static_cast<std::int32_t>(s.box.width)};
    if (has_end_disc)
      scan.end = row_disc({at.x - s.length_m * s.direction.x, at.y - s.length_m * s.direction.y});
    for (const auto& [is_near, end] : {std::pair{s.by_start, &start_}, {s.by_end, &end_}}) {
      if (!is_near) continue;
      const MapXY beside = ground(end->at, s.a);
      scan.ends[scan.end_count++] = row_line(dot(end->outward, {at.x + beside.x, at.y + beside.y}),
                                             dot(end->outward, down_), dot(end->outward, step_));
    }
    return scan;
  }
  static void go_down(RowLine& line, std::int32_t rows) { line.value += rows * line.down; }
  static void go_down(RowDisc& disc, std::int32_t rows) {
    disc.middle += rows * disc.middle_down, disc.across += rows * disc.across_down;
  }

  void add(const Segment& s, bool has_end_disc, SpanBits& bits) const {
    if (s.box.empty()) return;
    if (s.half_a != s.half_b || s.box.width > kMostColumns) {
      for (std::int64_t row = s.box.row; row < s.box.row + s.box.height; ++row)
        add_pieces(s, row, bits);
      return;
    }
    CapsuleScan scan = scan_of(s, has_end_disc);
    std::array<std::int32_t, kChunk + kScanPadding> first, end, doubt;
    for (std::int64_t row = s.box.row; row < s.box.row + s.box.height; row += kChunk) {
      scan.rows =
          static_cast<std::int32_t>(std::min<std::int64_t>(kChunk, s.box.row + s.box.height - row));
      kernels_.capsule(scan, {first.data(), end.data(), doubt.data()});
      for (std::size_t k = 0; k < static_cast<std::size_t>(scan.rows); ++k) {
        if (doubt[k] != 0)
          add_pieces(s, row + static_cast<std::int64_t>(k), bits);
        else if (first[k] < end[k])
          bits.add(row + static_cast<std::int64_t>(k), s.box.col + first[k], s.box.col + end[k]);
      }
      for (RowLine* line : {&scan.across, &scan.along, &scan.ends[0], &scan.ends[1]})
        go_down(*line, scan.rows);
      for (RowDisc* disc : {&scan.start, &scan.end}) go_down(*disc, scan.rows);
    }
  }
  /// Pixel by pixel: where rounding might decide, and where a width changes, so that a row may meet
  /// the segment twice.
  void add_pieces(const Segment& segment, std::int64_t row, SpanBits& bits) const {
    const auto [col, col_end] = candidates(segment, row);
    for (auto begin = col; begin < col_end; ++begin) {
      if (!is_inside(segment, {begin, row})) continue;
      auto end = begin + 1;
      while (end < col_end && is_inside(segment, {end, row})) ++end;
      bits.add(row, begin, end);
      begin = end;
    }
  }
  struct Pixel {
    std::int64_t col, row;
  };

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
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> candidates(const Segment& s,
                                                                 std::int64_t row) const {
    const Window& box = s.box;
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
    const auto is_before = [&](const FlatEnd& end) {
      return dot(end.outward, ground(end.at, centre(pixel))) <= 0;
    };
    return (!s.by_start || is_before(start_)) && (!s.by_end || is_before(end_));
  }

  static constexpr std::int64_t kChunk = 128, kMostColumns = 1 << 30;

  RasterFrame frame_;
  const WideLine& line_;
  double widest_;
  MapXY reach_;
  MapXY step_, down_;  ///< metres on the ground from a pixel to the next one of its row, and to the
                       ///< one below
  double step_m_;
  Affine pixel_from_map_;
  FlatEnd start_, end_;
  const ScanKernels& kernels_ = scan_kernels_of_this_run();
};

template <class T>
std::int64_t fill(MaskBuffer<T> mask, const WideLine& line, T value) {
  const Window& window = mask.frame.window;
  std::int64_t count = 0;
  LineRaster(mask.frame, line)
      .spans()
      .for_each([&](std::int64_t row, std::int64_t col, std::int64_t col_end) {
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
