// SPDX-License-Identifier: Apache-2.0
// Meets windows and objects in the layer's CRS, moves objects to the zones, draws by rank.
#include "pipeline/stages/label_masks.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <tuple>

#include "geometry/coverage.h"
#include "geometry/distance.h"
#include "geometry/error.h"
#include "pipeline/stages/box_cells.h"
#include "pipeline/stages/line_network.h"

namespace tilewright::pipeline {
namespace {

using geometry::Box;
using geometry::MapXY;

constexpr double kDensifyM = 500;  // a straight line of degrees bends less than 1 cm over this

/// Map units of a zone that are surely more than `metres` on the ground there.
double units_beyond(const LabelWindow& window, const geometry::Crs& zone, double metres) {
  if (metres == 0) return 0;
  const MapXY centre = window.affine.map_from_pixel({static_cast<double>(window.frame.window.width) / 2,
                                                     static_cast<double>(window.frame.window.height) / 2});
  const auto s = geometry::ground_scale(centre, zone);
  const double least = std::min(std::hypot(s.east_x, s.north_x), std::hypot(s.east_y, s.north_y));
  return 2 * metres / std::max(least, 1e-12);
}

void extend(Box& box, const Box& more) {
  if (more.empty()) return;
  if (box.empty()) box = more;
  box = {std::min(box.min_x, more.min_x), std::min(box.min_y, more.min_y), std::max(box.max_x, more.max_x), std::max(box.max_y, more.max_y)};
}

/// Polygons that reach far beyond the windows of a zone are cut first: projections fold the other
/// side of the world onto this one. What lies near is left alone, to the bit.
geometry::MapMultiPolygon near(geometry::MapMultiPolygon polygons, const Box& windows, const geometry::Crs& crs) {
  if (windows.empty()) return polygons;
  const double far = crs.is_geographic() ? 2 : 200'000 / std::max(crs.metres_per_unit(), 1e-9);
  const Box b{windows.min_x - far, windows.min_y - far, windows.max_x + far, windows.max_y + far};
  const Box own = geometry::bounds(polygons);
  if (own.min_x >= b.min_x && own.max_x <= b.max_x && own.min_y >= b.min_y && own.max_y <= b.max_y) return polygons;
  return geometry::intersection(polygons, {geometry::MapPolygon{
      {{b.min_x, b.min_y}, {b.max_x, b.min_y}, {b.max_x, b.max_y}, {b.min_x, b.max_y}, {b.min_x, b.min_y}}, {}}});
}

Box degrees_of(const LabelObjects& objects) {
  Box all = objects.far_box;
  for (const auto& object : objects.objects) extend(all, object.box);
  Box degrees;
  for (const MapXY corner : {MapXY{all.min_x, all.min_y}, MapXY{all.max_x, all.max_y}, MapXY{all.min_x, all.max_y}, MapXY{all.max_x, all.min_y}}) {
    const auto p = geometry::geographic(corner, objects.crs);
    if (!p) continue;
    extend(degrees, {p->lon_deg, p->lat_deg, p->lon_deg, p->lat_deg});
  }
  return degrees;
}

std::size_t pixel_count(const geometry::Window& window) { return static_cast<std::size_t>(window.width * window.height); }

geometry::Window grown(const geometry::Window& w, std::int64_t by) { return {w.col - by, w.row - by, w.width + 2 * by, w.height + 2 * by}; }

constexpr std::int64_t kPoints = 16;  // along each side of a pixel

/// Some rows of a frame in points instead of pixels.
geometry::RasterFrame in_points(const geometry::RasterFrame& frame, std::int64_t row, std::int64_t rows) {
  const auto& a = frame.affine;
  const auto n = static_cast<double>(kPoints);
  return {{a.a / n, a.b / n, a.c, a.d / n, a.e / n, a.f}, {frame.window.col * kPoints, row * kPoints, frame.window.width * kPoints, rows * kPoints}};
}

constexpr std::int64_t kStripRows = 16;

/// Share of each pixel's points that lie on any of the lines, some rows of pixels at a time.
std::vector<float> shares_of_lines(const geometry::RasterFrame& frame, const std::vector<const geometry::WideLine*>& lines) {
  const auto& w = frame.window;
  std::vector<float> shares;
  for (std::int64_t top = w.row; top < w.row + w.height; top += kStripRows) {
    const auto rows = std::min(kStripRows, w.row + w.height - top);
    const auto strip = in_points(frame, top, rows);
    std::vector<std::uint8_t> points(pixel_count(strip.window), 0);
    for (const auto* line : lines) geometry::fill_line({strip, points}, *line, std::uint8_t{1});
    const auto share_of = [&](std::int64_t row, std::int64_t col) {
      int hits = 0;
      for (auto r = row * kPoints; r < (row + 1) * kPoints; ++r)
        for (auto c = col * kPoints; c < (col + 1) * kPoints; ++c) hits += points[static_cast<std::size_t>(r * strip.window.width + c)];
      return static_cast<float>(hits) / static_cast<float>(kPoints * kPoints);
    };
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t col = 0; col < w.width; ++col) shares.push_back(share_of(row, col));
  }
  return shares;
}

bool covers_any(const geometry::RasterFrame& frame, const std::vector<geometry::WideLine>& lines) {
  const auto& w = frame.window;
  std::vector<std::uint8_t> points;
  for (const auto& line : lines)
    for (std::int64_t top = w.row; top < w.row + w.height; top += kStripRows) {
      const auto strip = in_points(frame, top, std::min(kStripRows, w.row + w.height - top));
      points.resize(pixel_count(strip.window));
      if (geometry::fill_line({strip, points}, line, std::uint8_t{1}) > 0) return true;
    }
  return false;
}

/// Sets the pixels with a point on the line; returns how many.
std::int64_t touch(const geometry::MaskBuffer<std::uint8_t>& mask, const geometry::WideLine& line, std::uint8_t value) {
  const auto& w = mask.frame.window;
  std::int64_t count = 0;
  std::vector<std::uint8_t> points;
  for (std::int64_t top = w.row; top < w.row + w.height; top += kStripRows) {
    const auto strip = in_points(mask.frame, top, std::min(kStripRows, w.row + w.height - top));
    points.assign(pixel_count(strip.window), 0);
    if (geometry::fill_line({strip, points}, line, std::uint8_t{1}) == 0) continue;
    std::vector<std::uint8_t> hits(static_cast<std::size_t>(w.width * strip.window.height / kPoints), 0);
    for (std::size_t k = 0; k < points.size(); ++k) {
      const auto row = static_cast<std::int64_t>(k) / strip.window.width / kPoints, col = static_cast<std::int64_t>(k) % strip.window.width / kPoints;
      hits[static_cast<std::size_t>(row * w.width + col)] |= points[k];
    }
    for (std::size_t k = 0; k < hits.size(); ++k)
      if (hits[k] != 0) mask.pixels[static_cast<std::size_t>((top - w.row) * w.width) + k] = value, ++count;
  }
  return count;
}

/// A line, a disc, or the pixel that holds a point (its left and upper edges are in).
template <class T>
std::int64_t fill(geometry::MaskBuffer<T> mask, const geometry::WideLine& line, T value) {
  if (line.half_width_m > 0) return geometry::fill_line(mask, line, value);
  const auto inverted = geometry::inverse(mask.frame.affine);
  if (!inverted) throw Error::failed("drawing into a raster whose affine is singular");
  const auto p = geometry::pixel_from_map(*inverted, line.line.front());
  const auto& w = mask.frame.window;
  const double col = std::floor(p.col) - static_cast<double>(w.col), row = std::floor(p.row) - static_cast<double>(w.row);
  if (!(col >= 0 && row >= 0 && col < static_cast<double>(w.width) && row < static_cast<double>(w.height))) return 0;
  mask.pixels[static_cast<std::size_t>(row) * static_cast<std::size_t>(w.width) + static_cast<std::size_t>(col)] = value;
  return 1;
}

}  // namespace

