// SPDX-License-Identifier: Apache-2.0
// Meets windows and objects in the layer's CRS, moves objects to the zones, draws by rank.
#include "pipeline/stages/label_masks.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "geometry/error.h"
#include "pipeline/stages/box_cells.h"

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

MapXY middle_of(const geometry::MapLine& line) {
  double half = 0;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) half += std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y) / 2;
  for (std::size_t k = 0; k + 1 < line.size(); ++k) {
    const double step = std::hypot(line[k + 1].x - line[k].x, line[k + 1].y - line[k].y);
    if (half <= step && step > 0)
      return {line[k].x + (line[k + 1].x - line[k].x) * half / step, line[k].y + (line[k + 1].y - line[k].y) * half / step};
    half -= step;
  }
  return line.back();
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
  Box all;
  for (const auto& object : objects.objects) extend(all, object.box);
  Box degrees;
  for (const MapXY corner : {MapXY{all.min_x, all.min_y}, MapXY{all.max_x, all.max_y}, MapXY{all.min_x, all.max_y}, MapXY{all.max_x, all.min_y}}) {
    const auto p = geometry::geographic(corner, objects.crs);
    if (!p) continue;
    extend(degrees, {p->lon_deg, p->lat_deg, p->lon_deg, p->lat_deg});
  }
  return degrees;
}

}  // namespace

VectorMasks::VectorMasks(const LabelGround& ground, LabelObjects& objects) : ground_(ground) {
  place(objects, meetings(objects));
  place_extent(objects);
}

/// Windows that the box of an object touches, compared in the layer's CRS.
std::vector<VectorMasks::Pair> VectorMasks::meetings(LabelObjects& objects) {
  double widest_m = 0;
  for (const auto& object : objects.objects) widest_m = std::max(widest_m, object.half_width_m);
  std::vector<Box> boxes(ground_.windows.size());
  tbb::parallel_for(std::size_t{0}, boxes.size(), [&](std::size_t w) {
    const LabelWindow& window = ground_.windows[w];
    const auto& zone = ground_.zones[window.zone];
    const auto mapped = geometry::projected(ground_of(window, units_beyond(window, zone, widest_m)), zone, objects.crs, 50);
    if (mapped) boxes[w] = geometry::bounds(*mapped);
  });
  zone_boxes_.resize(ground_.zones.size());
  for (std::size_t w = 0; w < boxes.size(); ++w) extend(zone_boxes_[ground_.windows[w].zone], boxes[w]);
  const BoxCells cells(boxes);
  std::vector<Pair> pairs;
  for (std::uint32_t k = 0; k < objects.objects.size(); ++k) {
    const auto touched = cells.touching(objects.objects[k].box);
    for (const std::uint32_t window : touched) pairs.emplace_back(window, k);
    if (touched.empty())
      reject(objects, objects.objects[k].feature, index::Reason::outside_rasters, "touches no location");
  }
  if (pairs.empty() && !objects.objects.empty() && !ground_.windows.empty())
    throw Error::failed("layer " + objects.layer + ": none of its " + std::to_string(objects.objects.size()) +
                        " objects touches a location: they lie in " + text_of(degrees_of(objects)) + " (CRS " + objects.crs.name() +
                        "), the locations in " + text_of(ground_.degrees) + "; check the CRS of the file, or name one of the same place");
  return pairs;
}

bool VectorMasks::place_one(const LabelObjects& objects, std::size_t index, std::size_t zone, Placed& placed) const {
  const LabelObject& object = objects.objects[index];
  const auto& crs = ground_.zones[zone];
  placed.value = object.value;
  placed.rank = object.rank;
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
    placed.lines.push_back({std::move(*mapped), object.half_width_m, line.round_start, line.round_end, scale});
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
    if (!is_placed[k])
      reject(objects, objects.objects[wanted[k].second].feature, index::Reason::not_mappable,
             "cannot be moved to " + ground_.zones[wanted[k].first].name());
  for (const auto& [window, object] : pairs) {
    const ZoneObject key{ground_.windows[window].zone, object};
    const auto k = static_cast<std::size_t>(std::lower_bound(wanted.begin(), wanted.end(), key) - wanted.begin());
    if (is_placed[k]) by_window_.emplace_back(window, static_cast<std::uint32_t>(k));
  }
  const auto order = [&](const Pair& p) {
    return std::tuple(p.first, placed_[p.second].rank, placed_[p.second].feature);
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
}

void VectorMasks::cut_to_extent(const LabelWindow& window, std::size_t period, std::vector<std::uint8_t>& pixels) const {
  if (everywhere_) return;
  std::vector<std::uint8_t> inside(pixels.size(), 0);
  for (const auto& polygons : extents_[window.zone][period]) geometry::fill_polygons({window.frame, inside}, polygons, std::uint8_t{1});
  for (std::size_t k = 0; k < pixels.size(); ++k)
    if (inside[k] == 0) pixels[k] = 255;
}

LocationMask VectorMasks::draw(std::size_t index, std::size_t period) const {
  const LabelWindow& window = ground_.windows[index];
  const auto& size = window.frame.window;
  LocationMask mask{std::vector<std::uint8_t>(static_cast<std::size_t>(size.width * size.height), 0)};
  const Pair first{static_cast<std::uint32_t>(index), 0};
  auto at = std::lower_bound(by_window_.begin(), by_window_.end(), first,
                             [](const Pair& a, const Pair& b) { return a.first < b.first; });
  for (; at != by_window_.end() && at->first == index; ++at) {
    const Placed& placed = placed_[at->second];
    if (placed.period != period) continue;
    std::int64_t painted = geometry::fill_polygons({window.frame, mask.pixels}, placed.polygons, placed.value);
    for (const auto& line : placed.lines) painted += geometry::fill_line({window.frame, mask.pixels}, line, placed.value);
    if (painted > 0) ++mask.object_count;
  }
  cut_to_extent(window, period, mask.pixels);
  return mask;
}

}  // namespace tilewright::pipeline