VectorMasks::VectorMasks(const LabelGround& ground, LabelObjects& objects, Halo halo) : ground_(ground) {
  place(objects, meetings(objects, halo));
  place_extent(objects);
}

std::vector<Box> window_boxes(const LabelGround& ground, const geometry::Crs& crs, double metres, Halo halo) {
  std::vector<Box> boxes(ground.windows.size());
  tbb::parallel_for(std::size_t{0}, boxes.size(), [&](std::size_t w) {
    const LabelWindow& window = ground.windows[w];
    const auto& zone = ground.zones[window.zone];
    const auto& a = window.frame.affine;
    const double pixel = std::max(std::hypot(a.a, a.d), std::hypot(a.b, a.e));
    const double margin = units_beyond(window, zone, metres + halo.metres) + (halo.pixels + (halo.metres > 0 ? 2 : 0)) * pixel;
    const auto mapped = geometry::projected(ground_of(window, margin), zone, crs, 50);
    if (mapped) boxes[w] = geometry::bounds(*mapped);
  });
  return boxes;
}

/// One box for all windows whose centres lie in one square of `metres`: so that wide boxes around many
/// small windows do not each list all the others' cells.
std::vector<Box> joined_boxes(const LabelGround& ground, const std::vector<Box>& boxes, double metres) {
  std::map<std::tuple<std::size_t, std::int64_t, std::int64_t>, Box> joined;
  for (std::size_t n = 0; n < boxes.size(); ++n) {
    if (boxes[n].empty()) continue;
    const LabelWindow& window = ground.windows[n];
    const MapXY centre = window.affine.map_from_pixel({0.5 * static_cast<double>(window.frame.window.width), 0.5 * static_cast<double>(window.frame.window.height)});
    const double edge = units_beyond(window, ground.zones[window.zone], metres);
    extend(joined[{window.zone, static_cast<std::int64_t>(std::floor(centre.x / edge)), static_cast<std::int64_t>(std::floor(centre.y / edge))}], boxes[n]);
  }
  std::vector<Box> out;
  for (const auto& [square, box] : joined) out.push_back(box);
  return out;
}

MakeNearTest near_windows(const LabelGround& ground, Halo halo) {
  constexpr double kSpareM = 1000;
  return [&ground, halo](const geometry::Crs& crs) -> NearTest {
    // Widths grow the boxes in steps, so that few sets of boxes serve all objects.
    auto cells = std::make_shared<std::map<int, BoxCells>>();
    return [&ground, halo, crs, cells](const Box& box, double metres) {
      const int step = static_cast<int>(std::ceil(metres / kSpareM));
      auto found = cells->find(step);
      if (found == cells->end()) found = cells->emplace(step, BoxCells(joined_boxes(ground, window_boxes(ground, crs, (step + 1) * kSpareM, halo), kSpareM))).first;
      return !found->second.touching(box).empty();
    };
  };
}

/// Windows whose halo the box of an object touches. An object that touches only halos has no place of
/// its own: it is rejected like one that touches nothing.
std::vector<VectorMasks::Pair> VectorMasks::meetings(LabelObjects& objects, Halo halo) {
  const bool has_halo = halo.metres > 0 || halo.pixels > 0;
  double widest_m = 0;
  for (const auto& object : objects.objects) widest_m = std::max({widest_m, object.half_width_m, object.half_width_end_m});
  const auto boxes = window_boxes(ground_, objects.crs, widest_m, halo);
  zone_boxes_.resize(ground_.zones.size());
  for (std::size_t w = 0; w < boxes.size(); ++w) extend(zone_boxes_[ground_.windows[w].zone], boxes[w]);
  const BoxCells cells(boxes);
  const BoxCells own_cells(has_halo ? window_boxes(ground_, objects.crs, widest_m, {}) : boxes);
  std::vector<Pair> pairs;
  std::size_t touching = 0, drawable = objects.far_count;
  for (std::uint32_t k = 0; k < objects.objects.size(); ++k) {
    const LabelObject& object = objects.objects[k];
    for (const std::uint32_t window : cells.touching(object.box)) pairs.emplace_back(window, k);
    if (object.is_rejected) continue;
    ++drawable;
    if (!own_cells.touching(object.box).empty()) ++touching;
    else reject(objects, object.feature, index::Reason::outside_rasters, "touches no location");
  }
  if (touching == 0 && drawable > 0 && !ground_.windows.empty())
    throw Error::failed("layer " + objects.layer + ": none of its " + std::to_string(drawable) +
                        " objects touches a location: they lie in " + text_of(degrees_of(objects)) + " (CRS " + objects.crs.name() +
                        "), the locations in " + text_of(ground_.degrees) + "; check the CRS of the file, or name one of the same place");
  return pairs;
}

bool VectorMasks::place_one(const LabelObjects& objects, std::size_t index, std::size_t zone, Placed& placed) const {
  const LabelObject& object = objects.objects[index];
  const auto& crs = ground_.zones[zone];
  placed.value = object.value;
  placed.rank = object.rank;
  placed.level = object.level;
  placed.is_rejected = object.is_rejected;
  placed.feature = object.feature;
  placed.period = object.period;
  if (!object.polygons.empty()) {
    auto mapped = geometry::projected(near(object.polygons, zone_boxes_[zone], objects.crs), objects.crs, crs, kDensifyM);
    if (mapped) placed.polygons = std::move(*mapped);
    return mapped.has_value();
  }
  for (const ObjectLine& line : object.lines) {
    auto mapped = geometry::projected(line.line, objects.crs, crs, kDensifyM);
    if (!mapped) return false;
    const auto scale = geometry::ground_scale(middle_of(*mapped), crs);
    auto half_widths = tapered(*mapped, object.half_width_m, object.half_width_end_m);
    placed.lines.push_back({std::move(*mapped), object.half_width_m, line.round_start, line.round_end, scale, std::move(half_widths)});
  }
  return true;
}

void VectorMasks::place(LabelObjects& objects, std::vector<Pair> pairs) {
  using ZoneObject = std::pair<std::size_t, std::uint32_t>;
  std::vector<ZoneObject> wanted;
  for (const auto& [window, object] : pairs) wanted.emplace_back(ground_.windows[window].zone, object);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  placed_.resize(wanted.size());
  std::vector<char> is_placed(wanted.size());
  tbb::parallel_for(std::size_t{0}, wanted.size(), [&](std::size_t k) {
    is_placed[k] = place_one(objects, wanted[k].second, wanted[k].first, placed_[k]);
  });
  for (std::size_t k = 0; k < wanted.size(); ++k)
    if (!is_placed[k] && !objects.objects[wanted[k].second].is_rejected)
      reject(objects, objects.objects[wanted[k].second].feature, index::Reason::not_mappable,
             "cannot be moved to " + ground_.zones[wanted[k].first].name());
  for (const auto& [window, object] : pairs) {
    const ZoneObject key{ground_.windows[window].zone, object};
    const auto k = static_cast<std::size_t>(std::lower_bound(wanted.begin(), wanted.end(), key) - wanted.begin());
    if (is_placed[k]) by_window_.emplace_back(window, static_cast<std::uint32_t>(k));
  }
  const auto order = [&](const Pair& p) {
    return std::tuple(p.first, placed_[p.second].rank, placed_[p.second].level, placed_[p.second].feature);
  };
  std::sort(by_window_.begin(), by_window_.end(), [&](const Pair& a, const Pair& b) { return order(a) < order(b); });
}

void VectorMasks::place_extent(const LabelObjects& objects) {
  everywhere_ = objects.everywhere;
  extents_.assign(ground_.zones.size(), std::vector<std::vector<geometry::MapMultiPolygon>>(objects.extents.size()));
  for (std::size_t zone = 0; zone < ground_.zones.size() && !everywhere_; ++zone)
    for (std::size_t period = 0; period < objects.extents.size(); ++period)
      for (const auto& polygons : objects.extents[period]) {
        auto mapped = geometry::projected(near(polygons, zone_boxes_[zone], objects.crs), objects.crs, ground_.zones[zone], kDensifyM);
        if (!mapped)
          throw Error::failed("layer " + objects.layer + ": its extent cannot be moved to " + ground_.zones[zone].name() +
                              "; give a vector file of the true extent, or extent: all");
        extents_[zone][period].push_back(std::move(*mapped));
      }
  extent_margin_m_ = everywhere_ ? 0 : objects.extent_margin_m;
  if (extent_margin_m_ != 0) place_margin();
}

/// Borders of the extents as wide lines: a margin is a distance on the ground. Parts that touch are one.
void VectorMasks::place_margin() {
  margins_.resize(extents_.size());
  for (std::size_t zone = 0; zone < extents_.size(); ++zone)
    for (const auto& parts : extents_[zone]) {
      auto& lines = margins_[zone].emplace_back();
      const auto whole = parts.size() > 1 ? geometry::unite(parts) : parts.empty() ? geometry::MapMultiPolygon{} : parts.front();
      const auto add = [&](const std::vector<MapXY>& ring) {
        for (std::size_t k = 0; k + 1 < ring.size(); ++k) {
          const MapXY middle{(ring[k].x + ring[k + 1].x) / 2, (ring[k].y + ring[k + 1].y) / 2};
          lines.push_back({{ring[k], ring[k + 1]}, std::abs(extent_margin_m_), true, true, geometry::ground_scale(middle, ground_.zones[zone]), {}});
        }
      };
      for (const auto& polygon : whole) {
        add(polygon.outer);
        for (const auto& hole : polygon.holes) add(hole);
      }
    }
}

template <class T>
void VectorMasks::cut_to_extent(std::size_t zone, const geometry::RasterFrame& frame, std::size_t period, std::vector<T>& pixels, T value) const {
  if (everywhere_) return;
  std::vector<std::uint8_t> inside(pixels.size(), 0);
  for (const auto& polygons : extents_[zone][period]) geometry::fill_polygons({frame, inside}, polygons, std::uint8_t{1});
  if (extent_margin_m_ != 0)
    for (const auto& border : margins_[zone][period]) geometry::fill_line({frame, inside}, border, static_cast<std::uint8_t>(extent_margin_m_ > 0 ? 1 : 0));
  for (std::size_t k = 0; k < pixels.size(); ++k)
    if (inside[k] == 0) pixels[k] = value;
}

template <class Draw>
void VectorMasks::for_each_object(std::size_t index, std::size_t period, Draw draw) const {
  const Pair first{static_cast<std::uint32_t>(index), 0};
  auto at = std::lower_bound(by_window_.begin(), by_window_.end(), first,
                             [](const Pair& a, const Pair& b) { return a.first < b.first; });
  for (; at != by_window_.end() && at->first == index; ++at)
    if (placed_[at->second].period == period || placed_[at->second].period == kEveryPeriod) draw(placed_[at->second]);
}

LocationMask VectorMasks::draw(std::size_t index, std::size_t period) const {
  const LabelWindow& window = ground_.windows[index];
  LocationMask mask{std::vector<std::uint8_t>(pixel_count(window.frame.window), 0)};
  for_each_object(index, period, [&](const Placed& placed) {
    std::int64_t painted = geometry::fill_polygons({window.frame, mask.pixels}, placed.polygons, placed.value);
    for (const auto& line : placed.lines) painted += fill<std::uint8_t>({window.frame, mask.pixels}, line, placed.value);
    if (painted > 0 && !placed.is_rejected) ++mask.object_count;
  });
  cut_to_extent(window.zone, window.frame, period, mask.pixels, std::uint8_t{255});
  return mask;
}

LocationMask VectorMasks::draw_touched(std::size_t index, std::size_t period) const {
  const LabelWindow& window = ground_.windows[index];
  LocationMask mask{std::vector<std::uint8_t>(pixel_count(window.frame.window), 0)};
  const geometry::MaskBuffer<std::uint8_t> buffer{window.frame, mask.pixels};
  for_each_object(index, period, [&](const Placed& placed) {
    std::int64_t painted = geometry::fill_touched(buffer, placed.polygons, placed.value);
    for (const auto& line : placed.lines) painted += line.half_width_m > 0 ? touch(buffer, line, placed.value) : fill(buffer, line, placed.value);
    if (painted > 0 && !placed.is_rejected) ++mask.object_count;
  });
  cut_to_extent(window.zone, window.frame, period, mask.pixels, std::uint8_t{255});
  return mask;
}

std::vector<std::uint32_t> VectorMasks::draw_ids(std::size_t index, std::size_t period, std::int64_t halo_px) const {
  const LabelWindow& window = ground_.windows[index];
  const geometry::RasterFrame frame{window.frame.affine, grown(window.frame.window, halo_px)};
  std::vector<std::uint32_t> ids(pixel_count(frame.window), 0);
  for_each_object(index, period, [&](const Placed& placed) {
    const auto id = placed.value == 255 ? geometry::kUnknownObject : static_cast<std::uint32_t>(placed.feature + 1);
    geometry::fill_polygons({frame, ids}, placed.polygons, id);
    for (const auto& line : placed.lines) fill<std::uint32_t>({frame, ids}, line, id);
  });
  cut_to_extent(window.zone, frame, period, ids, geometry::kUnknownObject);
  return ids;
}

CoverageMask VectorMasks::draw_coverage(std::size_t index, std::size_t period) const {
  const LabelWindow& window = ground_.windows[index];
  std::vector<std::int64_t> sums(pixel_count(window.frame.window), 0);
  std::vector<const geometry::WideLine*> lines;
  CoverageMask mask;
  for_each_object(index, period, [&](const Placed& placed) {
    if (placed.value == 255) return;
    for (const auto& line : placed.lines) lines.push_back(&line);
    std::vector<std::int64_t> own(sums.size(), 0);
    geometry::add_coverage(window.frame, placed.polygons, own);
    if (std::ranges::any_of(own, [](std::int64_t sum) { return sum > 2; }) || covers_any(window.frame, placed.lines)) ++mask.object_count;
    std::ranges::transform(sums, own, sums.begin(), std::plus<>());
  });
  for (const auto sum : sums) mask.shares.push_back(geometry::coverage_of(sum));
  if (!lines.empty()) mask.shares = shares_of_lines(window.frame, lines);
  const auto ids = draw_ids(index, period, 0);
  for (std::size_t k = 0; k < ids.size(); ++k)
    if (ids[k] == geometry::kUnknownObject) mask.shares[k] = std::numeric_limits<float>::quiet_NaN();
  return mask;
}

}  // namespace tilewright::pipeline
